"""What SQLite's errors mean, and the platform's words for them.

With `connection` the only file that imports `sqlite3`.
Source: cloudflare/workerd src/workerd/util/sqlite.c++ (`dbErrorMessage`)
"""

import sqlite3
from typing import Final

SqliteError = sqlite3.Error
"""Base class of what a statement raises; `error_text` gives it the platform's wording."""
STORAGE_ERRORS: Final = (sqlite3.Error, OSError, MemoryError)
"""What using a file raises where the disk refuses. Python raises MemoryError for SQLITE_NOMEM."""
SqliteTooBigError = sqlite3.DataError
"""What a text or blob beyond SQLite's limit raises."""
# The codes count up from 1 in this order: sqlite.org/rescode.html
PRIMARY_NAMES: Final = """
    ERROR INTERNAL PERM ABORT BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT NOTFOUND FULL
    CANTOPEN PROTOCOL EMPTY SCHEMA TOOBIG CONSTRAINT MISMATCH MISUSE NOLFS AUTH FORMAT RANGE NOTADB
    """
PRIMARY_CODES: Final = dict(enumerate((f"SQLITE_{n}" for n in PRIMARY_NAMES.split()), start=1))
# Extended codes whose names Python's module does not know.
OTHER_NAMES: Final = {3091: "SQLITE_CONSTRAINT_DATATYPE"}
SCHEMA_CHANGED: Final = "database schema has changed"
# SQLite itself rolls the whole transaction back when one of these happens inside it.
# sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction
CRITICAL_CODES: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
    }
)
OPEN_REASONS: Final = {
    sqlite3.SQLITE_NOTADB: "is not a SQLite database",
    sqlite3.SQLITE_CORRUPT: "is damaged",
    sqlite3.SQLITE_BUSY: "is in use by another program",
    sqlite3.SQLITE_LOCKED: "is in use by another program",
    sqlite3.SQLITE_READONLY: "cannot be written",
    sqlite3.SQLITE_PERM: "cannot be written",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: the directory is missing or not accessible",
    sqlite3.SQLITE_FULL: "cannot be written: the disk is full",
}


def primary_code(error: sqlite3.Error) -> int | None:
    """Return the primary SQLite result code of an error, None for errors of the Python module."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def is_critical(error: BaseException) -> bool:
    """Return whether SQLite may have rolled the transaction back because of the error."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, sqlite3.Error) and primary_code(error) in CRITICAL_CODES


def is_interrupt(error: BaseException) -> bool:
    """Return whether an error is that somebody stopped the statement."""
    return isinstance(error, sqlite3.Error) and primary_code(error) == sqlite3.SQLITE_INTERRUPT


def is_damage(error: BaseException) -> bool:
    """Return whether an error, or its cause, is that a file is damaged or not a database."""
    found = error if isinstance(error, sqlite3.Error) else error.__cause__
    if not isinstance(found, sqlite3.Error):
        return False
    if primary_code(found) is None:  # Python's module: a text in the file is not UTF-8
        return "decode" in str(found)
    return primary_code(found) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def malformed() -> sqlite3.DatabaseError:
    """Return SQLite's error of a damaged file, for what SQLite itself lets pass."""
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    error.sqlite_errorname = "SQLITE_CORRUPT"
    return error


def is_constraint(error: BaseException) -> bool:
    """Return whether an error is that a constraint was violated."""
    return isinstance(error, sqlite3.IntegrityError)


def error_text(error: BaseException) -> str:
    """Return an error's text; one of SQLite's as the platform words it.

    Example:
        >>> db = sqlite3.connect(":memory:")
        >>> try:
        ...     db.execute("SELECT * FROM nowhere")
        ... except sqlite3.Error as error:
        ...     print(error_text(error))
        no such table: nowhere: SQLITE_ERROR
        >>> db.close()

    Source: cloudflare/workerd src/workerd/util/sqlite.c++ (`dbErrorMessage`)
    """
    if isinstance(error, MemoryError):
        return str(error) or "out of memory: SQLITE_NOMEM"
    code = getattr(error, "sqlite_errorcode", None)
    if not isinstance(code, int):
        return str(error)
    if code == sqlite3.SQLITE_SCHEMA and str(error) != SCHEMA_CHANGED:
        code = sqlite3.SQLITE_ERROR  # SQLITE_SCHEMA is left over from SQLite's own retry
    name = PRIMARY_CODES.get(code & 0xFF, f"SQLITE_UNKNOWN_ERROR_CODE({code & 0xFF})")
    text = f"{error}: {name}"
    extended = OTHER_NAMES.get(code, getattr(error, "sqlite_errorname", "unknown"))
    if code > 0xFF and extended != "unknown":
        text += f" (extended: {extended})"
    return text
