"""The space-time diagram: what is drawn where, the same bytes everywhere, readable when large."""

import re
import xml.etree.ElementTree as ET

import pytest

from dobook import Runtime
from dobook.events import KINDS
from dobook.notebook.timeline.diagram import Diagram, timeline_svg
from dobook.notebook.timeline.plan import Bar, Message, plan

EMPTY = {"answer": {"status": None, "value": None, "error": ""}, "rpc": {"args": ()}}


def events(*told, start=0):
    made = []
    for i, (t, obj, kind, detail) in enumerate(told):
        fields = {**EMPTY.get(kind, {}), **detail}
        cause = fields.pop("cause", 0)
        made.append(KINDS[kind](i + 1, start + t, obj, cause, **fields))
    return made


CALL = (
    (0, "outside", "sent", {"to": "A/a", "method": "hit"}),
    (0, "A/a", "rpc", {"method": "hit", "args": ("1",), "cause": 1}),
    (0, "A/a", "storage", {"op": "put", "keys": ("n",), "value": 1, "cause": 2}),
    (0, "A/a", "output gate closed", {"why": "write", "cause": 2}),
    (0, "A/a", "held", {"why": "output gate", "cause": 2}),
    (0, "A/a", "commit", {"keys": ("n",), "cause": 2}),
    (0, "A/a", "output gate opened", {"cause": 2}),
    (5, "A/a", "answer", {"value": 1, "error": "", "cause": 2}),
)


def test_a_call_has_lanes_rows_messages_and_bars():
    shown = plan(events(*CALL))
    assert shown.lanes == ("outside", "A/a")
    assert [(row.lane, row.text, row.elapsed) for row in shown.rows] == [
        (0, "calls hit", "+0s"),
        (1, "hit(1)", ""),
        (1, "put n = 1", ""),
        (1, "commit n", ""),
        (1, "answers 1", "+0.005s"),
    ]
    assert shown.messages == (Message(0, 0, 1, 1), Message(1, 4, 0, 4, answer=True))
    assert shown.bars == (Bar(1, "running", 1, 4), Bar(1, "output gate", 2, 3, "write"))


def test_an_event_at_a_shut_gate_is_drawn_as_waiting_until_it_is_admitted():
    shown = plan(
        events(
            (0, "A/a", "rpc", {"method": "x"}),
            (0, "A/a", "gate closed", {"why": "critical section"}),
            (0, "A/a", "rpc", {"method": "y"}),
            (0, "A/a", "waiting", {"why": "input gate", "cause": 3}),
            (9, "A/a", "gate opened", {}),
            (9, "A/a", "admitted", {"cause": 3}),
            (9, "A/a", "answer", {"value": 1, "cause": 3}),
        )
    )
    assert Bar(0, "waiting", 2, 3) in shown.bars
    assert Bar(0, "input gate", 0, 2, "critical section") in shown.bars
    assert Bar(0, "running", 3, 4) in shown.bars


def test_a_reset_ends_all_bars_of_its_object():
    shown = plan(
        events(
            *CALL[:4],
            (0, "A/a", "answer", {"error": "PlatformError: gone", "cause": 2}),
            (0, "A/a", "reset", {"error": "PlatformError: gone"}),
            (0, "outside", "sent", {"to": "A/a", "method": "hit"}),
        )
    )
    assert max(bar.last for bar in shown.bars) == 4
    assert shown.messages[-1] == Message(1, 3, 0, 3, answer=True, failed=True)
    assert [row.failed for row in shown.rows] == [False, False, False, True, True, False]


def test_what_was_sent_before_the_picture_begins_comes_from_nowhere():
    shown = plan(events(*CALL)[1:])
    assert shown.messages[0].from_lane == -1


def test_with_too_many_lanes_the_least_active_share_one():
    told = [(0, f"A/{i}", "rpc", {"method": "x"}) for i in range(100)]
    told += [(0, "A/7", "rpc", {"method": "x"})] * 3
    shown = plan(events(*told), most_lanes=5)
    assert len(shown.lanes) == 5
    assert "A/7" in shown.lanes
    assert shown.lanes[-1] == "96 others"
    assert shown.folded == 96
    assert {row.lane for row in shown.rows} == {0, 1, 2, 3, 4}


def test_with_too_many_rows_the_middle_is_left_out_and_what_it_does_is_not_lost():
    told = [(i, "A/a", "rpc", {"method": f"m{i}"}) for i in range(50)]
    told.append((60, "A/a", "answer", {"cause": 1, "value": 1}))
    told.append((60, "A/a", "answer", {"cause": 25, "value": 1}))
    shown = plan(events(*told), most_rows=9)
    assert len(shown.rows) == 9
    assert shown.rows[4].text == "… 44 events left out …"
    assert shown.left_out == 44
    assert [row.text for row in shown.rows[-2:]] == ["answers 1", "answers 1"]
    assert Bar(0, "running", 0, 7) in shown.bars
    assert Bar(0, "running", 4, 8) in shown.bars  # begun in the middle


@pytest.mark.parametrize("theme", ["notebook", "light", "dark"])
@pytest.mark.parametrize("objects", [1, 5, 80, 300])
def test_the_picture_is_well_formed_and_inside_its_frame(theme, objects):
    told = []
    for i in range(objects):
        told.append((i, "outside", "sent", {"to": f"A/<{i}>", "method": "a&b"}))
        told.append((i, f"A/<{i}>", "rpc", {"method": "a&b", "cause": len(told)}))
        told.append((i, f"A/<{i}>", "answer", {"value": "]]>", "cause": len(told)}))
    root = ET.fromstring(timeline_svg(events(*told), theme=theme))
    wide, high = float(root.get("width")), float(root.get("height"))
    assert wide <= 84 + 80 * 9 + 14 + 430 + 40
    for element in root.iter():
        for name, most in (("x", wide), ("x1", wide), ("x2", wide), ("y", high), ("y2", high)):
            assert 0 <= float(element.get(name, 0)) <= most


def test_rows_and_lanes_can_be_found_and_marked():
    told = events(*CALL)
    svg = timeline_svg(told, marked={3})
    assert re.findall(r'<g data-seq="(\d+)">', svg) == ["1", "2", "3", "6", "8"]
    assert re.findall(r'<g data-lane="([^"]+)">', svg) == ["outside", "A/a"]
    plain = timeline_svg(told)
    assert len(svg) > len(plain)


def test_the_picture_depends_on_nothing_but_the_events():
    def picture():
        with Runtime(seed=4) as runtime:
            runtime.tracing = True

            class Counter:
                def __init__(self, ctx, env):
                    self.ctx = ctx

                async def hit(self):
                    await self.ctx.storage.put("n", 1)

            runtime.run(runtime.register(Counter).getByName("a").hit())
            return timeline_svg(runtime.trace(), theme="light")

    assert picture() == picture()


def test_nothing_recorded_is_said_in_picture_and_words():
    assert "nothing has been recorded" in timeline_svg([])
    assert repr(Diagram([])) == "nothing has been recorded"


def test_the_words_of_a_diagram_are_aligned():
    lines = repr(Diagram(events(*CALL))).splitlines()
    assert lines[0] == "       +0s  outside  calls hit"
    assert lines[2] == "            A/a      put n = 1"
    assert not any(line.endswith(" ") for line in lines)
