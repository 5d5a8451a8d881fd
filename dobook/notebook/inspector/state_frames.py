"""State that is looked at from outside, and differences between states, as DataFrames."""

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

from dobook.clock import format_time
from dobook.errors import StateDirectoryError
from dobook.notebook.core.display import count
from dobook.notebook.core.frame import TIME, Frame, make_frame
from dobook.notebook.inspector.object_frames import type_name
from dobook.storage.checking import StateReport
from dobook.storage.contents import Contents, Place
from dobook.storage.differences import Difference
from dobook.storage.state_reader import StateReader


def state_frame(state: StateReader, unique_key: str | None = None) -> Frame:
    """Return the objects in a state directory or snapshot, one row each, by class and name.

    Index: range. Columns: object (string, what `%storage --state` takes: the class's unique key and
    the name, or the id where no name is known), keys (Int64), tables (string, the names of the SQL
    tables), alarm (datetime64[ms, UTC], missing without one), bytes (Int64, about what is stored),
    problem (string, why a file cannot be read; else missing), id (string, 64 hex digits). No
    objects: same columns, no rows. `.attrs`: time (of the clock that was kept), path.
    """
    rows: list[tuple[Any, ...]] = []
    for place in sorted(state.places(unique_key), key=state.label):
        try:
            found = state.contents(place)
            tables = ", ".join(found.tables())
        except StateDirectoryError as error:
            rows.append((state.label(place), None, "", None, None, str(error), place.id))
            continue
        shown = (len(found.rows), tables, found.alarm_ms, found.size)
        rows.append((state.label(place), *shown, None, place.id))
    columns = {
        "object": "string",
        "keys": "Int64",
        "tables": "string",
        "alarm": TIME,
        "bytes": "Int64",
        "problem": "string",
        "id": "string",
    }
    hidden = ("id",) if any(row[5] for row in rows) else ("problem", "id")
    classes = len({row[0].partition("/")[0] for row in rows})
    caption = f"{state.path}: no objects"
    if rows:
        objects = count(len(rows), "object")
        caption = f"{state.path}: {objects} of {count(classes, 'class')}"
        if state.clock_ms is not None:
            caption += f", its clock at {format_time(state.clock_ms)}"
    return make_frame(
        columns, rows, caption, state.clock_ms or 0, path=str(state.path), hidden=hidden
    )


def contents_frame(found: Contents, label: str, prefix: str, now_ms: int) -> Frame:
    """Return what one object has stored, one row a key, ordered by key.

    Index: range. Columns: key (string), value (object, the value as Python has it), type (string,
    its Python type), bytes (Int64, the size of the stored value). No rows: same columns, empty.
    `.attrs`: object, time.
    """
    keys = found.keys(prefix)
    values = [found.value(key) for key in keys]
    rows = [
        (key, value, type_name(value), len(found.stored(key)))
        for key, value in zip(keys, values, strict=True)
    ]
    caption = f"{label}: {count(len(rows), 'key')}{f' beginning {prefix!r}' if prefix else ''}"
    if tables := found.tables():
        caption += f", {count(len(tables), 'SQL table')} ({', '.join(tables)})"
    if found.alarm_ms is not None:
        caption += f", alarm at {format_time(found.alarm_ms)}"
    columns = {"key": "string", "value": "object", "type": "string", "bytes": "Int64"}
    return make_frame(columns, rows, caption, now_ms, object=label)


def tables_frame(found: Contents, label: str, now_ms: int) -> Frame:
    """Return the SQL tables of an object, one row each.

    Index: range. Columns: table (string), rows (Int64), sql (string, what made it). No tables: same
    columns, no rows. `.attrs`: object, time.
    """
    rows = []
    with contextlib.closing(found.database()) as connection:
        for name in found.tables():
            quoted = '"' + name.replace('"', '""') + '"'
            ((sql,),) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,))
            rows.append(
                (name, connection.execute(f"SELECT count(*) FROM {quoted}").fetchone()[0], sql)
            )
    columns = {"table": "string", "rows": "Int64", "sql": "string"}
    caption = f"{label}: {count(len(rows), 'SQL table')}"
    return make_frame(columns, rows, caption, now_ms, object=label)


def classes_frame(state: StateReader) -> Frame:
    """Return the classes in a state directory or snapshot, one row each.

    Index: range. Columns: class (string, its unique key), objects (Int64). No classes: same
    columns, no rows. `.attrs`: time, path.
    """
    rows = [(key, len(state.places(key))) for key in state.unique_keys()]
    caption = f"{state.path}: {count(len(rows), 'class')}"
    columns = {"class": "string", "objects": "Int64"}
    return make_frame(columns, rows, caption, state.clock_ms or 0, path=str(state.path))


def alarms_of_frame(state: StateReader, places: Sequence[Place]) -> Frame:
    """Return the alarms in a state directory or snapshot, one row each, soonest first.

    Index: range. Columns: object (string), due (datetime64[ms, UTC]). No alarms: same columns, no
    rows. `.attrs`: time, path.
    """
    rows = []
    for place in places:
        with contextlib.suppress(StateDirectoryError):
            alarm_ms = state.contents(place).alarm_ms
            if alarm_ms is not None:
                rows.append((state.label(place), alarm_ms))
    rows.sort(key=lambda row: (row[1], row[0]))
    caption = f"{state.path}: {count(len(rows), 'alarm')}"
    columns = {"object": "string", "due": TIME}
    return make_frame(columns, rows, caption, state.clock_ms or 0, path=str(state.path))


def differences_frame(found: Iterable[Difference], here: str, there: str, now_ms: int) -> Frame:
    """Return how two states differ: one row a key, alarm, SQL row or part of the schema.

    Index: range. Columns: object (string), what (string: key, alarm, schema or "table NAME"), key
    (string: the key, the SQL row's primary key, or what is made), change (string: changed, only
    here or only there), here (object, what the first side has), there (object, what the second
    has). Nothing differs: same columns, no rows. `.attrs`: time, here, there.
    """
    rows = [
        (d.object, d.what, d.key, d.change, _shown(d, d.here), _shown(d, d.there)) for d in found
    ]
    columns = {
        "object": "string",
        "what": "string",
        "key": "string",
        "change": "string",
        "here": "object",
        "there": "object",
    }
    sides = f"here: {here}, there: {there}"
    caption = f"{count(len(rows), 'difference')}; {sides}" if rows else f"no difference; {sides}"
    return make_frame(columns, rows, caption, now_ms, here=here, there=there)


def _shown(difference: Difference, value: Any) -> Any:
    return format_time(value) if difference.what == "alarm" and value is not None else value


def report_frame(report: StateReport, now_ms: int) -> Frame:
    """Return what a check of a state directory has found, one row a finding, damage first.

    Index: range. Columns, all string: level ("damage", "note" or "ok"), place (the file, as seen
    from the directory), what, then (what happens when the directory is opened, or what to do; may
    be empty). Nothing found: no rows, the same columns. `.attrs`: time, path, objects, classes,
    damage, notes, in_use.
    """
    rows = [(f.level, f.place, f.what, f.then) for f in report]
    columns = dict.fromkeys(("level", "place", "what", "then"), "string")
    facts = report.as_dict()
    kept = {key: facts[key] for key in ("path", "objects", "classes", "damage", "notes", "in_use")}
    return make_frame(columns, rows, f"{report.path}: {report.summary}", now_ms, **kept)
