"""`dobook.open_state`: looking at a state directory or a snapshot without a runtime."""

import contextlib
from pathlib import Path
from typing import Any

from dobook.notebook.core.frame import Frame
from dobook.notebook.inspector.object_frames import sql_frame
from dobook.notebook.inspector.sql_reader import Reader
from dobook.notebook.inspector.state_frames import (
    alarms_of_frame,
    classes_frame,
    contents_frame,
    differences_frame,
    state_frame,
    tables_frame,
)
from dobook.storage.connection import Connection
from dobook.storage.differences import differences, world_differences
from dobook.storage.sql.storage import SqlStorage
from dobook.storage.state_reader import StateReader


class _Copy:
    """A copy of an object's database, for reading."""

    unsafe_limits = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def connection(self) -> Connection:
        return self._connection

    def check(self) -> None:
        pass


class State:
    """What a state directory or a snapshot holds, as DataFrames. Nothing is written or locked.

    An object is given as `CLASS/name` or `CLASS/` and its id or the beginning of it; the class by its
    unique key (`my-worker-Counter`), its name or its binding.

    Args:
        path: A state directory of dobook's, wrangler's or Miniflare's, or a snapshot file. It may
            be in use meanwhile.

    Raises:
        StateDirectoryError: If there is nothing to read.

    Example:
        >>> import dobook, tempfile
        >>> class Counter:
        ...     def __init__(self, ctx, env):
        ...         self.storage = ctx.storage
        ...     async def set(self, n):
        ...         await self.storage.put("n", n)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with dobook.Runtime(folder) as runtime:
        ...         runtime.run(runtime.register(Counter).getByName("ada").set(7))
        ...     dobook.open_state(folder).storage("Counter/ada")
        dobook-Counter/ada: 1 key
          key value type bytes
        0   n     7  int     4
    """

    def __init__(self, path: str | Path) -> None:
        self.reader = StateReader(path)
        self._now_ms = self.reader.clock_ms or 0

    @property
    def path(self) -> Path:
        """What was opened."""
        return self.reader.path

    def classes(self) -> Frame:
        """Return the classes, one row each: class (its unique key), objects."""
        return classes_frame(self.reader)

    def objects(self, which: str | None = None) -> Frame:
        """Return the objects, one row each: object, keys, tables, alarm, bytes, problem, id.

        Args:
            which: Only those of a class.
        """
        return state_frame(self.reader, None if which is None else self.reader.find_class(which))

    def storage(self, which: str, *, prefix: str = "") -> Frame:
        """Return an object's rows: key, value, type, bytes.

        Args:
            which: The object.
            prefix: Only keys that begin so.
        """
        place = self.reader.find(which)
        label = self.reader.label(place)
        return contents_frame(self.reader.contents(place), label, prefix, self._now_ms)

    def tables(self, which: str) -> Frame:
        """Return an object's SQL tables: table, rows, sql."""
        place = self.reader.find(which)
        return tables_frame(self.reader.contents(place), self.reader.label(place), self._now_ms)

    def sql(self, which: str, query: str, *bindings: Any) -> Frame:
        """Return what a query gives on an object's SQL database; nothing can be written.

        Raises:
            PlatformError: If SQLite refuses it.
        """
        place = self.reader.find(which)
        with contextlib.closing(self.reader.contents(place).database()) as connection:
            cursor = SqlStorage(Reader(_Copy(connection))).exec(query, *bindings)
            rows = list(cursor.raw())
            return sql_frame(cursor.columnNames, rows, self.reader.label(place), self._now_ms)

    def alarms(self) -> Frame:
        """Return the alarms that are set: object, due."""
        return alarms_of_frame(self.reader, self.reader.places())

    def diff(self, other: "State", which: str | None = None) -> Frame:
        """Return in what another state differs: object, what, key, change, here, there.

        Args:
            other: The other state.
            which: One object; by default all of them.
        """
        here, there = str(self.path), str(other.path)
        if which is None:
            found = world_differences(self.reader.world(), other.reader.world())
        else:
            place, its = self.reader.find(which), other.reader.find(which)
            found = differences(
                self.reader.contents(place), other.reader.contents(its), self.reader.label(place)
            )
        return differences_frame(found, here, there, self._now_ms)

    def __repr__(self) -> str:
        return repr(self.objects())

    def _repr_html_(self) -> str:
        return self.objects()._repr_html_()


def open_state(path: str | Path) -> State:
    """Open a state directory or a snapshot to look at it, without a runtime.

    Args:
        path: What `Runtime(path)`, `wrangler dev --persist-to`, Miniflare or `runtime.snapshot`
            wrote. It may be in use meanwhile.

    Returns:
        A `State`, whose methods return DataFrames.

    Raises:
        StateDirectoryError: If there is nothing to read.
    """
    return State(path)
