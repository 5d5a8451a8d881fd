"""`clock`: virtual time, which a test moves."""

import datetime as dt

from dobook.runtime.objects.alarm import AlarmRun
from dobook.runtime.runtime import Runtime
from dobook.testing.objects import DurableObjects


class TestClock:
    """The clock of a test's objects. Nothing waits: an hour of alarms takes milliseconds.

    Args:
        objects: Whose clock it is.

    Example:
        >>> objects = DurableObjects()
        >>> clock = TestClock(objects)
        >>> clock.advance("1h30m")
        []
        >>> clock.now
        datetime.datetime(2026, 1, 1, 1, 30, tzinfo=datetime.timezone.utc)
        >>> objects.close()
    """

    __test__ = False  # pytest collects what begins with Test

    def __init__(self, objects: DurableObjects) -> None:
        self._objects = objects

    @property
    def _runtime(self) -> Runtime:
        return self._objects.runtime  # another one after a restart

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return self._runtime.clock.now_ms

    @property
    def now(self) -> dt.datetime:
        """The time as an aware datetime in UTC."""
        return self._runtime.clock.now

    def advance(self, duration: str | float | dt.timedelta) -> list[AlarmRun]:
        """Let time pass; timers and alarms on the way run in order.

        Args:
            duration: Milliseconds, a timedelta, or text such as "1h30m".

        Returns:
            The alarm handlers that ran, in order.
        """
        return self._runtime.advance(duration)

    def advance_to(self, when: str | float | dt.datetime) -> list[AlarmRun]:
        """Let time pass until an instant: ms since 1970, a datetime or ISO text.

        Raises:
            UsageError: If that is in the past.
        """
        return self._runtime.advance_to(when)

    def next(self, count: int = 1) -> list[AlarmRun]:
        """Let time pass until the next alarm has run, `count` times."""
        return self._runtime.advance_next(count)

    def until_idle(self, *, limit: int = 10_000) -> list[AlarmRun]:
        """Let time pass until no alarm is scheduled any more.

        Args:
            limit: Stop after so many instants at which alarms run; recurring ones never end.
        """
        return self._runtime.advance_until_idle(limit=limit)

    def __repr__(self) -> str:
        return repr(self._runtime.clock)
