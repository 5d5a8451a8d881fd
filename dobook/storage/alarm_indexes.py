"""Which alarms the objects of a state directory have, without opening their files.

Each class has an index (`alarm_index`). Changes are collected here and written to it at a checkpoint;
until then the journal has them, or says to look at the object's own file.
"""

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

from dobook.errors import StateDirectoryError
from dobook.storage import files, schema
from dobook.storage.alarm_index import (
    METADATA,
    Alarm,
    alarm_in,
    change_index,
    create_index,
    is_unfilled,
    read_index,
    set_index_aside,
    write_index,
)
from dobook.storage.blank import is_damage_of_own
from dobook.storage.connection import STORAGE_ERRORS, SqliteError
from dobook.storage.pending_files import progress_bar

Place = tuple[str, str]


class AlarmIndexes:
    """The alarms of a state directory.

    Args:
        folder: Returns where a class has its files.
        name: Returns the name of an object, None if it is not known.
        power_safe: Whether to wait for the disk.

    Attributes:
        was_clean: Whether the directory was closed properly, so that the indexes are right as
            they are.
    """

    def __init__(
        self,
        folder: Callable[[str], Path],
        name: Callable[[Place], str | None],
        *,
        power_safe: bool,
    ) -> None:
        self._folder = folder
        self._name = name
        self._power_safe = power_safe
        self.was_clean = True
        self._changes: dict[str, dict[str, int | None]] = {}  # since the last checkpoint, in ns
        self._look: set[Place] = set()  # objects whose alarm is to be read from the file
        self._unread: set[str] = set()  # classes with files whose alarms could not be read

    @property
    def unread(self) -> bool:
        """Whether there are objects whose alarms could not be read."""
        return bool(self._unread)

    def look(self, place: Place) -> None:
        """Note that an object's alarm has to be read from its file."""
        self._look.add(place)

    def changed(self, place: Place, at_ns: int | None) -> None:
        """Note an alarm that the class's index does not have yet, in ns since 1970."""
        self._changes.setdefault(place[0], {})[place[1]] = at_ns
        self._look.discard(place)

    def create(self, unique_key: str) -> None:
        """Make the empty index of a class that has no objects yet.

        Raises:
            OSError: If the disk refuses.
        """
        folder = self._folder(unique_key)
        if not files.exists(folder / METADATA):
            create_index(folder, power_safe=self._power_safe)

    def distrust(self, root: Path) -> None:
        """Delete all indexes, as changes to them may have been lost: files are read instead."""
        for index in root.glob(f"*/{METADATA}"):
            files.remove_database(index)

    def checkpoint(self) -> None:
        """Bring the indexes up to date, and wait for the disk.

        Raises:
            StateDirectoryError: If one cannot be written.
        """
        # The checkpoint deletes the journal's record of which alarms have changed: read them now.
        for place in list(self._look):
            self._take_from_file(place)
        for unique_key in self._unread:  # without an index all files are read again
            files.remove_database(self._folder(unique_key) / METADATA)
        for unique_key, changes in list(self._changes.items()):
            folder = self._folder(unique_key)
            if not files.exists(folder / METADATA) or is_unfilled(folder):
                continue  # a partial index would hide alarms; without one all files are read
            rows = {
                identity: (_in_ms(at_ns), self._name((unique_key, identity)))
                for identity, at_ns in changes.items()
            }
            try:
                change_index(folder, rows, power_safe=self._power_safe)
            except STORAGE_ERRORS as error:
                if is_damage_of_own(folder / METADATA, error):
                    set_index_aside(folder / METADATA, error)
                    continue
                raise StateDirectoryError(
                    f"the alarms of {unique_key} cannot be written ({error})."
                ) from error
            del self._changes[unique_key]

    def of_class(self, unique_key: str, ids: Callable[[str], list[str]]) -> list[Alarm]:
        """Return (id, time in ms since 1970, name) of the alarms that were left.

        After an unclean end the index is as it was at the last checkpoint: what the journal knows
        comes on top. Without an index the objects' own files are read.

        Args:
            unique_key: The class.
            ids: Returns the ids of all its objects.
        """
        folder = self._folder(unique_key)
        listed = read_index(folder)
        found: dict[str, int | None] = {}
        names: dict[str, str | None] = {}
        look = {place[1] for place in self._look if place[0] == unique_key}
        if listed is None:
            look.update(ids(unique_key))
        else:
            found = {identity: at_ms for identity, at_ms, _ in listed}
            names = {identity: name for identity, _, name in listed}
        with progress_bar(len(look), "reading alarms of") as bar:
            for identity in look:
                place = unique_key, identity
                if place in self._look:
                    self._take_from_file(place)
                else:
                    found[identity] = self._in_file(place)
                bar.add()
        for identity, at_ns in self._changes.get(unique_key, {}).items():
            found[identity] = _in_ms(at_ns)
        rows = [
            (identity, at_ms, names.get(identity) or self._name((unique_key, identity)))
            for identity, at_ms in found.items()
            if at_ms is not None
        ]
        return sorted(rows, key=lambda row: (row[1], row[0]))

    def _take_from_file(self, place: Place) -> None:
        """Note the alarm that an object's file has as a change that the index does not have."""
        at_ms = self._in_file(place)
        self.changed(place, None if at_ms is None else at_ms * schema.NS_PER_MS)

    def _in_file(self, place: Place) -> int | None:
        unique_key, identity = place
        try:
            return alarm_in(self._folder(unique_key) / f"{identity}.sqlite")
        except STORAGE_ERRORS as error:
            # Who uses the object gets the error; its alarm is looked for the next time.
            warnings.warn(f"an object's alarm cannot be read: {error}", stacklevel=7)
            self._unread.add(unique_key)
            return None

    async def write(self, unique_key: str, alarms: Iterable[Alarm]) -> None:
        """Write the index of a class whole, off the loop's thread.

        Raises:
            SqliteError: If it cannot be written.
        """
        folder = self._folder(unique_key)
        if unique_key in self._unread:  # it would lack some; without one all files are read again
            files.remove_database(folder / METADATA)
        else:
            rows = list(alarms)
            try:
                await write_index(folder, rows, power_safe=self._power_safe)
            except SqliteError as error:
                if not is_damage_of_own(folder / METADATA, error):
                    raise
                set_index_aside(folder / METADATA, error)
                await write_index(folder, rows, power_safe=self._power_safe)
        self._changes.pop(unique_key, None)

    def delete_class(self, unique_key: str) -> None:
        """Forget a class."""
        self._changes.pop(unique_key, None)
        self._look = {place for place in self._look if place[0] != unique_key}
        self._unread.discard(unique_key)


def _in_ms(at_ns: int | None) -> int | None:
    return None if at_ns is None else at_ns // schema.NS_PER_MS
