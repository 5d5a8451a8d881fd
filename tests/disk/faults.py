"""A disk whose n-th call fails, once or from then on, under `dobook.storage.files` or under SQLite.

What SQLite's own tests do for SQLite: the program runs again and again, and each time a later call
fails, until one is beyond the last. Source: sqlite.org/testing.html, "I/O Error Testing"
"""

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from dobook.storage import files
from tests.disk import sqlite_vfs
from tests.disk.sqlite_vfs import Call, Proceed

FILES, SQLITE = "files", "sqlite"
SHORT: Final = "half of it is written"

FILE_CALLS: Final = tuple(
    name for name, value in vars(files.System).items() if callable(value) and name[0] != "_"
)
# Of a descriptor that is known to be open; a failure would be dobook's own mistake.
NEVER_FAIL: Final = frozenset({"close"})

_SPECIFIC: Final = {
    "open": sqlite_vfs.CANTOPEN,
    "read": sqlite_vfs.IOERR_READ,
    "write": sqlite_vfs.IOERR_WRITE,
    "truncate": sqlite_vfs.IOERR_TRUNCATE,
    "sync": sqlite_vfs.IOERR_FSYNC,
    "size": sqlite_vfs.IOERR_FSTAT,
    "delete": sqlite_vfs.IOERR_DELETE,
    "access": sqlite_vfs.IOERR_ACCESS,
}
SQLITE_CALLS: Final = tuple(_SPECIFIC)


@dataclass(frozen=True)
class Kind:
    """A way to fail.

    `error` is a number of `errno`, a class of exceptions, one of SQLite's codes, or `SHORT`.
    `stays`: all further calls of the kind fail too, until the disk is mended.
    """

    side: str
    call: str
    error: Any
    stays: bool = False

    def __str__(self) -> str:
        if isinstance(self.error, type):
            name = self.error.__name__
        elif self.side == SQLITE and self.error != SHORT:
            name = f"code {self.error}"
        else:
            name = errno.errorcode.get(self.error, self.error)
        return f"{self.side} {self.call} {name}{' and stays' if self.stays else ''}"


def kinds(*, all_of_them: bool = False) -> list[Kind]:
    """Return the ways to fail.

    Args:
        all_of_them: Every error that a call may have, not only the most likely one.
    """
    found = []
    for call in FILE_CALLS:
        if call in NEVER_FAIL:
            continue
        errors: list[Any] = [errno.EIO, KeyboardInterrupt]
        if call == "write":
            errors += [errno.ENOSPC, SHORT]
        if all_of_them:
            errors += [errno.ENOSPC, errno.EACCES, errno.EMFILE, MemoryError]
        for error in dict.fromkeys(errors):
            found.append(Kind(FILES, call, error))
            if not isinstance(error, type):
                found.append(Kind(FILES, call, error, stays=True))
    for call, code in _SPECIFIC.items():
        errors = [code]
        if call == "write":
            errors += [sqlite_vfs.FULL, SHORT]
        if all_of_them:
            errors += [sqlite_vfs.FULL, sqlite_vfs.NOMEM, sqlite_vfs.INTERRUPT]
        for error in dict.fromkeys(errors):
            found += [Kind(SQLITE, call, error), Kind(SQLITE, call, error, stays=True)]
    return found


class Fault:
    """Lets the n-th call of a kind fail.

    Args:
        kind: How.
        number: Which, counted from 1.
    """

    def __init__(self, kind: Kind, number: int) -> None:
        self.kind = kind
        self.number = number
        self.hit = False
        self.mended = False
        self.what = ""  # the call that failed first
        self._count = 0
        self._lock = threading.Lock()

    def mend(self) -> None:
        """Let nothing fail any more, if something has."""
        self.mended = self.hit

    def meets(self, side: str, call: str, what: object) -> bool:
        """Return whether a call is to fail."""
        kind = self.kind
        if (side, call) != (kind.side, kind.call) or self.mended:
            return False
        if isinstance(kind.error, type) and threading.current_thread() is not _MAIN:
            return False  # an interrupt meets the main thread
        with self._lock:
            self._count += 1
            if self._count < self.number or (self._count > self.number and not kind.stays):
                return False
            self.hit = True
            self.what = self.what or str(what)
            return True

    def raise_error(self) -> None:
        """Raise what a call of Python's raises."""
        error = self.kind.error
        if isinstance(error, type):
            raise error
        if error == SHORT:
            error = errno.ENOSPC
        raise OSError(error, os.strerror(error))


_MAIN: Final = threading.main_thread()


class FaultySystem(files.System):
    """The operating system's file calls, of which some fail."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._half: set[int] = set()  # descriptors of which the next write fails


def _failing(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: FaultySystem, *args: Any) -> Any:
        fault = self.fault
        if fault.kind.error == SHORT and name == "write":
            return _write(self, original, *args)
        if fault.meets(FILES, name, args[0]):
            fault.raise_error()
        return original(self, *args)

    return call


def _write(self: FaultySystem, original: Callable[..., Any], *args: Any) -> Any:
    fd, data, offset = args
    if fd in self._half:
        self._half.discard(fd)
        self.fault.raise_error()
    if self.fault.meets(FILES, "write", fd):
        self._half.add(fd)
        return original(self, fd, data[: (len(data) + 1) // 2], offset)
    return original(self, *args)


for _name in FILE_CALLS:  # also those that `System` may get later
    setattr(FaultySystem, _name, _failing(_name, getattr(files.System, _name)))


@contextlib.contextmanager
def failing(fault: Fault) -> Iterator[None]:
    """Let a fault happen to what is done from now on."""

    def listener(call: Call, proceed: Proceed) -> int:
        if not call.path or not fault.meets(SQLITE, call.kind, call.path):
            return proceed()
        if fault.kind.error == SHORT:
            call.data = call.data[: len(call.data) // 2]
            proceed()
            return sqlite_vfs.FULL
        if call.kind == "close":
            proceed()
        return int(fault.kind.error)

    before, files.system = files.system, FaultySystem(fault)
    try:
        with sqlite_vfs.watch(listener):
            yield
    finally:
        files.system = before
