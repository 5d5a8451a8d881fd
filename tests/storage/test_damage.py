"""A damaged state directory: told in words, nothing lost in silence, and the check knows before.

Each file of a directory is damaged in each way, one at a time, and the directory is opened twice.
"""

import shutil

import pytest

from dobook.errors import StateDirectoryError
from dobook.storage.checking import check_state
from tests.storage.damaged_state import NOTE, SQL, THOROUGH, damages, look, make

HEADER = (0, 16, 18, 19, 24, 47, 59)  # bytes of a database: magic, page size, versions, ...
DATABASES = ("metadata", "kv", "large", "sql", "both", "alarm", "moved", "late")


@pytest.fixture(scope="module", params=["closed", "killed"])
def original(request, tmp_path_factory):
    """A directory, what its objects have, and how it was left."""
    path = tmp_path_factory.mktemp("state") / request.param
    return path, make(path, "process", how=request.param), request.param


def file_of(path, model, which):
    """Return a file of a directory, given in words; `-wal` behind a word means its log."""
    word, _, log = which.partition("-")
    suffix = f"-{log}" if log else ""
    if word.partition(".")[0] in ("journal", "ledger", "state", "history"):
        return path / ".dobook" / f"{word}{suffix}"
    if word == "metadata":
        return path / "dobook-Box" / f"metadata.sqlite{suffix}"
    (identity,) = (i for (b, i), kept in model.items() if b == "BOX" and kept[0] == word)
    return path / "dobook-Box" / f"{identity}.sqlite{suffix}"


class Case:
    """A damaged copy of a directory: checked, then opened twice."""

    def __init__(self, original, tmp_path, which, durability="process"):
        self.source, self.model, self.how = original
        self.path = tmp_path / "state"
        self.which = which
        self.durability = durability
        self.file = file_of(self.path, self.model, which)
        name = which.partition("-")[0]
        self.own = {key for key, kept in self.model.items() if key[0] == "BOX" and kept[0] == name}
        self.due = {key: kept[3] for key, kept in self.model.items() if kept[3] is not None}

    def damaged(self, data):
        """Give the file these bytes, and look at what comes of it."""
        if self.path.exists():
            shutil.rmtree(self.path)
        shutil.copytree(self.source, self.path)
        if data is None:
            self.file.unlink()
        else:
            self.file.write_bytes(data)
        self.opened()

    def opened(self):
        before = bytes_of(self.path)
        self.report = check_state(self.path)
        assert bytes_of(self.path) == before, "a check changes nothing"
        self.first = look(self.path, self.model, self.durability)
        self.evidence = sorted(p.name for p in self.path.rglob("*.damaged*"))
        self.second = look(self.path, self.model, self.durability)

    @property
    def lost(self):
        """The objects that are not as they were, and not refused in words."""
        found = self.first.contents
        return {
            key
            for key, kept in self.model.items()
            if found.get(key) != kept and not isinstance(found.get(key), Exception)
        }

    @property
    def refused(self):
        found = self.first.contents
        return {key for key in self.model if isinstance(found.get(key), Exception)}

    @property
    def told(self):
        """Whether anything was said about it."""
        return bool(self.first.refusal or self.first.warned or self.refused)

    @property
    def second_is_quiet(self):
        """Whether the second opening warns of nothing but a file that is still damaged."""
        about = [text for text in self.second.warned if self.file.name not in text]
        return not about and self.second.contents.keys() == self.first.contents.keys()

    def says(self):
        return (
            f"{self.report}\nrefused: {self.first.refusal}\nwarned: {self.first.warned}\n"
            f"lost: {self.lost}\nerrors: {[self.first.contents[key] for key in self.refused]}\n"
            f"again: {self.second.refusal} {self.second.warned}"
        )


def bytes_of(path):
    return {p.name: p.read_bytes() for p in path.rglob("*") if p.is_file() and not p.is_symlink()}


def records_of(data):
    """Return where the journal's records begin that count, by the mark of the last generation."""
    generation = data[4:20]
    found, at = [], 4_096
    while (at := data.find(b"dbr2" + generation, at)) >= 0:
        found.append(at)
        at += 1
    return found


# ---------------------------------------------------------------------- the journal


@pytest.mark.slow
@pytest.mark.parametrize("durability", ["process", "power"])
def test_a_damaged_journal_gives_all_that_can_be_read_and_says_what_may_be_missing(
    original, tmp_path, durability
):
    case = Case(original, tmp_path, "journal", durability)
    data = (case.source / ".dobook" / "journal").read_bytes()
    records = records_of(data)
    end = len(data.rstrip(b"\0"))
    fields = [0, 4, 12, 20, 21, 29, 2_048]  # of the head: each field of it, and the second copy
    for at in records:
        fields += [at, at + 4, at + 12, at + 20, at + 24, at + 32, at + 36]
    chosen = fields if THOROUGH else fields[::9]
    for what, damaged in damages(data, end=end, always=chosen):
        case.damaged(damaged)
        said = f"{what}\n{case.says()}"
        kind, at = what.split()[0], int(what.split()[-1]) if what[-1].isdigit() else None
        assert case.first.refusal is None, said
        assert not case.refused, said
        assert case.first.note == NOTE, said
        is_last = bool(records) and (
            (kind == "flipped" and at >= records[-1])
            or (kind == "zeroed" and records[-1] <= at + 511 and at + 511 >= records[-1])
        )
        if not is_last:
            assert not case.lost or case.first.warned, said
            assert case.report.damaged == bool(case.first.warned), said
        if case.first.warned:
            assert case.how == "killed" or len(case.lost) == 0, said
            assert ("journal.damaged" in case.evidence) == (what not in ("missing", "empty")), said
        assert case.second_is_quiet, said
        assert case.second.contents == case.first.contents, said


