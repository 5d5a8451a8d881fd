"""The check of a state directory: its own files, and the folder of each class.

Nothing is written, locked or followed. A runtime may have the directory open meanwhile.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dobook.errors import StateDirectoryError
from dobook.storage.checking.classes import ClassFolder
from dobook.storage.checking.copies import flaw_of_file
from dobook.storage.checking.findings import DAMAGE, NOTE, OK, StateReport
from dobook.storage.checking.journal import JournalCheck
from dobook.storage.checking.odd import note_odd_file
from dobook.storage.checking.own import check_history, check_own_state
from dobook.storage.layout import OWN, state_root
from dobook.storage.lock import is_locked
from dobook.storage.names import is_segment

LOW_SPACE_BYTES: Final = 16 * 1024 * 1024
_OWN_FILES: Final = ("lock", "journal", "state.sqlite", "ledger", "history.sqlite")


def check_state(
    path: str | Path, *, progress: Callable[[int, int], object] = lambda done, total: None
) -> StateReport:
    """Check a state directory and return what is right and what is not.

    Args:
        path: A state directory of dobook's, wrangler's or Miniflare's; it may be in use.
        progress: Called after each object with how many have been looked at, and how many there are,
            about.

    Raises:
        StateDirectoryError: If there is no such directory, or it cannot be listed.
    """
    given = Path(path)
    try:
        root = state_root(given)
        if not root.is_dir():
            raise StateDirectoryError(f"{given} is not a directory. Give a state directory.")
        names = sorted(os.listdir(root))  # noqa: PTH208
    except (OSError, ValueError) as error:
        if isinstance(error, StateDirectoryError):
            raise
        raise StateDirectoryError(f"{given} cannot be looked at ({error}).") from error
    return _Check(root, progress).run(names)


class _Check:
    def __init__(self, root: Path, progress: Callable[[int, int], object]) -> None:
        self._root = root
        self._own = root / OWN
        self._progress = progress
        self._report = StateReport(str(root))

    def run(self, names: list[str]) -> StateReport:
        report = self._report
        journal = JournalCheck(report, self._root, self._own / "journal")
        report.in_use = is_locked(self._own / "lock")
        if OWN in names:
            self._check_own(journal)
        else:
            report.add(OK, ".", "own", "it has not been opened by dobook yet.")
        classes = set(journal.classes)
        for name in names:
            if name != OWN and self._is_class(name):
                classes.add(name)
        done, total = 0, sum(map(self._count, classes))
        for name in sorted(classes):
            folder = ClassFolder(report, self._root, name, journal)
            for _ in folder.check():
                done += 1
                self._progress(done, max(done, total))
            report.classes += folder.objects > 0
            report.objects += folder.objects
        self._check_space()
        report.finish()
        return report

    def _count(self, unique_key: str) -> int:
        """Return about how many objects a class has."""
        try:
            with os.scandir(self._root / unique_key) as entries:
                return sum(len(entry.name) == len(f"{'0' * 64}.sqlite") for entry in entries)
        except OSError:
            return 0

    def _check_own(self, journal: JournalCheck) -> None:
        report = self._report
        if self._own.is_symlink() or not self._own.is_dir():
            kind = "a symbolic link" if self._own.is_symlink() else "not a folder"
            report.add(
                DAMAGE,
                OWN,
                "own",
                f"it is {kind}, where dobook keeps its own files.",
                "The directory is refused until it is replaced.",
            )
            return
        try:
            names = sorted(os.listdir(self._own))  # noqa: PTH208
        except OSError as error:
            report.add(DAMAGE, OWN, "own", f"it cannot be listed ({error.strerror}).")
            return
        refused = set()
        for name in _OWN_FILES:
            flaw = flaw_of_file(self._own / name)
            if flaw is not None:
                refused.add(name)
                then = "The directory is refused until it is replaced."
                report.add(DAMAGE, f"{OWN}/{name}", "file", f"{flaw}.", then)
        state = check_own_state(report, self._own, refused)
        if "journal" not in refused:
            journal.check(state)
        if "history.sqlite" not in refused:
            check_history(report, self._own / "history.sqlite")
        known = {*_OWN_FILES, "state.sqlite-wal", "history.sqlite-wal"}
        known |= {"state.sqlite-shm", "history.sqlite-shm"}
        for name in names:
            if name not in known:
                note_odd_file(report, f"{OWN}/{name}", name)

    def _is_class(self, name: str) -> bool:
        """Return whether a directory entry is a class's folder; add a finding for an odd one."""
        report, path = self._report, self._root / name
        if path.is_symlink():
            if is_segment(name):
                then = "Objects in it are refused. Replace the link by the folder it points to."
                report.add(DAMAGE, name, "link", "it is a symbolic link.", then)
            else:
                note_odd_file(report, name, name)
            return False
        if path.is_dir() and is_segment(name):
            return True
        note_odd_file(report, name, name)
        return False

    def _check_space(self) -> None:
        report = self._report
        if not os.access(self._root, os.W_OK):
            what = "it cannot be written by this user."
            report.add(NOTE, ".", "permission", what, "A runtime refuses it; it can be read.")
        try:
            free = shutil.disk_usage(self._root).free
        except OSError:
            return
        if free < LOW_SPACE_BYTES:
            what = f"the disk has {free / 1_048_576:.1f} MiB left."
            report.add(NOTE, ".", "space", what, "Writes fail when it is full; nothing is lost.")
