"""The check of a state directory's journal."""

from pathlib import Path

from dobook.errors import StateDirectoryError
from dobook.storage import files
from dobook.storage.checking.findings import DAMAGE, NOTE, OK, StateReport
from dobook.storage.checking.own import OwnFacts
from dobook.storage.entries import Entry, replay
from dobook.storage.journal import damage_of, read_journal
from dobook.storage.layout import OWN
from dobook.storage.names import check_place
from dobook.storage.own_state import STATE_FILE

Place = tuple[str, str]


class JournalCheck:
    """The journal, and what it has of the objects.

    Args:
        report: Takes the findings.
        root: The state directory.
        path: The journal.

    Attributes:
        places: What it has of objects that count, by class and id.
        closed: Whether it says for sure that the directory was closed properly.
        trusted: Whether the indexes of alarms are read; after damage the objects are.
    """

    def __init__(self, report: StateReport, root: Path, path: Path) -> None:
        self._report = report
        self._root = root
        self._path = path
        self.places: dict[Place, Entry] = {}
        self.trusted = True
        self.closed = False

    @property
    def classes(self) -> set[str]:
        """The classes that it has something of."""
        return {
            unique_key
            for (unique_key, _), entry in self.places.items()
            if entry.rows or entry.alarm is not None
        }

    def check(self, own: OwnFacts) -> None:
        """Read the journal and add what is to be said of it."""
        report, place = self._report, f"{OWN}/journal"
        if not files.size_of_file(self._path):
            if own.closed:
                report.add(OK, place, "journal", "there is none, and none is needed.")
            else:
                self._damaged("it is missing, although the directory was not closed properly", "")
            return
        try:
            found = read_journal(self._path)
            damage = damage_of(found, closed=own.closed)
            counts = not (found.old and own.closed) and not found.clean
            if counts or damage:
                replay(found.entries, self._take)
        except StateDirectoryError as error:
            report.add(DAMAGE, place, "journal", str(error), "The directory is refused.")
            return
        except OSError as error:
            report.add(DAMAGE, place, "journal", f"it cannot be read ({error.strerror}).")
            return
        if own.is_new and found.generation > 1:
            what = "it is missing, and so is the ledger."
            then = "The names of objects are lost."
            report.add(DAMAGE, f"{OWN}/{STATE_FILE}", "state", what, then)
        if damage:
            self._damaged(damage, " A copy is kept as journal.damaged.")
            return
        if found.head_copies == 1:
            what = "one of the two copies of its head cannot be read; the other is good."
            report.add(NOTE, place, "head", what, "It is written anew.")
        waiting = sum(1 for e in self.places.values() if e.rows or e.alarm is not None)
        self.closed = found.clean
        if found.clean:
            what = f"generation {found.generation}, closed properly: everything is in the files."
        else:
            what = (
                f"generation {found.generation}, not closed: the last writes of {waiting} objects "
                f"wait in {len(found.entries)} entries for their files."
            )
        report.add(OK, place, "journal", what)

    def _damaged(self, damage: str, kept: str) -> None:
        self.trusted = False
        self._report.add(
            DAMAGE,
            f"{OWN}/journal",
            "journal",
            f"{damage}.",
            f"Everything that can be read is recovered, of {len(self.classes)} classes; the last "
            f"writes of others may be missing.{kept}",
        )

    def _take(self, entry: Entry) -> None:
        self.places[check_place(entry.unique_key, entry.id, self._path)] = entry
