"""One ordered log of all that is done to a folder, by `dobook.storage.files` and by SQLite.

`recording(folder)` puts a `RecordingSystem` in place of `files.system` and listens to SQLite's VFS.
Both note what they have done in one `Log`. A file has a number, which stays when it is renamed, as
an inode does. Paths in the log are relative to the folder.

The log is of use only if nothing goes past it. `Log.image` replays it, for a comparison with the
real folder; and an audit hook notes each call of Python's own that changes the folder in another
way (`Log.bypassed`), or opens a file there to read it (`Log.read_past`).

The file that holds the lock of a state directory is left out: it is made and locked by other means,
and what it contains has no meaning. So are SQLite's shared-memory files, which it makes anew.
"""

import contextlib
import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from dobook.storage import files
from tests.disk import sqlite_vfs
from tests.disk.sqlite_vfs import Call, Proceed

Image = dict[str, bytes | None]
"""What a folder contains, by relative path: the bytes of a file, None for a folder."""

LEFT_OUT: Final = (".dobook/lock", "-shm")

_LONG_ID: Final = re.compile(r"([0-9a-f]{6})[0-9a-f]{58}")

# The calls that change what a `System` has: a further one in dobook needs a record here too.
RECORDED: Final = frozenset(
    {"open", "write", "truncate", "sync", "sync_folder", "rename", "unlink", "mkdir", "rmdir"}
)
NOT_RECORDED: Final = frozenset({"close", "read", "size"})


class Operation(NamedTuple):
    """One thing that was done to a disk.

    `kind` is create, write, truncate (to `offset`), sync, rename, unlink, mkdir, rmdir, sync_folder,
    or mark, which does nothing and carries a `note`. Data belongs to the file with that number,
    names belong to folders.
    """

    kind: str
    path: str = ""
    file: int = 0
    offset: int = 0
    data: bytes = b""
    target: str = ""
    note: Any = None

    def __repr__(self) -> str:
        path = _LONG_ID.sub(r"\1…", self.path)
        if self.kind == "write":
            return f"write {path} {self.offset}-{self.offset + len(self.data)}"
        if self.kind == "truncate":
            return f"truncate {path} to {self.offset}"
        if self.kind == "mark":
            return f"mark {self.note!r}"
        return f"{self.kind} {path}{self.target and ' to ' + self.target}"


class Log:
    """What was done to a folder, in order.

    Args:
        root: The folder; what it contains now is what a replay starts with.
    """

    def __init__(self, root: Path) -> None:
        self.root = os.path.realpath(root)
        self.start = read_image(self.root)
        self.operations: list[Operation] = []
        self.bypassed: list[str] = []
        self.read_past: list[str] = []
        self.lock = threading.RLock()  # held for a call and its note: their order is the same
        self.inside = threading.local()  # whether this thread is in a call that will be noted
        self.numbers = self.start_numbers()  # of the files, by path
        self._last_number = len(self.start)

    def relative(self, path: str) -> str | None:
        """Return a path below the folder as a relative one, None for others and those left out."""
        folder, name = os.path.split(path)  # the name itself may be a link that is to be replaced
        full = f"{os.path.realpath(folder or '.')}{os.sep}{name}"
        if not full.startswith(self.root + os.sep):
            return "" if full == self.root else None
        inner = full[len(self.root) + 1 :].replace(os.sep, "/")
        return None if inner.endswith(LEFT_OUT) else inner

    def mark(self, note: Any) -> None:
        """Note something that the program knows at this point."""
        self.add(Operation("mark", note=note))

    def add(self, operation: Operation) -> None:
        """Add an operation at the end."""
        with self.lock:
            self.operations.append(operation)

    def create(self, path: str) -> int:
        """Note a new file; returns its number."""
        with self.lock:
            self._last_number += 1
            number = self.numbers[path] = self._last_number
            self.add(Operation("create", path, number))
        return number

    def rename(self, source: str, target: str) -> None:
        """Note that a file has another name."""
        with self.lock:
            number = self.numbers[target] = self.numbers.pop(source)
            self.add(Operation("rename", source, number, target=target))

    def unlink(self, path: str) -> None:
        """Note that a file is gone."""
        with self.lock:
            self.add(Operation("unlink", path, self.numbers.pop(path)))

    def remove_tree(self, path: str) -> None:
        """Note that a folder will be deleted with all that is in it."""
        for folder, folders, names in os.walk(f"{self.root}/{path}", topdown=False):
            inner = os.path.relpath(folder, self.root).replace(os.sep, "/")
            for name in sorted(names):
                if f"{inner}/{name}" in self.numbers:
                    self.unlink(f"{inner}/{name}")
            for name in sorted(folders):
                self.add(Operation("rmdir", f"{inner}/{name}"))
        self.add(Operation("rmdir", path))

    def image(self) -> Image:
        """Return what the folder contains when everything is kept."""
        numbers = self.start_numbers()
        contents = {
            numbers[p]: bytearray(data) for p, data in self.start.items() if data is not None
        }
        names = {path: numbers.get(path) for path in self.start}
        for operation in self.operations:
            replay_data(contents, operation)
            replay_name(names, operation)
        return {p: None if n is None else bytes(contents[n]) for p, n in names.items()}

    def start_numbers(self) -> dict[str, int]:
        """Return the numbers of the files that were there at the start."""
        return {p: n for n, p in enumerate(self.start, 1) if self.start[p] is not None}


