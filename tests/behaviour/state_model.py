"""A model of what one object holds: a dict of rows, a list of SQL rows and an alarm.

Used by `test_every_state`; it knows nothing of dobook.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Contents(NamedTuple):
    """What an object holds; `table` is None if there is no SQL table."""

    rows: dict[str, Any]
    table: list[int] | None
    alarm_ms: int | None


@dataclass
class Model:
    """What an object has to hold, and what its next session has to begin with."""

    rows: dict[str, Any] = field(default_factory=dict)
    table: list[int] | None = None
    alarm_ms: int | None = None
    pending: Contents | None = None
    asleep: bool = False  # the next event begins a session

    def contents(self) -> Contents:
        table = None if self.table is None else list(self.table)
        return Contents(dict(self.rows), table, self.alarm_ms)

    def become(self, contents: Contents) -> None:
        self.rows, self.table, self.alarm_ms = contents
        self.rows = dict(self.rows)
        self.table = None if self.table is None else list(self.table)

    def insert(self, number: int) -> None:
        self.table = [*(self.table or []), number]

    def clear(self) -> None:
        self.become(Contents({}, None, None))

    def begin_session(self) -> None:
        """Note that an event has come: if the object was out of memory, it begins anew."""
        if self.asleep and self.pending is not None:
            self.become(self.pending)
            self.pending = None
        self.asleep = False

    def advance_to(self, now_ms: int) -> None:
        if self.is_due(now_ms):
            self.begin_session()
        if self.is_due(now_ms):
            self.rows["rung"] = True
            self.alarm_ms = None

    def is_due(self, now_ms: int) -> bool:
        return self.alarm_ms is not None and self.alarm_ms <= now_ms

    def possible(self, now_ms: int) -> list[Contents]:
        """Return what may be read at a time: an alarm that is due may have run, or be about to."""
        found = [self.contents()]
        self.advance_to(now_ms)
        return [*found, self.contents()]
