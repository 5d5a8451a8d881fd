"""What objects have stored, at one instant: taken from stores, put into stores, compared.

`Contents` is one object, `World` all of them with the clock. Values are frozen, so keeping them
costs references, not copies; SQL databases are bytes.
"""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dobook.codec import deserialize, freeze, serialize, thaw
from dobook.errors import CodecError, UsageError
from dobook.storage import schema
from dobook.storage.connection import Connection
from dobook.storage.image import from_image, harden, image_of
from dobook.storage.kv import ALARM, DELETED, KV, MISSING, Encoded

if TYPE_CHECKING:
    from dobook.storage.store import ObjectStore

# What the user has made, ordered such that each can be dropped or made.
USER_OBJECTS: Final = (
    "SELECT type, name, sql FROM sqlite_master WHERE type IN ('table', 'view', 'trigger', 'index') "
    "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' "
    "ORDER BY type = 'table' DESC, name"
)


class Place(NamedTuple):
    """Which object: its class's unique key and its id, 64 hex digits."""

    unique_key: str
    id: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What one object has stored.

    Attributes:
        rows: Frozen values, or stored bytes (`Encoded`), by key, in any order.
        alarm_ms: Its alarm in ms since 1970, None without one.
        image: Its SQL database as bytes; None if it has no tables of its own.
        name: The name its id was made from, if that is known.
        retries: How many runs of the alarm have failed.
        runs_ms: When the alarm is tried again, if that is not when it was set to run.
    """

    rows: Mapping[str, Any] = field(default_factory=dict)
    alarm_ms: int | None = None
    image: bytes | None = None
    name: str | None = None
    retries: int = 0
    runs_ms: int | None = None

    def value(self, key: str) -> Any:
        """Return a value as Python has it; bytes that cannot be read are given as they are.

        Raises:
            KeyError: If there is no such key.
        """
        value = self.rows[key]
        if type(value) is not Encoded:
            return thaw(value)
        try:
            return thaw(freeze(deserialize(value)))
        except CodecError:
            return bytes(value)

    def stored(self, key: str) -> bytes:
        """Return a value as it is stored."""
        value = self.rows[key]
        return bytes(value) if type(value) is Encoded else serialize(value)

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that begin so, in order."""
        return sorted(key for key in self.rows if key.startswith(prefix))

    @property
    def size(self) -> int:
        """About how many bytes there are."""
        rows = sum(len(key.encode("utf-8", "replace")) + len(self.stored(key)) for key in self.rows)
        return rows + (0 if self.image is None else len(self.image))

    def database(self) -> Connection:
        """Return a copy of the SQL database for reading, to be closed by the caller."""
        connection = Connection(None) if self.image is None else from_image(self.image)
        harden(connection)
        return connection

    def tables(self) -> list[str]:
        """Return the names of the SQL tables."""
        if self.image is None:
            return []
        with contextlib.closing(self.database()) as connection:
            return [name for kind, name, _ in connection.execute(USER_OBJECTS) if kind == "table"]


@dataclass(frozen=True, slots=True)
class ClassRecord:
    """A class of objects, as it was registered."""

    unique_key: str
    binding: str
    class_name: str
    sqlite: bool


@dataclass(frozen=True, slots=True)
class World:
    """All objects of a runtime, and what another runtime needs to continue from there.

    Attributes:
        objects: What each has stored.
        classes: The classes that were registered, in that order.
        clock_ms: The time on the runtime's clock, in ms since 1970.
        settings: `seed`, `worker`, `unsafe_limits`, `history_ms`, and `session`: how many runtimes
                have continued from one another.
        notes: What deployments keep beside the objects.
    """

    objects: dict[Place, Contents]
    classes: list[ClassRecord]
    clock_ms: int
    settings: dict[str, Any]
    notes: dict[str, Any] = field(default_factory=dict)

    def labels(self) -> dict[Place, str]:
        """Return how people call the objects: `BINDING/name`, or `BINDING/` and the id."""
        bindings = {c.unique_key: c.binding for c in self.classes}
        return {
            place: f"{bindings.get(place.unique_key, place.unique_key)}/{found.name or place.id}"
            for place, found in self.objects.items()
        }


def contents_of(store: "ObjectStore", name: str | None = None) -> Contents:
    """Return what an object has committed.

    Raises:
        UsageError: If its SQL database has changes that are not committed.
    """
    rows, alarm_ms = committed_rows(store.kv)
    if store.in_sql_transaction:
        raise UsageError(
            f"an object is in the middle of a transaction with SQL ({name or store.place[1]}). Let "
            "it end first: runtime.settle(), or runtime.advance(...) if it waits for a timer."
        )
    path = store.path
    known = store.is_open or store.image is not None or (path is not None and path.exists())
    return Contents(rows, alarm_ms, user_image(store.connection()) if known else None, name)


def put_into(store: "ObjectStore", contents: Contents) -> None:
    """Put some contents into a new store in memory."""
    store.kv.rows = dict(contents.rows)
    store.kv.alarm_ms = contents.alarm_ms
    store.image = contents.image
    store.was_new = False


def committed_rows(kv: KV) -> tuple[dict[str, Any], int | None]:
    """Return an object's rows and its alarm as they were after the last commit."""
    logs = [kv.undo, *reversed(kv.layers)]
    rows: dict[str, Any]
    if kv.source is not None:
        rows = {key: Encoded(data) for key, data in kv.source.read_rows("", None, reverse=False)}
        for log in logs:  # what it had before is in the file still
            if ALARM in log:
                return rows, _first_alarm(logs)
        return rows, kv.alarm_ms
    rows = dict(kv.rows)
    for log in logs:
        for key, old in log.items():
            if key is ALARM:
                continue
            if old is MISSING or old is DELETED:
                rows.pop(key, None)
            else:
                rows[key] = old
    alarm_ms = _first_alarm(logs) if any(ALARM in log for log in logs) else kv.alarm_ms
    return rows, alarm_ms


def _first_alarm(logs: Iterable[dict[str, Any]]) -> int | None:
    found: int | None = None
    for log in logs:
        if ALARM in log:
            found = log[ALARM]
    return found


def user_image(connection: Connection) -> bytes | None:
    """Return an object's SQL database without the engine's rows; None if it has nothing else."""
    if connection.execute(USER_OBJECTS).fetchone() is None:
        return None
    with contextlib.closing(from_image(image_of(connection))) as copy:
        names = {name for (name,) in copy.execute("SELECT name FROM sqlite_master").fetchall()}
        for table in schema.TABLES:
            if table in names:
                copy.execute(f"DELETE FROM {table}")
        return image_of(copy)


def write_contents(connection: Connection, contents: Contents) -> None:
    """Put an object's rows and alarm into its database, beside its SQL tables."""
    if contents.rows:
        connection.execute(schema.CREATE_KV)
        rows = [(key, contents.stored(key)) for key in contents.rows]
        connection.executemany(schema.PUT, rows)
    if contents.alarm_ms is not None:
        connection.execute(schema.CREATE_METADATA)
        connection.execute(schema.PUT_ALARM, (contents.alarm_ms * schema.NS_PER_MS,))
