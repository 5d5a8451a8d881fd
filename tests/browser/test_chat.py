"""The chat room in a real JupyterLab: two people talk, one drops out, the room is evicted."""

import os
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def test_people_talk_drop_out_and_come_back(notebook):
    view = notebook.views("CHAT/lobby")
    ada, bob = (view.get_by_role("region", name=who, exact=True) for who in ("ada", "bob"))

    line = ada.get_by_label("what ada says")
    line.fill("hello <b>bob</b>")
    line.press("Enter")
    bob.get_by_text("ada: hello <b>bob</b>").wait_for()
    assert line.input_value() == ""

    bob.get_by_role("button", name="Drop out").click()
    ada.get_by_text("bob left").wait_for()
    assert bob.get_by_role("button", name="Come back").is_visible()
    view.get_by_role("button", name="Evict the room").click()
    view.get_by_text("○ out of memory").wait_for()
    bob.get_by_role("button", name="Come back").click()
    ada.get_by_text("bob came in").nth(1).wait_for()
    view.get_by_text("● in memory").wait_for()

    bob.get_by_label("what bob says").fill("here again")
    bob.get_by_role("button", name="Send").click()
    ada.get_by_text("bob: here again").wait_for()
    view.get_by_label("name of one more person").fill("eve")
    view.get_by_role("button", name="Let in").click()
    eve = view.get_by_role("region", name="eve", exact=True)
    eve.get_by_text("eve came in").wait_for()
    notebook.press(eve, "Leave")
    ada.get_by_text("eve left").wait_for()
    if folder := os.environ.get("DOBOOK_SCREENSHOTS"):
        Path(folder, "chat-widget.png").write_bytes(view.screenshot())
    notebook.press(view, "Crash it")
    view.get_by_text("○ out of memory").wait_for()
    assert ada.get_by_role("button", name="Come back").is_visible()
    notebook.press(ada, "Come back")
    ada.get_by_label("what ada says").wait_for()
