"""Cron expressions, as the platform reads them.

Source: developers.cloudflare.com/workers/configuration/cron-triggers/
"""

import datetime as dt

import pytest

import dobook
from dobook.errors import UsageError
from dobook.runtime.access import kernel_of
from dobook.runtime.worker.cron import Crontab, parse_cron
from dobook.runtime.worker.worker import Worker

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)  # a Thursday


def runs(text, count=3):
    at_ms, found = int(START.timestamp() * 1000), []
    for _ in range(count):
        at_ms = parse_cron(text).next_after(at_ms)
        found.append(f"{dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC):%a %d %b %H:%M}")
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* * * * *", ["Thu 01 Jan 00:01", "Thu 01 Jan 00:02", "Thu 01 Jan 00:03"]),
        ("*/30 * * * *", ["Thu 01 Jan 00:30", "Thu 01 Jan 01:00", "Thu 01 Jan 01:30"]),
        ("45 23 * * *", ["Thu 01 Jan 23:45", "Fri 02 Jan 23:45", "Sat 03 Jan 23:45"]),
        ("0 17 * * SUN", ["Sun 04 Jan 17:00", "Sun 11 Jan 17:00", "Sun 18 Jan 17:00"]),
        ("0 17 * * 1", ["Sun 04 Jan 17:00", "Sun 11 Jan 17:00", "Sun 18 Jan 17:00"]),
        ("10 7 * * MON-FRI", ["Thu 01 Jan 07:10", "Fri 02 Jan 07:10", "Mon 05 Jan 07:10"]),
        ("0 15 1 * *", ["Thu 01 Jan 15:00", "Sun 01 Feb 15:00", "Sun 01 Mar 15:00"]),
        ("0 18 * * 6L", ["Fri 30 Jan 18:00", "Fri 27 Feb 18:00", "Fri 27 Mar 18:00"]),
        ("59 23 LW * *", ["Fri 30 Jan 23:59", "Fri 27 Feb 23:59", "Tue 31 Mar 23:59"]),
        ("0 0 L * *", ["Sat 31 Jan 00:00", "Sat 28 Feb 00:00", "Tue 31 Mar 00:00"]),
        ("0 0 15W * *", ["Thu 15 Jan 00:00", "Mon 16 Feb 00:00", "Mon 16 Mar 00:00"]),
        ("0 9 * * MON#2", ["Mon 12 Jan 09:00", "Mon 09 Feb 09:00", "Mon 09 Mar 09:00"]),
        ("0 0 1,3-5/2 JAN,mar *", ["Sat 03 Jan 00:00", "Mon 05 Jan 00:00", "Sun 01 Mar 00:00"]),
        ("5/20 1 * * *", ["Thu 01 Jan 01:05", "Thu 01 Jan 01:25", "Thu 01 Jan 01:45"]),
        ("0 0 13 * FRI", ["Fri 02 Jan 00:00", "Fri 09 Jan 00:00", "Tue 13 Jan 00:00"]),
    ],
)
def test_the_platforms_expressions_are_due_when_it_says(text, expected):
    assert runs(text) == expected


def test_a_day_that_never_comes_is_never_due():
    assert parse_cron("0 0 30 2 *").next_after(0) is None
    assert runs("0 0 29 2 *", 1) == ["Tue 29 Feb 00:00"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("* * * *", "it has 4 fields, not 5"),
        ("60 * * * *", "'60' is no minute (0 to 59)"),
        ("* 5-3 * * *", "'5-3' is no hour"),
        ("* * * FOO *", "'FOO' is no month (1 to 12, or JAN to DEC)"),
        ("* * * * 0", "'0' is no day of the week (1 to 7, or SUN to SAT)"),
        ("*/0 * * * *", "'*/0' is no minute"),
    ],
)
def test_what_is_no_expression_is_explained(text, said):
    with pytest.raises(UsageError) as caught:
        parse_cron(text)
    assert said in str(caught.value)


def test_crons_and_alarms_share_the_clock_and_one_failure_stops_nothing():
    log = []

    class Entry:
        def __init__(self, ctx, env):
            self.ctx = ctx

        async def scheduled(self, controller):
            log.append((controller.cron, controller.scheduledTime // 60_000 % 60))
            if len(log) == 1:
                raise ValueError("the first one")

    with dobook.Runtime() as runtime:
        worker = Worker(kernel_of(runtime), Entry)
        crontab = Crontab(kernel_of(runtime), worker, ("*/2 * * * *", "3 * * * *"))
        runtime.advance("5m")
        assert log == [("*/2 * * * *", 2), ("3 * * * *", 3), ("*/2 * * * *", 4)]
        crontab.cancel()
        runtime.advance("1h")
        assert len(log) == 3
