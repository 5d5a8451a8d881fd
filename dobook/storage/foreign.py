"""Databases that a stranger may have made: opened, checked and read within bounds.

A SQLite file carries a schema, and a schema can compute: a view in the place of a table never ends,
a trigger runs when a row is written, damaged pages lead round in circles. So before anything is
read from a table, the schema has to be the one that dobook or the real engine writes, and reading
stops when it takes more steps, rows or bytes than a file of that size can have.

What an object's own code keeps in SQL may be anything: it is opened by the rules of objects
(`dobook.storage.sql.rules`), and only the engine's own tables in it are checked here.

Source: sqlite.org/security.html
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from dobook.errors import StateDirectoryError
from dobook.storage.connection import SqliteError, error_text, is_damage
from dobook.storage.image import from_image, harden
from dobook.storage.rows import engine_tables

MAGIC: Final = b"SQLite format 3\0"

_LEAST_BYTES: Final = 512  # the smallest page
_STEPS_BETWEEN_LOOKS: Final = 10_000
_LEAST_STEPS: Final = 2_000_000
_STEPS_PER_BYTE: Final = 8
_ROW_BYTES: Final = 4  # the smallest row in SQLite's format: a pointer and two sizes
_IF_NOT_EXISTS: Final = re.compile(r"^CREATE TABLE IF NOT EXISTS ")


class ForeignDatabase:
    """A copy in memory of a database that a stranger may have made. Nothing is written to it.

    Args:
        data: The file's bytes.
        source: What to call it in errors: its path.

    Raises:
        StateDirectoryError: If it is not a database, or damaged.
    """

    def __init__(self, data: bytes, source: object) -> None:
        self._source = source
        self._bytes_left = len(data)
        self._looks_left = (_LEAST_STEPS + _STEPS_PER_BYTE * len(data)) // _STEPS_BETWEEN_LOOKS
        if len(data) < _LEAST_BYTES or not data.startswith(MAGIC):
            raise self.refused("it is not a SQLite database")
        with self._errors():
            self.connection = from_image(data, limited=False)
            try:
                harden(self.connection)
                self.connection.db.set_progress_handler(self._look, _STEPS_BETWEEN_LOOKS)
                self._schema = self.connection.execute(
                    "SELECT type, name, tbl_name, sql FROM sqlite_master"
                ).fetchmany(len(data) // _ROW_BYTES)
            except BaseException:
                self.connection.close()
                raise

    def close(self) -> None:
        """Close the copy."""
        self.connection.close()

    def check_schema(self, tables: Mapping[str, str], *, others: bool = False) -> None:
        """Check that the database has exactly these tables and nothing else.

        Args:
            tables: The statement that creates each, by name.
            others: Whether there may be more, which are then not to be read.

        Raises:
            StateDirectoryError: If there is anything else, or one is missing or damaged.
        """
        missing = dict(tables)
        for kind, name, table, sql in self._schema:
            if others and name not in tables and table not in tables:
                continue
            if kind == "index" and sql is None and table in tables:
                continue  # of a primary key or UNIQUE
            if kind != "table" or name not in tables:
                raise self.refused(f"it has the {kind} {_shown(name)}, which does not belong there")
            if sql != stored_form(tables[name]):
                raise self.refused(f"its table {_shown(name)} is not the one that dobook makes")
            missing.pop(name, None)
        for name in missing:
            raise self.refused(f"its table {name!r} is missing")
        for name in tables:
            self._check_pages(name)

    def check_engine_tables(self) -> None:
        """Check that the engine's own tables (`_cf_…`) are plain tables with nothing attached.

        Raises:
            StateDirectoryError: If one is a view, has triggers, indexes or generated columns, or
                is damaged.
        """
        with self._errors():
            try:
                names = engine_tables(self.connection)
            except StateDirectoryError as error:
                what = (
                    str(error).partition(". It is left")[0].removeprefix("the object's database ")
                )
                raise self.refused(f"it {what}") from None
        for name in sorted(names):
            self._check_pages(name)

    def rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query on tables that have been checked.

        Raises:
            StateDirectoryError: If there are more of them than the file can hold, or it is
                damaged.
        """
        with self._errors():
            for row in self.connection.execute(query):
                self._bytes_left -= _ROW_BYTES + sum(
                    len(value) for value in row if isinstance(value, (str, bytes))
                )
                if self._bytes_left < 0:
                    raise self.refused("its tables have more in them than fits into the file")
                yield row

    def refused(self, reason: str) -> StateDirectoryError:
        """Return the error for a file that cannot be used.

        Args:
            reason: What is wrong with it, as the end of a sentence.
        """
        return StateDirectoryError(
            f"{self._source} is refused: {reason}. Nothing of it was used. If dobook wrote it, it "
            "is damaged: take a copy that is whole."
        )

    def _check_pages(self, table: str) -> None:
        """Let SQLite walk each page of a table once: damaged ones may lead round in circles."""
        quoted = table.replace('"', '""')
        with self._errors():
            found = self.connection.execute(f'PRAGMA quick_check("{quoted}")').fetchone()
        if found is None or found[0] != "ok":
            raise self.refused(f"it is damaged ({_shown(found and found[0])})")

    def _look(self) -> int:
        self._looks_left -= 1
        return self._looks_left < 0  # anything but 0 makes SQLite stop

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SqliteError as error:
            if self._looks_left < 0:
                raise self.refused("reading it does not end") from error
            damaged = "it is damaged" if is_damage(error) else "it cannot be read"
            raise self.refused(f"{damaged} ({error_text(error)})") from error
        except (UnicodeError, OverflowError) as error:
            raise self.refused(f"it cannot be read ({error})") from error


def check_image(image: bytes, source: object) -> None:
    """Check an object's own SQL database, which a stranger may have made.

    Raises:
        StateDirectoryError: If it is not a database, its schema is damaged, or the engine's own
            tables in it are not plain tables.
    """
    with contextlib.closing(ForeignDatabase(image, source)) as database:
        database.check_engine_tables()


def stored_form(statement: str) -> str:
    """Return a CREATE TABLE statement as SQLite keeps it."""
    return _IF_NOT_EXISTS.sub("CREATE TABLE ", statement)


def _shown(value: object) -> str:
    text = str(value)
    return repr(text) if len(text) <= 80 else f"{text[:80]!r}…"
