"""Puts Python between SQLite and the file system, in the SQLite that the `sqlite3` module uses.

SQLite does all its file work through a table of functions, a VFS. `watch` registers a copy of the
default one as the new default. In the copy, and in the tables of functions of the files that it
opens, those functions are replaced that change a disk or can fail on one. A replaced function makes
a `Call` and hands it to the listener, who passes it on, changes it, or refuses it with one of
SQLite's codes. Locks and shared memory stay as they are.

A file keeps the memory layout of the original VFS: only the pointer to its table of functions is
another one. SQLite's VFSes for Unix and Windows use that pointer as the first member of a file and
never look at where it points to, so their functions work on such files unchanged.
Source: sqlite.org/vfs.html, sqlite.org/c3ref/vfs.html, sqlite.org/c3ref/io_methods.html
"""

import _sqlite3
import contextlib
import ctypes
import functools
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int64, c_void_p
from dataclasses import dataclass, field
from typing import Any, Final

OK: Final = 0
NOMEM: Final = 7
INTERRUPT: Final = 9
IOERR: Final = 10
FULL: Final = 13
CANTOPEN: Final = 14
IOERR_READ: Final = IOERR | 1 << 8
IOERR_SHORT_READ: Final = IOERR | 2 << 8
IOERR_WRITE: Final = IOERR | 3 << 8
IOERR_FSYNC: Final = IOERR | 4 << 8
IOERR_TRUNCATE: Final = IOERR | 6 << 8
IOERR_FSTAT: Final = IOERR | 7 << 8
IOERR_DELETE: Final = IOERR | 10 << 8
IOERR_ACCESS: Final = IOERR | 13 << 8
DELETE_NOENT: Final = IOERR | 23 << 8

OPEN_READONLY: Final = 0x01
OPEN_CREATE: Final = 0x04
OPEN_MAIN_JOURNAL: Final = 0x0800
OPEN_WAL: Final = 0x080000

METHODS_VERSION: Final = 2  # 3 adds xFetch, by which SQLite would read and write past us
VFS_VERSION: Final = 3
NAME: Final = b"dobook-tests"

_VFS_FUNCTIONS = (
    *("xOpen", "xDelete", "xAccess", "xFullPathname", "xDlOpen", "xDlError", "xDlSym", "xDlClose"),
    *("xRandomness", "xSleep", "xCurrentTime", "xGetLastError", "xCurrentTimeInt64"),
    *("xSetSystemCall", "xGetSystemCall", "xNextSystemCall"),
)
_FILE_FUNCTIONS = (
    *("xClose", "xRead", "xWrite", "xTruncate", "xSync", "xFileSize", "xLock", "xUnlock"),
    *("xCheckReservedLock", "xFileControl", "xSectorSize", "xDeviceCharacteristics"),
    *("xShmMap", "xShmLock", "xShmBarrier", "xShmUnmap"),
    *("xFetch", "xUnfetch"),
)


class _Vfs(ctypes.Structure):
    _fields_ = (
        ("iVersion", c_int),
        ("szOsFile", c_int),
        ("mxPathname", c_int),
        ("pNext", c_void_p),
        ("zName", c_char_p),
        ("pAppData", c_void_p),
        *((name, c_void_p) for name in _VFS_FUNCTIONS),
    )


class _Methods(ctypes.Structure):
    _fields_ = (("iVersion", c_int), *((name, c_void_p) for name in _FILE_FUNCTIONS))


_SIGNATURES: Final[dict[str, Any]] = {
    "xOpen": CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p),
    "xDelete": CFUNCTYPE(c_int, c_void_p, c_void_p, c_int),
    "xAccess": CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_void_p),
    "xClose": CFUNCTYPE(c_int, c_void_p),
    "xRead": CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64),
    "xWrite": CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64),
    "xTruncate": CFUNCTYPE(c_int, c_void_p, c_int64),
    "xSync": CFUNCTYPE(c_int, c_void_p, c_int),
    "xFileSize": CFUNCTYPE(c_int, c_void_p, c_void_p),
}


@dataclass(slots=True)
class OpenFile:
    """A file as SQLite has it open. `path` is its name when it was opened, "" for a temporary one.

    `new_journal`: SQLite has made it and syncs its folder too when it first syncs the file.
    """

    path: str
    new_journal: bool = False


