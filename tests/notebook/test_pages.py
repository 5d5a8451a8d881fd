"""`nbconvert --to html` shows what the notebooks show, without a kernel, a widget manager or a network."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SHOWN_AS = {  # in 15_instruments: what the page has to have of each view
    "an inspector": r"<b>KIOSK/north</b>",
    "a clock": r"<b>Clock</b>",
    "its picture": r"aria-label=\"the next 2 alarms on a line of time\"",
    "a console": r"<b>Requests to KIOSK/north</b>",
    "its picture of answers": r"aria-label=\"20 requests: when each was sent and how long it took\"",
    "a timeline": r"aria-label=\"Space-time diagram: [^\"]*\"",
    "a past": r"moments to go back to",
    "a rate limit": r"LIMITER/ada: 4 of 10 used",
    "a workflow": r"DIARY/ada: running, 0 of 2 steps completed",
    "a chat room": r"people in the room",
}


def outputs(book):
    for cell in json.loads(book.read_text("utf-8"))["cells"]:
        yield from cell.get("outputs", ())


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.name)
def test_committed_outputs_need_no_front_end(book):
    for output in outputs(book):
        data = output.get("data", {})
        assert "application/vnd.jupyter.widget-view+json" not in data
        assert "application/javascript" not in data
        if data:
            assert "text/plain" in data
    assert "widgets" not in json.loads(book.read_text("utf-8"))["metadata"]


@pytest.mark.slow
def test_an_exported_page_shows_every_view():
    from nbconvert import HTMLExporter

    (book,) = [book for book in BOOKS if "instruments" in book.name]
    page, _ = HTMLExporter(mathjax_url="", require_js_url="").from_filename(str(book))
    absent = [what for what, mark in SHOWN_AS.items() if not re.search(mark, page)]
    assert absent == []
    assert "<script" not in re.sub(r"(?s)<head>.*?</head>", "", page)
    assert not re.search(r"(?:src|href)=\"https?://", page)


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.name)
def test_every_notebook_becomes_a_page_with_all_its_outputs(book):
    from nbconvert import HTMLExporter

    page, _ = HTMLExporter(mathjax_url="", require_js_url="").from_filename(str(book))
    shown = sum("text/html" in output.get("data", {}) for output in outputs(book))
    assert page.count("jp-RenderedHTMLCommon jp-RenderedHTML ") >= shown
