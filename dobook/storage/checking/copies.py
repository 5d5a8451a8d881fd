"""Copies of database files, which are looked at in place of the files themselves.

SQLite cannot be asked about a database with a log without writing beside it. So each file is
copied first: into memory if it is small, and else into a temporary folder, so that memory stays
bounded whatever the size of a database.
"""

import contextlib
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dobook.errors import StateDirectoryError
from dobook.storage.blank import is_cut
from dobook.storage.connection import Connection, SqliteError, unusable, what_is_wrong
from dobook.storage.foreign import MAGIC
from dobook.storage.image import READS, bytes_of, from_image
from dobook.storage.sqlite_errors import malformed

IN_MEMORY_BYTES: Final = 4 * 1024 * 1024
STEPS_BETWEEN_LOOKS: Final = 100_000
LEAST_STEPS: Final = 20_000_000
STEPS_PER_BYTE: Final = 32


@contextlib.contextmanager
def copied(path: Path) -> Iterator[Connection]:
    """Open a copy of a database, which may be in use.

    Raises:
        StateDirectoryError: If it cannot be read, or is damaged.
    """
    wal = Path(f"{path}-wal")
    if _size(wal) or _size(path) > IN_MEMORY_BYTES:
        with tempfile.TemporaryDirectory(prefix="dobook-check-") as folder:
            copy = Path(folder) / "copy"
            _copy(path, wal, copy)
            try:
                connection = Connection(copy, power_safe=False, limited=False)
            except StateDirectoryError as error:
                raise StateDirectoryError(str(error).replace(str(copy), str(path))) from error
            with contextlib.closing(connection), _said(path):
                yield _bounded(connection, _size(path) + _size(wal))
        return
    with _said(path):
        connection = from_image(bytes_of(path), limited=False)
    with contextlib.closing(connection), _said(path):
        yield _bounded(connection, _size(path))


@contextlib.contextmanager
def _said(path: Path) -> Iterator[None]:
    """Convert errors of SQLite into a sentence about the file.

    Raises:
        StateDirectoryError: In place of them.
    """
    try:
        yield
    except SqliteError as error:
        raise unusable(path, error) from error
    except UnicodeDecodeError:
        damaged = malformed()
        raise unusable(path, damaged) from damaged


def _bounded(connection: Connection, size: int) -> Connection:
    """Make SQLite distrust a database's schema and pages, and stop where it takes absurdly long.

    A stranger's file may have a schema that computes for ever.
    """
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON"):
        connection.execute(f"PRAGMA {pragma}")
    looks_left = (LEAST_STEPS + STEPS_PER_BYTE * size) // STEPS_BETWEEN_LOOKS

    def look() -> bool:
        nonlocal looks_left
        looks_left -= 1
        return looks_left < 0

    connection.db.set_progress_handler(look, STEPS_BETWEEN_LOOKS)
    return connection


def _copy(path: Path, wal: Path, copy: Path) -> None:
    try:
        for _ in range(READS):
            before = _state(path), _state(wal)
            shutil.copyfile(path, copy)
            Path(f"{copy}-wal").unlink(missing_ok=True)
            if _size(wal):
                shutil.copyfile(wal, f"{copy}-wal")
            if before == (_state(path), _state(wal)):
                return
    except OSError as error:
        raise StateDirectoryError(f"{path} cannot be read ({error.strerror}).") from error
    raise StateDirectoryError(f"{path} is being written all the time. Try again later.")


def _size(path: Path) -> int:
    found = _state(path)
    return 0 if found is None else found[0]


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def flaw_of_file(path: Path) -> str | None:
    """Return why something is not a regular file that can be read; None if it is, or is missing."""
    try:
        mode = path.stat(follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"it cannot be looked at ({error.strerror})"
    if stat.S_ISLNK(mode):
        return "it is a symbolic link, which dobook does not follow"
    if not stat.S_ISREG(mode):
        return "it is a folder" if stat.S_ISDIR(mode) else "it is not a regular file"
    try:
        with path.open("rb"):
            return None
    except OSError as error:
        return f"it cannot be read ({error.strerror})"


def flaw_of_database(connection: Connection, path: Path) -> str | None:
    """Return what SQLite's own check finds wrong with a database; None if nothing is."""
    try:
        with path.open("rb") as file:
            head = file.read(20)
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if head.startswith(MAGIC) and any(version not in (1, 2) for version in head[18:]):
        return "its header names a version that does not exist"  # a copy in memory hides that
    try:
        found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)").fetchall()]
    except SqliteError as error:
        return what_is_wrong(path, error).replace(f"{path} ", "it ", 1)
    except UnicodeDecodeError:
        return "it is damaged"
    if found == ["ok"]:
        cut = is_cut(path) and not _size(Path(f"{path}-wal"))
        return "it ends in the middle of a page" if cut else None
    return "SQLite's check finds: " + "; ".join(found)[:300].replace("\n", " ")