@dataclass(slots=True)
class Call:
    """One call of SQLite's. `kind` is open, close, read, write, truncate, sync, size, delete, access.

    A listener may shorten `data` of a write before it passes the call on.
    """

    kind: str
    path: str
    file: OpenFile | None = None
    offset: int = 0
    size: int = 0
    data: bytes = b""
    creates: bool = False  # open: there is no such file yet
    sync_folder: bool = False  # delete: the folder is synced afterwards
    buffer: int = field(default=0, repr=False)


Proceed = Callable[[], int]
Listener = Callable[[Call, Proceed], int]
"""Answers a call with one of SQLite's codes; the second argument lets SQLite's own function do it."""


@functools.cache
def library() -> Any:
    """Return the SQLite library of the `sqlite3` module.

    Raises:
        OSError: If it cannot be found, with words that say why.
    """
    # A symbol is looked up in an extension module and in the libraries that it is linked with.
    path = getattr(_sqlite3, "__file__", None)
    found = None
    for name in ("sqlite3.dll", path) if os.name == "nt" else (path,):
        with contextlib.suppress(OSError, AttributeError):
            found = ctypes.CDLL(name)
            found.sqlite3_vfs_find.restype = c_void_p
            break
    else:
        raise OSError(f"the SQLite in {path or 'this Python'} keeps its functions to itself")
    assert found is not None
    found.sqlite3_vfs_find.argtypes = [c_char_p]
    found.sqlite3_vfs_register.argtypes = [POINTER(_Vfs), c_int]
    found.sqlite3_vfs_unregister.argtypes = [POINTER(_Vfs)]
    found.sqlite3_sourceid.restype = c_char_p
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        (used,) = db.execute("SELECT sqlite_source_id()").fetchone()
    if found.sqlite3_sourceid().decode() != used:
        raise OSError("the SQLite that was found is not the one that the sqlite3 module uses")
    return found


@functools.cache
def why_not() -> str:
    """Return why SQLite cannot be watched here, "" if it can be."""
    try:
        library()
        calls: list[str] = []

        def listener(call: Call, proceed: Proceed) -> int:
            calls.append(call.kind)
            return proceed()

        with (
            tempfile.TemporaryDirectory() as folder,
            watch(listener),
            contextlib.closing(sqlite3.connect(f"{folder}/try")) as db,
        ):
            db.execute("CREATE TABLE t(x)")
        return "" if "write" in calls else "SQLite's writes do not pass through a VFS of ours"
    except OSError as error:
        return str(error)


@contextlib.contextmanager
def watch(listener: Listener) -> Iterator[None]:
    """Hand the file work of databases that are opened from now on to a listener.

    They have to be closed before the end.

    Raises:
        OSError: If this SQLite cannot be watched.
    """
    watched = _Watched(listener)
    pointer = ctypes.byref(watched.vfs)
    if code := library().sqlite3_vfs_register(pointer, 1):
        raise OSError(f"SQLite does not take another VFS (code {code})")
    try:
        yield
    finally:
        library().sqlite3_vfs_unregister(pointer)
        if watched.files:
            _ABANDONED.append(watched)  # they still use its functions
    if watched.failed:
        raise watched.failed[0]
    if watched.files:
        left = ", ".join(file.path for file in watched.files.values())
        raise AssertionError(f"databases were left open: {left}")


_ABANDONED: list["_Watched"] = []