def replay_data(contents: dict[int, bytearray], operation: Operation) -> None:
    """Do to files' contents what an operation did."""
    if operation.kind == "create":
        contents[operation.file] = bytearray()
    elif operation.kind == "write":
        overwrite(contents[operation.file], operation.data, operation.offset)
    elif operation.kind == "truncate":
        resize(contents[operation.file], operation.offset)


def overwrite(content: bytearray, data: bytes, offset: int) -> None:
    """Write into a file's content, with zeros where it was shorter."""
    if offset > len(content):
        resize(content, offset)
    content[offset : offset + len(data)] = data


def resize(content: bytearray, size: int) -> None:
    """Cut a file's content, or extend it with zeros."""
    del content[size:]
    content.extend(bytes(size - len(content)))


def replay_name(names: dict[str, int | None], operation: Operation) -> None:
    """Do to folders' entries what an operation did, where they are in the state for it."""
    kind, path = operation.kind, operation.path
    if kind == "create":
        names[path] = operation.file
    elif kind == "mkdir":
        names.setdefault(path, None)
    elif kind == "rename":
        names.pop(path, None)
        names[operation.target] = operation.file
    elif kind in ("unlink", "rmdir"):
        names.pop(path, None)


def is_below(path: str, folder: str) -> bool:
    """Return whether a relative path leads into a folder."""
    return path.startswith(f"{folder}/")


def folder_of(path: str) -> str:
    """Return the folder of a relative path, "" for the outermost."""
    return path.rpartition("/")[0]


def read_image(root: str | Path) -> Image:
    """Return what a folder contains, without what the recorder leaves out."""
    image: Image = {}
    for folder, folders, names in os.walk(root):
        inner = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if inner == "." else f"{inner}/"
        image.update((f"{prefix}{name}", None) for name in sorted(folders))
        for name in sorted(names):
            if not f"{prefix}{name}".endswith(LEFT_OUT):
                image[f"{prefix}{name}"] = Path(folder, name).read_bytes()
    return image


