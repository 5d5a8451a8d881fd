"""The lock on a state directory, and how many of its databases may be open at once."""

import contextlib
import os
import stat
import sys
import threading
from pathlib import Path
from typing import IO, Final

from dobook.errors import StateDirectoryError
from dobook.storage import files
from dobook.storage.foreign_files import check_regular

MAX_OPEN_DATABASES: Final = 2_000
DESCRIPTORS_PER_DATABASE: Final = 4

# By lock file: what holds the lock, and the thread that opens or closes the directory; 0 in between.
# An exception may break that off between any two lines, and its traceback keep everything.
_held: dict[str, tuple[IO[str], int]] = {}


def lock_directory(file: Path, directory: Path) -> IO[str]:
    """Return the lock file, which holds the lock until it is closed.

    Args:
        file: The lock file; created if it does not exist.
        directory: The state directory, for the messages.

    Raises:
        StateDirectoryError: If another runtime has it, or the file cannot be written.
    """
    if sys.platform == "emscripten":
        raise StateDirectoryError(
            f"{directory} cannot be used: its files are written by threads, which Python in a "
            "browser has not. Leave the directory out; state in memory works."
        )
    try:
        if files.exists(file):
            check_regular(file)
        descriptor = files.system.open(str(file), os.O_RDWR | os.O_CREAT | os.O_APPEND)
        handle = os.fdopen(descriptor, "a+", encoding="ascii")
        _close_left_over(str(file.absolute()))
        _held[str(file.absolute())] = handle, threading.get_ident()
    except StateDirectoryError:
        raise
    except OSError as error:
        raise StateDirectoryError(
            f"{directory} cannot be written ({error.strerror}). Choose a directory that can be, or "
            "look into it with dobook.open_state."
        ) from None
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = ""
        with contextlib.suppress(OSError):
            handle.seek(0)
            holder = handle.read().strip()
        release(handle)
        by = f" (process {holder})" if holder else ""
        raise StateDirectoryError(
            f"{directory} is in use by another runtime{by}. Close that one first, or choose "
            "another directory: two at once would overwrite each other."
        ) from None
    if os.name != "nt":
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
    return handle


def keep_lock(handle: IO[str], *, kept: bool = True) -> None:
    """Note whether a directory is open: the lock of a closed one is a left-over."""
    for place, (held, _) in list(_held.items()):
        if held is handle:
            _held[place] = handle, 0 if kept else threading.get_ident()


def release(handle: IO[str]) -> None:
    """Release a lock. Calling this twice is fine."""
    handle.close()
    for place, (held, _) in list(_held.items()):
        if held is handle:
            del _held[place]


def _close_left_over(place: str) -> None:
    """Release a lock that this thread was taking or releasing when an exception came."""
    handle, opener = _held.get(place, (None, 0))
    if handle is not None and opener == threading.get_ident():
        release(handle)


def is_locked(file: Path) -> bool:
    """Return whether a runtime holds a lock file, without taking the lock.

    Only Linux and Windows show it; elsewhere a process that holds the lock is not seen.
    """
    try:
        if os.name == "nt":
            try:
                file.read_bytes()
            except PermissionError:  # what is locked cannot be read
                return True
            return False
        found = file.stat(follow_symlinks=False)
        holder = file.read_bytes()[:20].strip() if stat.S_ISREG(found.st_mode) else b""
        table = Path("/proc/locks").read_bytes()
    except OSError:
        return False
    for line in table.splitlines():
        # 1: FLOCK  ADVISORY  WRITE 1234 08:02:131 0 EOF
        fields = line.split()
        if len(fields) < 6 or fields[1] != b"FLOCK":
            continue
        device, _, inode = fields[5].rpartition(b":")
        if inode == b"%d" % found.st_ino:
            # Some file systems give files another device number than the lock has.
            here = b"%02x:%02x" % (os.major(found.st_dev), os.minor(found.st_dev))
            if device == here or fields[4] == holder:
                return True
    return False


def databases_allowed() -> int:
    """Return how many databases may be open, raising the process's limit where that is allowed."""
    if os.name == "nt":
        return MAX_OPEN_DATABASES
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_DATABASES * DESCRIPTORS_PER_DATABASE + 512
    if soft != resource.RLIM_INFINITY and soft < wanted:
        target = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY:
        return MAX_OPEN_DATABASES
    return max(16, min(MAX_OPEN_DATABASES, (soft - 256) // DESCRIPTORS_PER_DATABASE))