class _Watched:
    """The functions that replace SQLite's, and all that has to live as long as they are used."""

    def __init__(self, listener: Listener) -> None:
        self.files: dict[int, OpenFile] = {}  # by the address of SQLite's file
        self.failed: list[BaseException] = []  # exceptions of the listener, which C cannot raise
        self._listener = listener
        self._base = library().sqlite3_vfs_find(None)
        base = _Vfs.from_address(self._base)
        if base.iVersion < VFS_VERSION:
            raise OSError(f"SQLite's default VFS has version {base.iVersion}, not {VFS_VERSION}")
        self._keep: list[Any] = []
        self._methods: dict[int, tuple[_Methods, Any]] = {}  # by the address of SQLite's table
        self.vfs = _Vfs.from_buffer_copy(base)
        self.vfs.pNext, self.vfs.zName = None, NAME
        self._open = self._replace(self.vfs, "xOpen", self._on_open)
        self._delete = self._replace(self.vfs, "xDelete", self._on_delete)
        self._access = self._replace(self.vfs, "xAccess", self._on_access)

    def _replace(self, table: Any, name: str, function: Callable[..., int]) -> Callable[..., int]:
        """Put a function of ours into a table; returns the one that was there."""
        signature = _SIGNATURES[name]
        original: Callable[..., int] = signature(getattr(table, name))
        callback = signature(function)
        self._keep.append(callback)
        setattr(table, name, ctypes.cast(callback, c_void_p).value)
        return original

    def _hear(self, call: Call, proceed: Proceed) -> int:
        try:
            return self._listener(call, proceed)
        except BaseException as error:
            self.failed.append(error)
            return IOERR

    # ------------------------------------------------------------------ names

    def _on_open(self, _vfs: int, name: int, file: int, flags: int, flags_out: int) -> int:
        path = _text(name)
        creates = bool(flags & OPEN_CREATE and path and not os.path.lexists(path))
        journal = creates and bool(flags & (OPEN_WAL | OPEN_MAIN_JOURNAL))
        opened = OpenFile(path, new_journal=journal)

        def proceed() -> int:
            return self._open(self._base, name, file, flags, flags_out)

        slot = c_void_p.from_address(file)
        slot.value = None  # what a file that could not be opened must have
        code = self._hear(Call("open", path, opened, creates=creates), proceed)
        if slot.value:
            self.files[file] = opened
            slot.value = ctypes.addressof(self._table(slot.value))
        return code

    def _on_delete(self, _vfs: int, name: int, sync_folder: int) -> int:
        call = Call("delete", _text(name), sync_folder=bool(sync_folder))
        return self._hear(call, lambda: self._delete(self._base, name, sync_folder))

    def _on_access(self, _vfs: int, name: int, flags: int, out: int) -> int:
        call = Call("access", _text(name))
        return self._hear(call, lambda: self._access(self._base, name, flags, out))

    # ------------------------------------------------------------------ files

    def _table(self, base: int) -> _Methods:
        """Return the table of functions that stands for one of SQLite's."""
        if base not in self._methods:
            original = _Methods.from_address(base)
            table = _Methods()
            # Tables of earlier versions are shorter: what is not there is not read.
            names = _FILE_FUNCTIONS[: 12 if original.iVersion < METHODS_VERSION else 16]
            for name in names:
                setattr(table, name, getattr(original, name))
            table.iVersion = min(original.iVersion, METHODS_VERSION)
            self._methods[base] = (table, self._replace_all(table))
        return self._methods[base][0]

    def _replace_all(self, table: _Methods) -> None:
        """Replace the functions of a table of files that change a disk or can fail."""
        files, hear = self.files, self._hear

        def on_close(file: int) -> int:
            opened = files[file]
            code = hear(Call("close", opened.path, opened), lambda: close(file))
            del files[file]
            return code

        def on_read(file: int, buffer: int, size: int, offset: int) -> int:
            opened = files[file]
            call = Call("read", opened.path, opened, offset, size, buffer=buffer)
            return hear(call, lambda: read(file, buffer, size, offset))

        def on_write(file: int, buffer: int, size: int, offset: int) -> int:
            opened = files[file]
            data = ctypes.string_at(buffer, size)
            call = Call("write", opened.path, opened, offset, size, data)
            return hear(call, lambda: write(file, buffer, len(call.data), offset))

        def on_truncate(file: int, size: int) -> int:
            opened = files[file]
            call = Call("truncate", opened.path, opened, size=size)
            return hear(call, lambda: truncate(file, size))

        def on_sync(file: int, flags: int) -> int:
            opened = files[file]
            return hear(Call("sync", opened.path, opened), lambda: sync(file, flags))

        def on_size(file: int, out: int) -> int:
            opened = files[file]
            return hear(Call("size", opened.path, opened), lambda: size_of(file, out))

        close = self._replace(table, "xClose", on_close)
        read = self._replace(table, "xRead", on_read)
        write = self._replace(table, "xWrite", on_write)
        truncate = self._replace(table, "xTruncate", on_truncate)
        sync = self._replace(table, "xSync", on_sync)
        size_of = self._replace(table, "xFileSize", on_size)


def _text(name: int | None) -> str:
    return os.fsdecode(ctypes.string_at(name)) if name else ""


def fill_with_zeros(call: Call) -> None:
    """Fill a read's buffer with zeros, as SQLite demands where a read gives less than was asked."""
    ctypes.memset(call.buffer, 0, call.size)
