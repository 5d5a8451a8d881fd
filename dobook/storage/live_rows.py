"""The rows of an iterator over keys and values, while they are being written.

The real engine iterates with a SQLite cursor on `_cf_KV`. What such a cursor meets after a write
depends on how SQLite has made it: a row replaced by one of the same size is met again, a row that
was moved is not. Nothing but SQLite knows that exactly, so an iterator whose rows are written gets
a small database of its own, with the rows that are left, and follows the real cursor there.

Source: cloudflare/workerd src/workerd/util/sqlite-kv.h (`ListCursor`)
"""

from collections.abc import Iterable
from typing import Final

from dobook.storage import schema
from dobook.storage.connection import Connection

# Python's cursor is always one row ahead. Each row comes twice, so that the step onto the next one
# is made when it is asked for.
_TWICE: Final = "SELECT key, value FROM _cf_KV CROSS JOIN (SELECT 1 UNION ALL SELECT 2) WHERE "


class LiveRows:
    """A cursor on a copy of the rows that are left.

    Args:
        rows: The row the iterator is at, and those after it.
        at: The key of the first.
        bound: Where the iteration ends: before this key; when it goes backwards, with it.
        reverse: Whether it goes backwards.
    """

    def __init__(
        self, rows: Iterable[tuple[str, bytes]], at: str, bound: str | None, *, reverse: bool
    ) -> None:
        self._database = Connection(None, limited=False)
        self._database.execute(schema.CREATE_KV)
        self._database.executemany(schema.PUT, rows)
        self._database.begin()
        condition = "key <= ?" if reverse else "key >= ?"
        if bound is not None:
            condition += " AND key >= ?" if reverse else " AND key < ?"
        order = " ORDER BY key DESC" if reverse else " ORDER BY key"
        bindings = (at,) if bound is None else (at, bound)
        self._cursor = self._database.execute(_TWICE + condition + order, bindings)
        self._cursor.fetchone()

    def next(self) -> tuple[str, bytes] | None:
        """Return the next row; None after the last one."""
        if self._cursor.fetchone() is None:
            return None
        row: tuple[str, bytes] | None = self._cursor.fetchone()
        return row

    def put(self, key: str, value: bytes) -> None:
        """Follow a write."""
        self._database.execute(schema.PUT, (key, value))

    def delete(self, key: str) -> None:
        """Follow a removal."""
        self._database.execute(schema.DELETE, (key,))

    def close(self) -> None:
        """Release the database. Calling this twice is fine."""
        if not self._database.closed:
            self._cursor.close()
            self._database.close()

    def __del__(self) -> None:
        if hasattr(self, "_cursor"):
            self.close()