# ---------------------------------------------------------------------- dobook's own databases


@pytest.mark.slow
@pytest.mark.parametrize("which", ["state.sqlite", "state.sqlite-wal", "ledger"])
def test_names_and_notes_survive_the_loss_of_either_file(original, tmp_path, which):
    case = Case(original, tmp_path, which)
    file = file_of(case.source, case.model, which)
    if not file.exists():
        return  # only a killed process leaves a log
    data = file.read_bytes()
    for what, damaged in damages(data, always=HEADER):
        case.damaged(damaged)
        said = f"{what}\n{case.says()}"
        assert case.first.refusal is None, said
        assert case.first.contents == case.model, said
        assert case.first.note == NOTE, said
        assert case.first.scheduled == case.due, said
        if case.first.warned:
            assert "state.sqlite.damaged" in case.evidence, said
            assert case.report.damaged, said
        assert case.second_is_quiet, said
        assert case.second.contents == case.model, said


@pytest.mark.slow
@pytest.mark.parametrize("which", ["history.sqlite", "history.sqlite-wal"])
def test_a_damaged_history_costs_the_history_alone(original, tmp_path, which):
    case = Case(original, tmp_path, which)
    file = file_of(case.source, case.model, which)
    if not file.exists():
        return
    for what, damaged in damages(file.read_bytes(), always=HEADER):
        case.damaged(damaged)
        said = f"{what}\n{case.says()}"
        assert case.first.refusal is None, said
        assert case.first.contents == case.model, said
        if case.first.warned:
            assert "history.sqlite.damaged" in case.evidence, said
            assert case.report.damaged, said
        assert case.second_is_quiet, said


# ---------------------------------------------------------------------- the classes' files


@pytest.mark.slow
def test_alarms_are_read_from_the_objects_where_their_index_is_damaged(original, tmp_path):
    case = Case(original, tmp_path, "metadata")
    data = file_of(case.source, case.model, "metadata").read_bytes()
    for what, damaged in damages(data, always=HEADER):
        case.damaged(damaged)
        said = f"{what}\n{case.says()}\n{case.first.scheduled}"
        assert case.first.refusal is None, said
        assert case.first.contents == case.model, said
        if case.first.scheduled != case.due:  # a time is a number: SQLite cannot tell a wrong one
            assert what.startswith(("flipped", "zeroed")), said
            assert case.report.damaged, said
        if case.first.warned:
            assert "metadata.sqlite.damaged" in case.evidence, said
            assert case.report.damaged, said
        assert case.second_is_quiet, said


@pytest.mark.slow
@pytest.mark.parametrize("name", DATABASES[1:])
@pytest.mark.parametrize("log", ["", "-wal"])
def test_a_damaged_object_harms_no_other(original, tmp_path, name, log):
    case = Case(original, tmp_path, f"{name}{log}")
    file = file_of(case.source, case.model, f"{name}{log}")
    if not file.exists():
        return
    for what, damaged in damages(file.read_bytes(), always=HEADER):
        case.damaged(damaged)
        said = f"{what}\n{case.says()}"
        assert case.first.refusal is None, said
        assert case.lost | case.refused <= case.own, said
        assert all(
            isinstance(case.first.contents[key], StateDirectoryError) or name in SQL
            for key in case.refused
        ), said
        if case.refused or case.first.warned:
            assert case.report.damaged or log or what in ("missing", "empty"), said
        if case.lost and case.how == "closed":
            # SQLite has no checksums: a value may be another one. Nothing else is silent.
            assert what == "missing" or what.startswith(("flipped", "zeroed")), said
        assert case.second_is_quiet, said


# ---------------------------------------------------------------------- two files at once


def test_names_that_nothing_has_any_more_are_said_to_be_lost(original, tmp_path):
    case = Case(original, tmp_path, "state.sqlite")
    shutil.copytree(case.source, case.path)
    for file in (case.path / ".dobook").glob("*"):
        if file.name.startswith(("state.sqlite", "ledger")):
            file.unlink()
    case.opened()
    (text,) = case.first.warned
    assert "the names of objects are lost" in text
    assert case.report.damaged
    rest = {key: kept[1:] for key, kept in case.first.contents.items()}
    assert rest == {key: kept[1:] for key, kept in case.model.items()}
    assert case.second_is_quiet
