"""A state directory: where the real engine's files lie, and dobook's own beside them.

    PATH/
      worker-Counter/            one folder a class, named by its unique key
        1f0c….sqlite             one database an object, named by its id
        metadata.sqlite          the alarms of the class
      .dobook/
        lock                     held while a process uses the directory
        journal                  rows on their way to the disk (durability "power")
        state.sqlite             names of objects, the clock
        history.sqlite           what point-in-time recovery goes back to

Everything outside `.dobook` is what `wrangler dev --persist-to` and Miniflare write and read. There
the objects lie in `v3/do` of the folder; PATH may be that folder too, see `state_root`.
Source: cloudflare/workerd src/workerd/server/server.c++, alarm-scheduler.c++
"""

import contextlib
import os
import shutil
import sys
import warnings
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from dobook.errors import StateDirectoryError
from dobook.storage import schema
from dobook.storage.alarm_index import Alarm, alarm_in, read_index, write_index
from dobook.storage.backlog import Backlog, sync_file, sync_folder, write_file
from dobook.storage.connection import Connection, SqliteError, is_damage
from dobook.storage.history.file import HistoryFile, boot_id
from dobook.storage.journal import Entry, Journal, replay
from dobook.storage.migrations import migrate, statements
from dobook.storage.rows import Changes
from dobook.storage.store import ObjectStore

OWN = ".dobook"
OBJECTS = "do"
WRANGLER_ROOTS = ("v3", "state/v3", ".wrangler/state/v3")
MAX_OPEN_DATABASES = 2_000
DESCRIPTORS_PER_DATABASE = 4

_MIGRATIONS = (
    statements(
        "CREATE TABLE IF NOT EXISTS names (unique_key TEXT, id TEXT, name TEXT, "
        "PRIMARY KEY (unique_key, id)) WITHOUT ROWID",
    ),
)
OWN_META = ("version", "clean", "session", "clock_ms")


