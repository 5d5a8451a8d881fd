"""What differs between two objects' contents, or between two worlds: keys, SQL rows, alarms."""

import contextlib
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from dobook.storage.connection import Connection
from dobook.storage.contents import USER_OBJECTS, Contents, World

ABSENT: Final = None


class Difference(NamedTuple):
    """One thing in which two sides differ.

    Attributes:
        object: How people call the object.
        what: "key", "alarm", "schema" or "table NAME".
        key: The key; of an SQL row what identifies it; of the schema what is made.
        change: "only here", "only there" or "changed".
        here: What the first side has, None if nothing.
        there: What the second side has, None if nothing.
    """

    object: str
    what: str
    key: str
    change: str
    here: Any
    there: Any


def differences(here: Contents, there: Contents, label: str) -> Iterator[Difference]:
    """Yield what differs between two states of an object, or between two objects."""
    for key in sorted({*here.rows, *there.rows}):
        if key in here.rows and key in there.rows:
            if here.rows[key] is there.rows[key] or here.stored(key) == there.stored(key):
                continue
            yield Difference(label, "key", key, "changed", here.value(key), there.value(key))
        elif key in here.rows:
            yield Difference(label, "key", key, "only here", here.value(key), ABSENT)
        else:
            yield Difference(label, "key", key, "only there", ABSENT, there.value(key))
    if here.alarm_ms != there.alarm_ms:
        change = _change(here.alarm_ms, there.alarm_ms)
        yield Difference(label, "alarm", "", change, here.alarm_ms, there.alarm_ms)
    if here.image != there.image:
        with (
            contextlib.closing(here.database()) as one,
            contextlib.closing(there.database()) as other,
        ):
            yield from _sql(one, other, label)


def world_differences(here: World, there: World) -> Iterator[Difference]:
    """Yield what differs between the objects of two worlds, by object."""
    labels = there.labels() | here.labels()
    nothing = Contents()
    for place in sorted(labels, key=lambda place: labels[place]):
        yield from differences(
            here.objects.get(place, nothing), there.objects.get(place, nothing), labels[place]
        )


def _change(here: object, there: object) -> str:
    if here is None:
        return "only there"
    return "only here" if there is None else "changed"


def _sql(here: Connection, there: Connection, label: str) -> Iterator[Difference]:
    one, other = _schema(here), _schema(there)
    for kind_and_name in sorted({*one, *other}):
        sql, other_sql = one.get(kind_and_name), other.get(kind_and_name)
        if sql != other_sql:
            change = _change(sql, other_sql)
            yield Difference(label, "schema", " ".join(kind_and_name), change, sql, other_sql)
    for kind, name in sorted({*one, *other}):
        if kind == "table":
            rows = _rows(here, name) if (kind, name) in one else {}
            others = _rows(there, name) if (kind, name) in other else {}
            for key in sorted({*rows, *others}, key=_order):
                row, other_row = rows.get(key), others.get(key)
                if row != other_row:
                    shown = ", ".join(map(str, key))
                    change = _change(row, other_row)
                    yield Difference(label, f"table {name}", shown, change, row, other_row)


def _schema(connection: Connection) -> dict[tuple[str, str], str | None]:
    found = connection.execute(USER_OBJECTS).fetchall()
    virtual = [f"{name}_" for _, name, sql in found if sql and sql[:14].upper() == "CREATE VIRTUAL"]
    # What a virtual table keeps its own data in says nothing more than it does.
    return {(kind, name): sql for kind, name, sql in found if not name.startswith(tuple(virtual))}


def _rows(connection: Connection, table: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return a table's rows by their primary key; by what they hold, and how often, without one."""
    quoted = '"' + table.replace('"', '""') + '"'
    columns = connection.execute(f"PRAGMA table_info({quoted})").fetchall()
    names = [column[1] for column in columns]
    primary = [i for _, i in sorted((c[5], i) for i, c in enumerate(columns) if c[5])]
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in connection.execute(f"SELECT * FROM {quoted}"):
        key = tuple(row[i] for i in primary) if primary else (*row,)
        if not primary:
            count = 1
            while (*key, f"#{count}") in rows:
                count += 1
            key = (*key, f"#{count}") if count > 1 or key in rows else key
        rows[key] = dict(zip(names, row, strict=True))
    return rows


def _order(key: tuple[Any, ...]) -> list[tuple[int, Any]]:
    """Return what values of any types are ordered by: as SQLite does, type by type."""
    ranks = {type(None): 0, int: 1, float: 1, str: 2, bytes: 3}
    return [(ranks.get(type(v), 4), 0 if v is None else v) for v in key]
