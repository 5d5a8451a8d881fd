"""Texts of several statements that have run before, and what their first run has left open."""

from typing import Any, Final

from dobook.errors import PlatformError
from dobook.storage.connection import SqliteCursor, SqliteError

AT_ONCE: Final = "A SQL prepared statement can only be executed once at a time."


class Opened:
    """A statement that another one follows in the same text, after its first step.

    The real engine runs it when it prepares the text, forgets its rows and leaves it where it is.
    So a statement that gave a row stays open, with a lock on its tables, until the text is run
    again: that run fails, which resets it.

    Source: cloudflare/workerd src/workerd/util/sqlite.c++ (`prepareSql`, `Query::checkRequirements`)
    """

    __slots__ = ("_cursor", "unfinished")

    def __init__(self, cursor: SqliteCursor, *, returns: bool) -> None:
        self._cursor = cursor
        self.unfinished = returns  # rows of RETURNING, which forbid the commit

    def close(self) -> bool:
        """Reset it; returns whether it was open."""
        if self.unfinished:
            self.unfinished = False
            return True
        try:
            return self._cursor.fetchone() is not None
        except SqliteError:  # it was closed with all others, or its tables are gone
            return False
        finally:
            self._cursor.close()


class Prepared:
    """A text of several statements that has run before."""

    __slots__ = ("cursor", "opened")

    def __init__(self) -> None:
        self.opened: list[Opened | None] = []  # of all statements but the last
        self.cursor: Any = None  # the latest one of the last statement

    @property
    def in_use(self) -> bool:
        """Whether the cursor of the last statement is still being read."""
        return self.cursor is not None and not self.cursor.over

    def reset(self, position: int) -> None:
        """Reset what the first run has left open of a statement.

        Raises:
            PlatformError: If that was open until now.
        """
        opened = self.opened[position]
        if opened is not None and opened.close():
            raise PlatformError(AT_ONCE)

    def close(self) -> None:
        """Close all opened statements."""
        for opened in self.opened:
            if opened is not None:
                opened.close()