class RecordingSystem(files.System):
    """The operating system's file calls, each noted once it is done."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._open: dict[int, tuple[int, str]] = {}  # by descriptor

    @contextlib.contextmanager
    def _noted(self) -> Iterator[Log]:
        with self._log.lock:
            self._log.inside.now = True
            try:
                yield self._log
            finally:
                self._log.inside.now = False

    def open(self, path: str, flags: int) -> int:
        with self._noted() as log:
            inner = log.relative(path)
            new = not os.path.lexists(path)
            fd = super().open(path, flags)
            if inner:
                number = log.create(inner) if new else log.numbers.get(inner)
                if number is None:
                    log.bypassed.append(f"{inner} was made by other means")
                    number = log.create(inner)
                self._open[fd] = (number, inner)
                if flags & os.O_TRUNC and not new:
                    log.add(Operation("truncate", inner, number, 0))
            return fd

    def close(self, fd: int) -> None:
        with self._log.lock:
            super().close(fd)
            self._open.pop(fd, None)

    def write(self, fd: int, data: bytes, offset: int) -> int:
        with self._noted() as log:
            taken = super().write(fd, data, offset)
            if fd in self._open:
                number, path = self._open[fd]
                log.add(Operation("write", path, number, offset, bytes(data[:taken])))
            return taken

    def truncate(self, fd: int, size: int) -> None:
        with self._noted() as log:
            super().truncate(fd, size)
            if fd in self._open:
                number, path = self._open[fd]
                log.add(Operation("truncate", path, number, size))

    def sync(self, fd: int) -> None:
        with self._noted() as log:  # the real wait is not needed: no power is lost here
            if fd in self._open:
                number, path = self._open[fd]
                log.add(Operation("sync", path, number))

    def sync_folder(self, path: str) -> None:
        with self._noted() as log:
            Path(path).stat()  # one that is gone is refused
            inner = log.relative(path)
            if inner is not None:
                log.add(Operation("sync_folder", inner))

    def rename(self, source: str, target: str) -> None:
        with self._noted() as log:
            super().rename(source, target)
            old, new = log.relative(source), log.relative(target)
            if old and new:
                log.rename(old, new)

    def unlink(self, path: str) -> None:
        with self._noted() as log:
            super().unlink(path)
            if inner := log.relative(path):
                log.unlink(inner)

    def mkdir(self, path: str) -> None:
        with self._noted() as log:
            super().mkdir(path)
            if inner := log.relative(path):
                log.add(Operation("mkdir", inner))

    def rmdir(self, path: str) -> None:
        with self._noted() as log:
            super().rmdir(path)
            if inner := log.relative(path):
                log.add(Operation("rmdir", inner))


class SqliteRecorder:
    """Notes what SQLite does to files."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._numbers: dict[int, int] = {}  # of open files, by identity

    def __call__(self, call: Call, proceed: Proceed) -> int:
        if call.kind in ("read", "size", "access"):
            return proceed()
        with self._log.lock:
            code = 0 if call.kind == "sync" else proceed()
            if code == sqlite_vfs.OK and call.path:
                inner = self._log.relative(call.path)
                if inner:
                    self._note(call, inner)
            return code

    def _note(self, call: Call, inner: str) -> None:
        log, key = self._log, id(call.file)
        if call.kind == "open":
            number = log.create(inner) if call.creates else log.numbers.get(inner)
            if number is None:
                log.bypassed.append(f"{inner} was made by other means")
                number = log.create(inner)
            self._numbers[key] = number
        elif call.kind == "close":
            self._numbers.pop(key)
        elif call.kind == "write":
            log.add(Operation("write", inner, self._numbers[key], call.offset, call.data))
        elif call.kind == "truncate":
            log.add(Operation("truncate", inner, self._numbers[key], call.size))
        elif call.kind == "sync":
            log.add(Operation("sync", inner, self._numbers[key]))
            if call.file and call.file.new_journal:
                call.file.new_journal = False
                log.add(Operation("sync_folder", folder_of(inner)))
        elif call.kind == "delete":
            log.unlink(inner)
            if call.sync_folder:
                log.add(Operation("sync_folder", folder_of(inner)))


@contextlib.contextmanager
def recording(root: Path) -> Iterator[Log]:
    """Record what is done to a folder by `dobook.storage.files` and SQLite."""
    log = Log(root)
    before, files.system = files.system, RecordingSystem(log)
    _audited.append(log)
    try:
        with sqlite_vfs.watch(SqliteRecorder(log)):
            yield log
    finally:
        _audited.remove(log)
        files.system = before


# ---------------------------------------------------------------------- what goes past it

_audited: list[Log] = []
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES: Final = frozenset(
    {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link"}
    | {"os.symlink", "shutil.rmtree"}
)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _audited or event not in _CHANGES or not isinstance(arguments[0], str | bytes | Path):
        return
    for log in _audited:
        inner = log.relative(os.fsdecode(arguments[0]))
        if not inner or getattr(log.inside, "now", False):
            continue
        if event == "shutil.rmtree":
            log.remove_tree(inner)
        elif event in ("os.remove", "os.rmdir") and inner not in log.numbers:
            continue  # it belongs to a tree that was noted as deleted
        elif event == "open" and Path(log.root, inner).is_dir():
            continue
        elif event == "open" and not arguments[2] & _WRITES:
            log.read_past.append(inner)
        else:
            log.bypassed.append(f"{event} {inner}")


sys.addaudithook(_audit)  # Python has no way to take one away; without a recording it does nothing
