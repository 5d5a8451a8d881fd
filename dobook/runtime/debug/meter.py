"""What objects cost: what the platform bills is counted, and priced as it publishes.

Counting reads and writes costs a little, so a runtime begins it with the first call of
`runtime.costs()`; a notebook's does from the start. Requests and duration are always counted.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dobook import limits
from dobook.codec import serialize

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor, Kernel
    from dobook.storage.sql.cursor import SqlStorageCursor

_GIB: Final = 1024**3


class Meter:
    """The reads and writes of one object, over all its lives."""

    __slots__ = ("_cursors", "active_s", "messages", "reads", "requests", "writes")

    def __init__(self) -> None:
        self.reads = 0
        self.writes = 0
        self.requests = 0  # of earlier stays in memory, as are the next two
        self.messages = 0
        self.active_s = 0.0
        self._cursors: list[tuple[SqlStorageCursor, int]] = []  # and how much of each is counted

    def watch(self, cursor: "SqlStorageCursor") -> None:
        """Count what a query writes, and what it reads while it is read."""
        self.settle()
        self.writes += cursor.rowsWritten
        self._cursors.append((cursor, 0))

    def settle(self) -> None:
        """Count what has been read since the last time."""
        unread = []
        for cursor, counted in self._cursors:
            looked_at = cursor.looked_at()
            self.reads += looked_at - counted
            if cursor._rows is not None:
                unread.append((cursor, looked_at))
        self._cursors = unread

    def add_stay(self, actor: "Actor") -> None:
        """Take over the counts of an object that leaves memory for good."""
        self.requests += actor.requests
        self.messages += actor.messages
        self.active_s += actor.active_s


@dataclass(frozen=True, slots=True)
class Cost:
    """What one object has used, as the platform bills it.

    Attributes:
        object: `BINDING/name`.
        binding: Its class's binding.
        sqlite: Whether reads and writes are rows; else they are request units of 4 KB.
        requests: Events that are billed; of WebSocket messages one in twenty.
        gb_s: Memory times virtual time while it was active, or unable to hibernate.
        reads: Rows or units read; of joins and searches in an index an estimate.
        writes: Rows or units written, deletions and alarms that were set included.
        stored_bytes: What it keeps.
        usd: Price of requests, duration, reads and writes, in US dollars, nothing included.
        storage_usd_month: Price of keeping what it stores for a month.
    """

    object: str
    binding: str
    sqlite: bool
    requests: float
    gb_s: float
    reads: int
    writes: int
    stored_bytes: int
    usd: float
    storage_usd_month: float


def costs(runtime: "Kernel") -> list[Cost]:
    """Return what each object that has been in use has cost, by binding and first use."""
    found = []
    for namespace in runtime.namespaces:
        seen = set()
        for identity, actor in namespace.actors.items():
            seen.add(identity)
            found.append(_cost(actor))
        for unique_key, identity in list(runtime.meters.of_objects):
            if unique_key == namespace.unique_key and identity not in seen:
                # It has left memory; looking at it brings it back for as long as this takes.
                actor = namespace.actor(runtime.meters.of_objects[unique_key, identity][1])
                found.append(_cost(actor))
                if actor.instance is None:
                    runtime.stores.release(actor)
    return found


def _cost(actor: "Actor") -> Cost:
    meter = actor.meter or Meter()
    meter.settle()
    instance, now = actor.instance, actor.runtime.loop.time()
    active_s = meter.active_s + actor.active_s
    if instance is not None and not instance.idle:
        active_s += now - instance.active_since
    messages = meter.messages + actor.messages
    requests = (
        meter.requests + actor.requests - messages + messages * limits.PRICES.requests_per_message
    )
    sqlite, prices = actor.namespace.sqlite, limits.PRICES
    gb_s = active_s * prices.memory_gb
    stored = stored_bytes(actor)
    usd = (
        requests * prices.request
        + gb_s * prices.gb_s
        + meter.reads * (prices.row_read if sqlite else prices.unit_read)
        + meter.writes * (prices.row_written if sqlite else prices.unit_written)
    )
    return Cost(
        actor.label,
        actor.namespace.binding,
        sqlite,
        round(requests, 2),
        round(gb_s, 6),
        meter.reads,
        meter.writes,
        stored,
        usd,
        stored / _GIB * prices.gb_month,
    )


def stored_bytes(actor: "Actor") -> int:
    """Return how much an object keeps: its file, or what its rows would take in one."""
    path = actor.store.path
    if path is not None and path.exists():
        return path.stat().st_size
    return sum(len(key) + len(serialize(value)) for key, value in actor.store.kv.scan().items())


def units(values: list[Any]) -> int:
    """Return how many request units of 4 KB the values take, at least one each."""
    return sum(max(-(-len(serialize(v)) // limits.PRICES.unit_bytes), 1) for v in values)
