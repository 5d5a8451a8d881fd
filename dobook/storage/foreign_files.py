"""Reading and making files in places that strangers may have prepared.

A folder or file that somebody sent may have a symbolic link, a pipe or a device where a file is
expected. Following one would read, or write over, something else; opening a pipe would wait for
ever. So files are looked at before they are opened, opened with `O_NOFOLLOW`, and looked at again.
Only the last part of a path is checked: the folders on the way are the caller's own.
"""

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from dobook.errors import StateDirectoryError

MOST_BYTES: Final = 2 * 1024**3
"""The largest file that is read into memory."""

_CHUNK_BYTES: Final = 1024 * 1024
_READ: Final = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a pipe without a writer would wait
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_NEW: Final = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL  # also refuses a symbolic link, to wherever
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_JOURNAL_MAGIC: Final = bytes.fromhex("d9d505f920a163d7")
_KINDS: Final = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def kind_of(mode: int) -> str | None:
    """Return what is not a regular file in words ("a pipe"), None for a regular file.

    Args:
        mode: `st_mode` of `os.stat_result`.
    """
    if stat.S_ISREG(mode):
        return None
    return next((words for test, words in _KINDS if test(mode)), "not a file")


def check_regular(path: Path) -> os.stat_result:
    """Return what `lstat` says of a regular file.

    Raises:
        OSError: If there is nothing, or it may not be looked at.
        StateDirectoryError: If it is a symbolic link, a folder, a pipe or a device.
    """
    found = path.lstat()
    kind = kind_of(found.st_mode)
    if kind is not None:
        raise _refused(path, kind)
    return found


def check_database_files(path: Path) -> None:
    """Check that SQLite may open a database file; call it before, as opening acts at once.

    SQLite follows symbolic links, also those beside the file: a link called `-wal` has another file
    written over. And a `-journal` may name a further file, the super-journal of a transaction over
    several databases, which SQLite deletes once it has rolled back. dobook never makes one.

    Args:
        path: The database; it need not exist.

    Raises:
        StateDirectoryError: If it, or a file that SQLite keeps beside it, is not a regular file, or
            its journal names another file.

    Source: sqlite.org/fileformat2.html#the_rollback_journal, sqlite.org/tempfiles.html
    """
    for suffix in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(FileNotFoundError):
            check_regular(Path(f"{path}{suffix}"))
    journal = Path(f"{path}-journal")
    try:
        with open(os.open(journal, _READ), "rb") as file:  # noqa: PTH123
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - len(_JOURNAL_MAGIC)))
            names_another = file.read() == _JOURNAL_MAGIC
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateDirectoryError(f"{journal} cannot be read ({error.strerror}).") from error
    if names_another:
        raise StateDirectoryError(
            f"{journal} names another file, which SQLite would delete. dobook makes no such journal: "
            "do not use the directory if it is not your own; else move the journal away."
        )


def read_regular(path: Path, *, most: int = MOST_BYTES) -> bytes:
    """Return the bytes of a regular file, without following a symbolic link or waiting.

    Args:
        path: The file.
        most: How many bytes it may have.

    Raises:
        OSError: If it cannot be read.
        StateDirectoryError: If it is not a regular file, or too large.
    """
    check_regular(path)  # opening a device may do something already
    try:
        fd = os.open(path, _READ)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _refused(path, "a symbolic link") from None
        raise
    with open(fd, "rb", buffering=0) as file:  # noqa: PTH123 - it is open already
        found = os.fstat(fd)
        kind = kind_of(found.st_mode)
        if kind is not None:
            raise _refused(path, kind)
        if found.st_size > most:
            raise _too_large(path, most)
        parts = []
        left = most + 1  # it may grow while it is read
        while left and (part := file.read(min(left, max(found.st_size, _CHUNK_BYTES)))):
            parts.append(part)
            left -= len(part)
    if not left:
        raise _too_large(path, most)
    return b"".join(parts)


def create_file(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet; no symbolic link is followed.

    Raises:
        OSError: If it exists, or cannot be written; then nothing is left of it.
    """
    fd = os.open(path, _NEW, 0o666)
    try:
        with open(fd, "wb") as file:  # noqa: PTH123
            file.write(data)
            file.flush()
            os.fsync(fd)
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def replace_users_file(path: Path, data: bytes) -> None:
    """Write a file; one of that name is replaced once the new one is whole and on the disk.

    A symbolic link of that name is replaced too, and what it points to stays as it is.

    Raises:
        OSError: If it cannot be written; then what was there is there still.
    """
    beside = path.with_name(f".{secrets.token_hex(8)}.new")
    create_file(beside, data)
    try:
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def _refused(path: Path, kind: str) -> StateDirectoryError:
    return StateDirectoryError(
        f"{path} is {kind}, not a file, and is not opened. Give the file itself."
    )


def _too_large(path: Path, most: int) -> StateDirectoryError:
    return StateDirectoryError(f"{path} is larger than {most:,} bytes, which is too large to read.")
