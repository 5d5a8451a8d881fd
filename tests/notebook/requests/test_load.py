"""Many requests: so many at once, or at a rate; the latency is what somebody would have waited."""

import math

import pytest

from dobook.notebook.requests.latency_picture import latency_picture
from dobook.notebook.requests.load import ask_many, parse_rate, percentile
from dobook.notebook.requests.request_frames import answers_frame

NAPPER = """%%durable_object
import asyncio
from workers import DurableObject, Response


class Napper(DurableObject):
    now = most = 0

    async def fetch(self, request):
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.5)
        self.now -= 1
        return Response(str(self.most), status=200 if self.most < 5 else 429)
"""


@pytest.fixture
def napping(shell):
    shell.cell(NAPPER)
    return shell


def test_requests_go_one_after_another_unless_told_otherwise(napping):
    frame = napping.cell("%request NAPPER/a / --repeat 4")
    assert list(frame["body"]) == ["1"] * 4
    assert list(frame["sent"].diff().dropna().dt.total_seconds()) == [0.5] * 3
    assert frame.attrs["per_s"] == 2


def test_no_more_are_under_way_than_there_are_places(napping):
    frame = napping.cell("%request NAPPER/a / --repeat 6 --concurrency 3")
    assert list(frame["body"]) == ["3"] * 6
    assert list(frame["took_ms"]) == [500] * 6


def test_at_a_rate_each_leaves_when_it_is_due(napping):
    frame = napping.cell("%request NAPPER/a / --repeat 8 --rate 20/s")
    gaps = frame["sent"].diff().dropna().dt.total_seconds()
    assert list(gaps) == [0.05] * 7
    assert list(frame["took_ms"]) == [500] * 8
    assert list(frame["status"]) == [429] * 8  # all were under way when the first was answered
    assert frame.attrs["p50_ms"] == frame.attrs["p99_ms"] == frame.attrs["max_ms"] == 500


def test_waiting_for_a_place_counts_as_latency(napping):
    frame = napping.cell("%request NAPPER/a / --repeat 3 --rate 10/s --concurrency 1")
    assert list(frame["took_ms"]) == [500, 900, 1300]


def test_an_error_is_a_row_and_stops_nobody(counting):
    frame = counting.cell("%request COUNTER/a /boom --repeat 3 --rate 1/s")
    assert list(frame["error"]) == ["ValueError: boom"] * 3
    assert frame["status"].isna().all()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--repeat 0", "1 or more"),
        ("--repeat 2 --concurrency 0", "1 or more"),
        ("--repeat 2 --rate fast", "cannot read 'fast' as a rate"),
        ("--repeat 2 --rate 0/s", "as a rate"),
        ("--rate 2/s", "say how many"),
    ],
)
def test_wrong_numbers_are_refused(counting, line, said):
    with pytest.raises(Exception, match=said):
        counting.cell(f"%request COUNTER/a / {line}")


def test_rates_are_read():
    assert parse_rate("20/s") == 50
    assert parse_rate("0.5 / m") == 120_000


def test_a_percentile_is_a_value_that_was_measured():
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, p) for p in (1, 50, 99, 100)] == [1, 50, 99, 100]
    assert math.isnan(percentile([], 50))


def test_the_empty_frame_has_the_same_columns_and_attributes():
    empty = answers_frame([], "A/b", 0)
    answer = {
        "sent": 0,
        "status": 200,
        "retry_after": None,
        "body": "",
        "took_ms": 1.0,
        "error": "",
    }
    full = answers_frame([answer], "A/b", 1)
    assert list(empty.columns) == list(full.columns)
    assert empty.attrs.keys() == full.attrs.keys()
    assert empty.attrs["p50_ms"] is None
    assert empty.svg == latency_picture([]) == ""
    assert "<svg" in full.svg


def test_ten_thousand_requests_make_a_small_picture(napping):
    session = napping.ev("get_ipython()._dobook_session")
    stub = session.target("NAPPER/a").stub
    found = ask_many(session.runtime, lambda: stub.fetch("http://x/"), 2_000, every_ms=1)
    assert len(latency_picture(found)) < 120_000


def test_a_console_sends_repeats_and_remembers(counting):
    counting.cell("console = %request --console COUNTER/a")
    console = counting.ev("console")
    assert "nothing sent yet" in counting.shown(console)
    sent = console.send("POST", "/", headers="x-user: ada", body='{"by": 2}')
    assert sent.status == "200 OK"
    assert '{"n": 2}' in sent.answer
    assert '{"n": 4}' in console.replay(1).answer
    many = console.send("GET", "/", repeat=5, rate="10/s")
    assert "5 of 5" in many.status
    assert len(console.answers) == 5
    text = counting.shown(console)
    assert "POST / → 200 OK" in text
    assert "GET /, 5 times at 10/s → 5 of 5 requests" in text
    for wrong, said in (
        (("GE", "/"), "Did you mean 'GET'"),
        (("GET", "x"), "begins with '/'"),
    ):
        with pytest.raises(Exception, match=said):
            console.send(*wrong)
    with pytest.raises(Exception, match="not 'broken'"):
        console.send(headers="broken")
    with pytest.raises(Exception, match="no request number 9"):
        console.replay(9)
    assert len(console.history) == 3


def test_a_console_of_nothing_is_refused(counting):
    with pytest.raises(Exception, match="Did you mean 'COUNTER'"):
        counting.cell("%request --console COUTNER/a")
