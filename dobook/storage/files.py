"""All file work of a state directory but SQLite's own goes through here.

`System` has the calls that change a disk, or can fail on one, and nothing else. A test puts another
in its place (`system = ...`): one that records every call, refuses the n-th, or keeps what a power
cut would leave. SQLite's calls are recorded beside it, by a VFS.

Two facts about file systems shape this module. A file's name is an entry in its folder: after a
power cut the entry may be missing, although the file's contents were synced, until the folder is
synced too. And what was written and not synced may come back in any order, and torn within a write.
Source: man7.org/linux/man-pages/man2/fsync.2.html, "All File Systems Are Not Created Equal"
(Pillai et al., OSDI 2014)
"""

import contextlib
import os
from pathlib import Path
from typing import Final

from dobook.errors import StateDirectoryError
from dobook.storage.foreign_files import check_regular

NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
BINARY: Final = getattr(os, "O_BINARY", 0)  # Windows translates line ends without it
NEW_SUFFIX: Final = ".new"
DAMAGED_SUFFIX: Final = ".damaged"


class System:
    """The operating system's file calls. All raise OSError."""

    def open(self, path: str, flags: int) -> int:
        """Open a file that is not a symbolic link; returns its descriptor."""
        return os.open(path, flags | NO_FOLLOW | BINARY, 0o644)

    def close(self, fd: int) -> None:
        """Close a descriptor."""
        os.close(fd)

    def read(self, fd: int, size: int, offset: int) -> bytes:
        """Read at most `size` bytes from an offset; nothing at the end of the file."""
        os.lseek(fd, offset, os.SEEK_SET)
        return os.read(fd, size)

    def write(self, fd: int, data: bytes, offset: int) -> int:
        """Write at an offset; returns how many bytes were taken, perhaps not all."""
        os.lseek(fd, offset, os.SEEK_SET)
        return os.write(fd, data)

    def truncate(self, fd: int, size: int) -> None:
        """Cut a file, or extend it with zeros."""
        os.ftruncate(fd, size)

    def size(self, fd: int) -> int:
        """Return a file's size in bytes."""
        return os.fstat(fd).st_size

    def sync(self, fd: int) -> None:
        """Wait until the disk has a file's contents and size."""
        if hasattr(os, "fdatasync"):
            os.fdatasync(fd)
        else:
            os.fsync(fd)

    def sync_folder(self, path: str) -> None:
        """Wait until the disk has the entries of a folder."""
        if os.name == "nt":
            return  # Windows has no such call; NTFS journals its folders
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def rename(self, source: str, target: str) -> None:
        """Give a file another name, replacing a file of that name."""
        os.replace(source, target)  # noqa: PTH105

    def unlink(self, path: str) -> None:
        """Delete a file."""
        os.unlink(path)  # noqa: PTH108

    def rmdir(self, path: str) -> None:
        """Delete an empty folder."""
        os.rmdir(path)  # noqa: PTH106

    def mkdir(self, path: str) -> None:
        """Make a folder."""
        os.mkdir(path)  # noqa: PTH102


system = System()


def exists(path: str | Path) -> bool:
    """Return whether there is something of that name, a broken symbolic link included."""
    return os.path.lexists(path)


def size_of_file(path: str | Path) -> int:
    """Return the size of a file in bytes, 0 for a missing one."""
    try:
        return os.stat(path, follow_symlinks=False).st_size  # noqa: PTH116
    except FileNotFoundError:
        return 0


def read_file(path: str | Path) -> bytes:
    """Return the contents of a file.

    Raises:
        OSError: If it cannot be read, or is a symbolic link.
    """
    check_regular(Path(path))  # a pipe would wait for ever
    fd = system.open(str(path), os.O_RDONLY)
    try:
        parts, position = [], 0
        while part := system.read(fd, 1 << 24, position):
            parts.append(part)
            position += len(part)
        return b"".join(parts)
    finally:
        system.close(fd)


def write_at(fd: int, data: bytes, offset: int) -> None:
    """Write all of `data` at an offset, in as many calls as the system wants.

    Raises:
        OSError: If the disk refuses; some of it may have been written.
    """
    view = memoryview(data)
    while view:
        taken = system.write(fd, bytes(view) if len(view) < len(data) else data, offset)
        offset += taken
        view = view[taken:]