class StateDirectory:
    """One state directory, held by this process until `close`.

    Args:
        path: The directory; made if it does not exist.
        power_safe: Whether what is committed is to survive a loss of power, not only the end of
            the process.
        history: Whether to keep what point-in-time recovery goes back to.

    Raises:
        StateDirectoryError: If another process holds it, or it cannot be written.
    """

    def __init__(self, path: Path, *, power_safe: bool = True, history: bool = True) -> None:
        path = state_root(path)
        self.path = path
        own = path / OWN
        self.recovered = 0  # objects whose last writes came out of the journal
        try:
            own.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StateDirectoryError(
                f"{path} cannot be used as a state directory ({error.strerror}). Choose a "
                "directory that can be written."
            ) from None
        self._lock = _lock(own / "lock", path)
        try:
            self._state = Connection(own / "state.sqlite")
        except BaseException:
            self._lock.close()
            raise
        try:
            migrate(self._state, path, _MIGRATIONS)
            self.journal = Journal(own / "journal", wait=power_safe)
            self.backlog = Backlog(path, wait=power_safe)
            self.was_clean = bool(self.meta("clean") in (None, 1))
            if not self.was_clean:
                self.recovered = replay(self.journal.read(), self._apply)
            if not self.waiting:
                self.journal.restart()
            self.history = self._open_history(wanted=history)
            self.session = self.meta("session") or 0  # how many runtimes have used it
            self.set_meta(clean=0, session=self.session + 1)
        except BaseException:
            self._state.close()
            self._lock.close()
            raise
        self._clock_ms = self.meta("clock_ms") or 0  # the time that is remembered
        self._folders: dict[str, Path] = {}
        self._unread = False  # there are files whose alarms could not be read
        self._new_names: list[tuple[str, str, str]] = []
        self._open: OrderedDict[ObjectStore, None] = OrderedDict()
        self._max_open = _databases_allowed()

    def _apply(self, entry: Entry) -> None:
        """Write what the journal says of an object into its file; if that fails it stays there."""
        file = self.file(entry.unique_key, entry.id)
        changes = Changes(entry.rows, entry.alarm)
        try:
            if entry.new:  # the journal has all of it, the file perhaps half
                for leftover in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
                    leftover.unlink(missing_ok=True)
            if write_file(file, changes):
                sync_file(file)
                sync_folder(file.parent)
        except (OSError, SqliteError, StateDirectoryError) as error:
            self.backlog.keep((entry.unique_key, entry.id), changes, new=entry.new)
            warnings.warn(
                f"an object's last writes stay in the journal, as its file cannot be written: {error}",
                stacklevel=5,
            )

    @property
    def waiting(self) -> bool:
        """Whether there are rows that are in the journal only."""
        return next(self.backlog.places(), None) is not None

    def _open_history(self, *, wanted: bool) -> HistoryFile | None:
        """Open the objects' history; if it is not wanted, what there is of it is deleted.

        Objects change without it from then on, so it could not be used again.
        """
        path = self.path / OWN / "history.sqlite"
        if not wanted:
            for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
                file.unlink(missing_ok=True)
            return None
        try:
            return HistoryFile(path, boot=boot_id(), clean=self.was_clean)
        except (SqliteError, StateDirectoryError) as error:
            if not is_damage(error):
                raise
            aside = path.with_name(f"{path.name}.damaged")
            path.replace(aside)
            warnings.warn(
                f"history begins anew, the file is now {aside.name}: {error}", stacklevel=5
            )
            return HistoryFile(path, boot=None, clean=True)

    # ------------------------------------------------------------------ objects

    def folder(self, unique_key: str) -> Path:
        """Return where a class has its files; the same object each time."""
        folder = self._folders.get(unique_key)
        if folder is None:
            folder = self._folders[unique_key] = self.path / unique_key
        return folder

    def file(self, unique_key: str, identity: str) -> Path:
        """Return the database file of an object."""
        return self.path / unique_key / f"{identity}.sqlite"

    def unique_keys(self) -> list[str]:
        """Return the classes that have files, in order."""
        return sorted(p.name for p in self.path.iterdir() if p.is_dir() and p.name != OWN)

    def ids(self, unique_key: str) -> list[str]:
        """Return the ids of the objects of a class that have a file, or will have, in order."""
        folder = self.path / unique_key
        found = {p.stem for p in folder.glob("*.sqlite") if len(p.stem) == 64}
        found.update(place[1] for place in self.backlog.places() if place[0] == unique_key)
        return sorted(found)

    def name(self, unique_key: str, identity: str) -> str | None:
        """Return the name an object was first used under, None if it is not known."""
        self.flush()
        row = self._state.execute(
            "SELECT name FROM names WHERE unique_key = ? AND id = ?", (unique_key, identity)
        ).fetchone()
        return None if row is None else row[0]

    def remember_name(self, unique_key: str, identity: str, name: str) -> None:
        """Keep the name of an object; written with the next `flush`."""
        self._new_names.append((unique_key, identity, name))

    def used(self, store: ObjectStore) -> None:
        """Note that a store's database was opened; closes those used least when there are many."""
        self._open[store] = None
        self._open.move_to_end(store)
        if len(self._open) > self._max_open:
            for old in list(self._open):
                if not old.dirty and not old.transactions and old is not store:
                    del self._open[old]
                    old.close()
                    if len(self._open) <= self._max_open:
                        break

    def dropped(self, store: ObjectStore) -> None:
        """Note that a store's database is closed."""
        self._open.pop(store, None)

    def delete_class(self, unique_key: str) -> None:
        """Delete the files, names and history of a class's objects, which nobody uses any more.

        The backlog and the journal must have nothing of them: call after a checkpoint.

        Raises:
            StateDirectoryError: If a file cannot be deleted.
        """
        folder = self.path / unique_key
        for store in [s for s in self._open if s.place[0] == unique_key]:
            del self._open[store]
            store.close()
        self.flush()
        self._state.begin()
        self._state.execute("DELETE FROM names WHERE unique_key = ?", (unique_key,))
        self._state.commit()
        if self.history is not None:
            self.history.delete_class(unique_key)
        try:
            if folder.exists():
                shutil.rmtree(folder)
        except OSError as error:
            raise StateDirectoryError(f"{folder} cannot be deleted ({error.strerror}).") from None

    # ------------------------------------------------------------------ dobook's own state

    def meta(self, key: str) -> Any:
        """Return one of dobook's own values, None if it was never set."""
        row = self._state.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def notes(self) -> dict[str, Any]:
        """Return the values that are none of dobook's own, which deployments keep."""
        rows = self._state.execute("SELECT key, value FROM meta").fetchall()
        return {key: value for key, value in rows if key not in OWN_META}

    def set_meta(self, **values: Any) -> None:
        """Store some of dobook's own values."""
        self._state.begin()
        self._state.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())
        self._state.commit()

    def keep_clock(self, now_ms: int, *, step_ms: int) -> None:
        """Remember the time, if so much has passed since that was done last."""
        if now_ms - self._clock_ms >= step_ms:
            self._clock_ms = now_ms
            with contextlib.suppress(SqliteError):  # it is of less worth than what it is kept for
                self.set_meta(clock_ms=now_ms)

    def flush(self) -> None:
        """Write the names that are new."""
        if self._new_names:
            names, self._new_names = self._new_names, []
            self._state.begin()
            self._state.executemany("INSERT OR REPLACE INTO names VALUES (?, ?, ?)", names)
            self._state.commit()

    # ------------------------------------------------------------------ alarms

    def alarms(self, unique_key: str) -> list[Alarm]:
        """Return (id, time in ms since 1970, name) of the alarms that were left.

        After an unclean end the objects' own files are asked, as the index may be behind.
        """
        if self.was_clean:
            listed = read_index(self.path / unique_key)
            if listed is not None:
                return listed
        found = []
        for identity in self.ids(unique_key):
            pending = self.backlog.get((unique_key, identity))
            if pending is not None and pending.alarm is not None:
                (at_ns,) = pending.alarm
                at_ms = None if at_ns is None else at_ns // schema.NS_PER_MS
            else:
                try:
                    at_ms = alarm_in(self.file(unique_key, identity))
                except (SqliteError, StateDirectoryError) as error:
                    # Whoever uses the object is told; its alarm is looked for again next time.
                    warnings.warn(f"an object's alarm cannot be read: {error}", stacklevel=5)
                    self._unread = True
                    continue
            if at_ms is not None:
                found.append((identity, at_ms, self.name(unique_key, identity)))
        return sorted(found, key=lambda row: (row[1], row[0]))

    async def write_alarms(self, unique_key: str, alarms: Iterable[Alarm]) -> None:
        """Write the index of a class's alarms, off the loop's thread."""
        await write_index(self.path / unique_key, alarms)

    # ------------------------------------------------------------------ the end

    def forked(self) -> None:
        """Leave the directory to the parent of this process, which keeps the lock."""
        self._lock.close()

    def close(self) -> None:
        """Close every file and let the directory go."""
        for store in list(self._open):
            store.close()
        self._open.clear()
        self.flush()
        if self.history is not None:
            self.history.close()
        self.set_meta(clean=0 if self.waiting or self._unread else 1)
        self._state.close()
        self.journal.close()
        self.backlog.close()
        self._lock.close()


def state_root(path: Path) -> Path:
    """Return where a state directory has its classes: itself, or `v3/do` below it.

    Args:
        path: A state directory, or what wrangler was given with `--persist-to`, its `.wrangler`
            folder, or the folder of a project that has one.
    """
    if (path / OWN).exists():
        return path
    for below in WRANGLER_ROOTS:
        if (path / below).is_dir():
            return path / below / OBJECTS
    if path.name == "v3" and path.is_dir():
        return path / OBJECTS
    return path


def _lock(file: Path, directory: Path) -> IO[str]:
    if sys.platform == "emscripten":
        raise StateDirectoryError(
            f"{directory} cannot be used: its files are written by threads, which Python in a "
            "browser has not. Leave the directory out; state in memory works."
        )
    try:
        handle = file.open("a+", encoding="ascii")
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
        handle.close()
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


def _databases_allowed() -> int:
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
