"""The check of what dobook keeps beside the objects: names, the clock, notes, history."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dobook.errors import StateDirectoryError
from dobook.ids import IdFactory
from dobook.storage import files
from dobook.storage.blank import is_half_made
from dobook.storage.checking.copies import copied, flaw_of_database
from dobook.storage.checking.findings import DAMAGE, NOTE, OK, StateReport
from dobook.storage.connection import Connection, SqliteError, error_text
from dobook.storage.facts import is_name_of
from dobook.storage.layout import OWN
from dobook.storage.ledger import Unreadable, read_ledger_lines
from dobook.storage.migrations import check_plain
from dobook.storage.own_state import LEDGER_FILE, STATE_FILE
from dobook.storage.rows import has_table

_STATE = f"{OWN}/{STATE_FILE}"
_LEDGER = f"{OWN}/{LEDGER_FILE}"
_REBUILT = "It is set aside, and the names are made again from the ledger."


@dataclass
class OwnFacts:
    """What else depends on.

    Attributes:
        is_new: Whether there is neither a state file nor a ledger.
        closed: Whether `state.sqlite` says that the directory was closed properly.
    """

    is_new: bool = False
    closed: bool = True


def check_own_state(report: StateReport, own: Path, refused: set[str]) -> OwnFacts:
    """Check `state.sqlite`, the ledger, and whether they agree.

    Args:
        report: Takes the findings.
        own: The folder `.dobook`.
        refused: Names of files that cannot be read at all.
    """
    facts = OwnFacts()
    state, ledger = own / STATE_FILE, own / LEDGER_FILE
    if STATE_FILE in refused:
        return facts
    has_ledger = files.exists(ledger) and LEDGER_FILE not in refused
    if not files.size_of_file(state) or is_half_made(state):
        if has_ledger:
            what = "it is missing." if not files.exists(state) else "it is empty."
            report.add(NOTE, _STATE, "state", what, "It is made again from the ledger.")
        facts.is_new = not has_ledger
        if has_ledger:
            for number, _ in _unreadable(ledger):
                report.add(DAMAGE, _LEDGER, "ledger", f"line {number} cannot be read.")
        return facts
    try:
        with copied(state) as db:
            flaw = flaw_of_database(db, state)
            if flaw is None:
                flaw = _compare(report, db, ledger if has_ledger else None, facts)
    except StateDirectoryError as error:
        flaw = _without(str(error), state)
    except SqliteError as error:
        flaw = error_text(error)
    if flaw is not None:
        then = _REBUILT if has_ledger else "It is set aside, and the names are lost."
        report.add(DAMAGE, _STATE, "state", f"{flaw}.".replace("..", "."), then)
    return facts


def _without(text: str, path: Path) -> str:
    return text.replace(f"{path} ", "it ", 1).partition(" It is left as it is")[0]


def _compare(
    report: StateReport, db: Connection, ledger: Path | None, facts: OwnFacts
) -> str | None:
    """Compare a copy of the state file with the ledger; returns why the file cannot be used."""
    check_plain(db, Path(STATE_FILE))
    for table in ("meta", "names"):
        if not has_table(db, table):
            return f"its table {table} is missing"
    clean = db.execute("SELECT value FROM meta WHERE key = 'clean'").fetchone()
    facts.closed = clean is None or clean[0] in (None, 1)
    factories: dict[str, IdFactory] = {}
    names = 0
    for unique_key, identity, name in db.execute("SELECT unique_key, id, name FROM names"):
        names += 1
        if not is_name_of(factories, unique_key, identity, name):
            then = "The name is taken from the ledger, if that has it."
            what = f"the name {name!r} does not lead to the id {identity!r} of {unique_key!r}."
            report.add(DAMAGE, _STATE, "name", what, then)
    report.add(OK, _STATE, "state", f"it can be read and knows {names:,} names.")
    if ledger is None:
        then = f"It is made again from {STATE_FILE}."
        report.add(NOTE, _LEDGER, "ledger", "it is missing or cannot be read.", then)
        return None
    db.execute("CREATE TEMP TABLE known (unique_key, id, name, PRIMARY KEY (unique_key, id))")
    bad = 0
    for line in read_ledger_lines(ledger):
        match line:
            case Unreadable(number):
                bad += 1
                what = f"line {number} cannot be read."
                report.add(NOTE, _LEDGER, "line", what, f"{STATE_FILE} has what it said.")
            case ("name", str() as unique_key, str() as identity, str() as name):
                db.execute(
                    "INSERT OR REPLACE INTO known VALUES (?, ?, ?)", (unique_key, identity, name)
                )
            case ("gone", str() as unique_key):
                db.execute("DELETE FROM known WHERE unique_key = ?", (unique_key,))
    lost = db.execute(
        "SELECT unique_key, id, name FROM known EXCEPT SELECT unique_key, id, name FROM names"
    ).fetchall()
    for unique_key, identity, name in lost:
        what = f"it lacks the name {name!r} of {unique_key}/{identity}, which the ledger has."
        report.add(DAMAGE, _STATE, "lost-name", what, "It is taken from the ledger.")
    if not bad:
        missing = db.execute(
            "SELECT count(*) FROM (SELECT unique_key, id FROM names EXCEPT "
            "SELECT unique_key, id FROM known)"
        ).fetchone()[0]
        if missing:
            what = f"it lacks {missing:,} names, which {STATE_FILE} has."
            report.add(NOTE, _LEDGER, "ledger", what)
        else:
            report.add(OK, _LEDGER, "ledger", "all its lines can be read.")
    return None


def _unreadable(ledger: Path) -> Any:
    for line in read_ledger_lines(ledger):
        if isinstance(line, Unreadable):
            yield line


def check_history(report: StateReport, path: Path) -> None:
    """Check the file that point-in-time recovery goes back to."""
    place = f"{OWN}/{path.name}"
    if not files.size_of_file(path):
        report.add(OK, place, "history", "there is none: objects can go back to nothing older.")
        return
    try:
        with copied(path) as db:
            flaw = flaw_of_database(db, path)
            if flaw is None:
                check_plain(db, path)
                missing = [t for t in ("meta", "objects", "points", "undo") if not has_table(db, t)]
                flaw = f"its table {missing[0]} is missing" if missing else None
    except StateDirectoryError as error:
        flaw = _without(str(error), path)
    except SqliteError as error:
        flaw = error_text(error)
    if flaw is None:
        report.add(OK, place, "history", "it can be read.")
    else:
        then = "It is set aside, and history begins anew."
        report.add(DAMAGE, place, "history", f"{flaw}.".replace("..", "."), then)