def replace_atomically(path: str | Path, data: bytes, *, durable: bool) -> None:
    """Write a whole file under another name, then rename it: nobody ever sees half of it.

    Args:
        path: The file; what was there is replaced.
        data: Its contents.
        durable: Whether to wait for the disk: for the contents before the name can point to them,
            and for the name.

    Raises:
        OSError: If the disk refuses; the file is as it was.
    """
    beside = f"{path}{NEW_SUFFIX}"
    remove(beside)
    try:
        fd = system.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            write_at(fd, data, 0)
            if durable:
                system.sync(fd)
        finally:
            system.close(fd)
        system.rename(beside, str(path))
    except BaseException:
        with contextlib.suppress(OSError):
            remove(beside)
        raise
    if durable:
        system.sync_folder(os.path.dirname(path))  # noqa: PTH120


def sync_file(path: str | Path) -> None:
    """Wait until the disk has a file's contents. Its name is in its folder: see `sync_folder`.

    Raises:
        OSError: If the disk refuses, or there is no such file.
    """
    fd = system.open(str(path), os.O_RDWR)
    try:
        system.sync(fd)
    finally:
        system.close(fd)


def sync_folder(path: str | Path) -> None:
    """Wait until the disk has a folder's entries; a folder that is gone has none.

    Raises:
        OSError: If the disk refuses.
    """
    with contextlib.suppress(FileNotFoundError):
        system.sync_folder(str(path))


def make_folder(path: Path, *, durable: bool) -> None:
    """Make a folder and those above it that are missing.

    Args:
        path: The folder.
        durable: Whether to wait until the disk has the entries that lead to it.

    Raises:
        OSError: If one cannot be made.
    """
    missing = []
    while not path.is_dir():
        missing.append(path)
        if path.parent == path:
            break
        path = path.parent
    for folder in reversed(missing):
        with contextlib.suppress(FileExistsError):
            system.mkdir(str(folder))
        if durable:
            system.sync_folder(str(folder.parent))


def remove(path: str | Path) -> bool:
    """Delete a file; returns whether there was one.

    Raises:
        OSError: If it cannot be deleted.
    """
    if not exists(path):
        return False
    system.unlink(str(path))
    return True


def remove_database(path: str | Path) -> None:
    """Delete a database and its write-ahead log.

    The log goes last: a log without its database is ignored, a database without its log is older
    than it was.
    """
    for file in (path, f"{path}-wal", f"{path}-shm"):
        remove(file)


def remove_orphans(path: str | Path, *, durable: bool) -> None:
    """Delete an earlier database's logs, which SQLite would replay over a new one.

    Args:
        path: The database, which does not exist.
        durable: Whether to wait until the disk has forgotten them.

    Raises:
        OSError: If one cannot be deleted.
    """
    removed = [remove(f"{path}{suffix}") for suffix in ("-wal", "-journal", "-shm")]
    if durable and any(removed):
        system.sync_folder(os.path.dirname(path))  # noqa: PTH120


def remove_tree(path: Path) -> None:
    """Delete a folder with all that is in it; symbolic links are deleted, not followed.

    Raises:
        OSError: If something cannot be deleted.
    """
    if path.is_symlink() or path.is_file():
        system.unlink(str(path))
    elif path.exists():
        for entry in sorted(path.iterdir()):
            remove_tree(entry)
        system.rmdir(str(path))


def set_aside(path: Path) -> Path:
    """Rename a damaged file, keeping it as evidence; returns its new name.

    Raises:
        OSError: If it cannot be renamed.
    """
    aside = free_name(path)
    system.rename(str(path), str(aside))
    return aside


def free_name(path: Path) -> Path:
    """Return a name for the evidence of a damaged file that nothing has yet."""
    number, aside = 1, path.with_name(f"{path.name}{DAMAGED_SUFFIX}")
    while exists(aside):
        number += 1
        aside = path.with_name(f"{path.name}{DAMAGED_SUFFIX}-{number}")
    return aside


def set_database_aside(path: Path) -> Path:
    """Rename a damaged database and its write-ahead log; returns the database's new name.

    Raises:
        OSError: If one cannot be renamed.
    """
    aside = set_aside(path)
    for suffix in ("-wal", "-journal"):  # they would be taken for the next database's
        if exists(f"{path}{suffix}"):
            system.rename(f"{path}{suffix}", f"{aside}{suffix}")
    remove(f"{path}-shm")
    return aside


def check_no_link(path: Path) -> None:
    """Refuse a symbolic link where dobook writes: it could lead to somebody else's file.

    Raises:
        StateDirectoryError: If it is one.
    """
    if path.is_symlink():
        raise StateDirectoryError(
            f"{path} is a symbolic link, and dobook writes only files that lie in the state "
            "directory itself. Replace the link by what it points to."
        )
