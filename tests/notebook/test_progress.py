"""A bar is there for what takes long, and for nothing else."""

import pytest

from dobook import progress
from dobook.progress import Progress


class Bar:
    """Stands in for tqdm; remembers what it was told."""

    def __init__(self, total, initial, **_options):
        self.total, self.done, self.notes, self.closed = total, initial, [], False
        made.append(self)

    def update(self, more):
        self.done += more

    def set_postfix_str(self, note):
        self.notes.append(note)

    def close(self):
        self.closed = True


made: list[Bar] = []


@pytest.fixture(autouse=True)
def bars(monkeypatch):
    made.clear()
    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    return made


def test_what_is_done_at_once_has_no_bar(bars):
    with Progress(2) as bar:
        bar.add()
        bar.add(note="over")
    assert bars == []


def test_what_takes_long_has_a_bar_that_begins_where_it_is_and_goes_away(bars, monkeypatch):
    monkeypatch.setattr(progress, "AFTER_S", -1.0)
    with Progress(10) as bar:
        bar.add(3)
        bar.add(4, "two alarms")
    (shown,) = bars
    assert (shown.total, shown.done, shown.notes, shown.closed) == (10, 7, ["two alarms"], True)


def test_the_last_step_needs_no_bar_any_more(bars, monkeypatch):
    monkeypatch.setattr(progress, "AFTER_S", -1.0)
    with Progress(3) as bar:
        bar.add(3)
    assert bars == []


@pytest.mark.parametrize(
    "line", ["%fast_forward 3h", "%request COUNTER/a /value --repeat 3 --concurrency 2"]
)
def test_magics_that_take_long_show_one(counting, bars, monkeypatch, line):
    monkeypatch.setattr(progress, "AFTER_S", -1.0)
    counting.cell(line)
    assert [(bar.done, bar.closed) for bar in bars] == [(bars[0].total, True)]
