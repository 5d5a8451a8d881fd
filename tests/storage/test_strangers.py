"""A state directory from a stranger: nothing in it leads dobook outside, or makes it fail oddly."""

import os
import struct
import warnings
import zlib

import pytest

from dobook import Runtime
from dobook.codec import serialize
from dobook.errors import DobookError, StateDirectoryError
from dobook.ids import IdFactory
from dobook.storage.checking import check_state
from dobook.storage.entries import Entry, encode
from dobook.storage.journal import Journal, read_journal
from tests.storage.damaged_state import Box

KEY = "dobook-Box"
ID = IdFactory(KEY).from_name("a").toString()
ROW = ("k", serialize(1))


def directory(tmp_path, *payloads, clock_ms=1_000):
    """Make a state directory whose journal has these records, with valid checksums."""
    path = tmp_path / "outer" / "state"
    (path / ".dobook").mkdir(parents=True)
    journal = Journal(path / ".dobook" / "journal")
    journal.restart(clock_ms)
    for payload in payloads:
        if isinstance(payload, bytes):
            record = journal._record(payload, clock_ms)
            with (path / ".dobook" / "journal").open("r+b") as file:
                file.seek(journal._position)
                file.write(record)
            journal._position += len(record)
        else:
            journal.append(payload, clock_ms)
    journal.close()
    return path


def used(path):
    """Open a directory and use its object; returns what it has, or why it is refused."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with Runtime(path) as runtime:
                runtime.register(Box)
                namespace = runtime.namespace("BOX")
                try:
                    found = runtime.run(
                        namespace.get(namespace.idFromString(ID)).everything(with_sql=False)
                    )
                except DobookError as error:
                    found = error
                repr(runtime), runtime.objects()
        except DobookError as error:
            found = error
    return found, [str(warning.message) for warning in caught]


def outside(path):
    """Return what is beside a state directory."""
    return sorted(
        str(p.relative_to(path.parent.parent))
        for p in path.parent.parent.rglob("*")
        if path not in (p, *p.parents)
    )


ODD_NAMES = [
    "", ".", "..", "../victim", "/etc", "a/b", "a\\b", ".dobook", "C:", "NUL", "a\0b", "x" * 256,
    "a.", "\u202e", "~1", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
@pytest.mark.parametrize("what", [{"rows": [ROW]}, {"alarm": (1,)}, {"name": "a"}, {"seal": True},
                                  {"look": True}, {"new": True, "rows": [ROW]}], ids=str)  # fmt: skip
def test_a_class_that_cannot_be_a_folder_is_refused(tmp_path, name, what):
    path = directory(tmp_path, [Entry(name, ID, **{"rows": [], **what})])
    before = outside(path)
    assert check_state(path).damaged
    found, warned = used(path)
    if name == "\ud800":  # no text at all, so the record makes no sense
        found, (warned,) = None, warned
    assert "journal" in str(found or warned)
    assert found is None or isinstance(found, StateDirectoryError)
    assert outside(path) == before


@pytest.mark.parametrize(
    "identity", ["", "../../victim", ID.upper(), ID[:-1], f"{ID}0", "metadata"]
)
def test_an_id_that_is_none_is_refused(tmp_path, identity):
    path = directory(tmp_path, [Entry(KEY, identity, [ROW], new=True)])
    before = outside(path)
    assert check_state(path).damaged
    found, _ = used(path)
    assert isinstance(found, StateDirectoryError)
    assert "64 lower-case hex digits" in str(found)
    assert outside(path) == before


def header(flags, count, at_ns=0):
    names = b"".join(struct.pack("<i", len(text)) + text.encode() for text in (KEY, ID))
    return names + struct.pack("<bqi", flags, at_ns, count)


NONSENSE = {
    "a flag that does not exist": header(64, 0),
    "all flags": header(-1, 0),
    "a negative count": header(0, -1),
    "an absurd count": header(0, 2**31 - 1),
    "an absurd count with rows": header(0, 2**31 - 1) + struct.pack("<i", 0) * 1_000,
    "an absurd length": header(0, 1) + struct.pack("<i", 2**31 - 1),
    "a negative length": header(0, 1) + struct.pack("<i", -2),
    "a negative length of a value": header(0, 1) + struct.pack("<ici", 1, b"k", -2),
    "a key that is not text": header(0, 1) + struct.pack("<ici", 1, b"\xff", -1),
    "no name": header(8, 0),
    "noise": bytes(range(256)) * 4,
    "one byte": b"\x01",
    "a class of an absurd length": struct.pack("<i", 2**31 - 1) + b"x",
}


@pytest.mark.parametrize("payload", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize("behind", [0, 1])
def test_a_record_that_makes_no_sense_is_damage(tmp_path, payload, behind):
    good = [Entry(KEY, ID, [ROW], new=True)]
    path = directory(tmp_path, good, payload, *[good] * behind)
    assert check_state(path).damaged
    found, warned = used(path)
    assert found[0] == [["k", 1]]
    (text,) = warned
    assert "journal" in text
    assert (path / ".dobook" / "journal.damaged").exists()
    assert used(path) == (found, [])


ODD_ENTRIES = {
    "a key that is half a pair": Entry(KEY, ID, [("\ud800", serialize(1))], new=True),
    "an empty key": Entry(KEY, ID, [("", serialize(1))], new=True),
    "a long key": Entry(KEY, ID, [("k" * 100_000, serialize(1))], new=True),
    "a value of nothing": Entry(KEY, ID, [("k", b"")], new=True),
    "a value that is not one": Entry(KEY, ID, [("k", b"\xff\x0f\xff")], new=True),
    "a large value": Entry(KEY, ID, [("k", serialize("x" * 5_000_000))], new=True),
    "a name that is half a pair": Entry(KEY, ID, [ROW], new=True, name="\ud800"),
    "a name of another object": Entry(KEY, ID, [ROW], new=True, name="b"),
    "an empty name": Entry(KEY, ID, [ROW], new=True, name=""),
    "a long name": Entry(KEY, ID, [ROW], new=True, name="n" * 1_000_000),
    "an alarm before time": Entry(KEY, ID, [ROW], alarm=(-2,), new=True),
    "the first alarm": Entry(KEY, ID, [ROW], alarm=(-(2**63),), new=True),
    "the last alarm": Entry(KEY, ID, [ROW], alarm=(2**63 - 1,), new=True),
    "everything": Entry(KEY, ID, [ROW], (5,), seal=True, new=True, name="a", look=True),
    "a class nobody has": Entry("nobody-Nothing", ID, [ROW], new=True),
    "an id of another class": Entry(KEY, "0" * 64, [ROW], new=True),
}


@pytest.mark.parametrize("entry", ODD_ENTRIES.values(), ids=ODD_ENTRIES)
def test_an_odd_entry_is_taken_in_or_refused_in_words(tmp_path, entry):
    path = directory(tmp_path, [entry])
    before = outside(path)
    check_state(path)
    for _ in range(2):
        used(path)
    check_state(path)
    assert outside(path) == before


@pytest.mark.parametrize("clock_ms", [-(2**63), -1, 0, 2**53, 2**63 - 1])
def test_a_clock_that_makes_no_sense_is_no_reason_to_fail(tmp_path, clock_ms):
    path = directory(tmp_path, [Entry(KEY, ID, [ROW], new=True)], clock_ms=clock_ms)
    check_state(path)
    for _ in range(2):
        assert used(path)[0][0] == [["k", 1]]


def test_many_heads_and_marks_are_read_in_bounded_time(tmp_path):
    path = directory(tmp_path)
    file = path / ".dobook" / "journal"
    data = bytearray(file.read_bytes())
    mark = b"dbr2" + data[4:20]
    data[4_096:] = (mark + struct.pack("<Iq", 2**31, 0)) * 30_000
    file.write_bytes(data)
    assert read_journal(file).entries == []


LINKS = [
    ".dobook", ".dobook/journal", ".dobook/journal.new", ".dobook/journal.damaged",
    ".dobook/ledger", ".dobook/lock", ".dobook/state.sqlite", ".dobook/state.sqlite-wal",
    ".dobook/state.sqlite.damaged", ".dobook/history.sqlite", ".dobook/history.sqlite-wal", KEY,
    f"{KEY}/{ID}.sqlite", f"{KEY}/{ID}.sqlite-wal", f"{KEY}/{ID}.sqlite.new",
    f"{KEY}/metadata.sqlite", f"{KEY}/metadata.sqlite-wal", f"{KEY}/metadata.sqlite.new",
    f"{KEY}/metadata.sqlite.damaged",
]  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
@pytest.mark.parametrize("place", LINKS)
@pytest.mark.parametrize("target", ["file", "missing", "folder"])
@pytest.mark.parametrize("left", ["fresh", "closed", "damaged"])
def test_a_planted_link_is_never_followed(tmp_path, place, target, left):
    path = tmp_path / "outer" / "state"
    if left != "fresh":
        with Runtime(path) as runtime:
            runtime.run(runtime.register(Box).getByName("a").put({"k": 1}))
            runtime.run(runtime.stub("BOX/a").set_alarm(4_000_000_000_000))
    if left == "damaged":  # so that files are made anew, and set aside
        for file in path.rglob("*.sqlite"):
            file.write_bytes(b"not what it was\n" * 400)
        (path / ".dobook" / "journal").write_bytes(b"not what it was\n" * 400)
    link, victim = path / place, tmp_path / "outer" / "victim"
    link.parent.mkdir(parents=True, exist_ok=True)
    if target == "file":
        victim.write_bytes(b"precious")
    elif target == "folder":
        victim.mkdir()
    if link.is_dir():
        link.rename(tmp_path / "moved")
    elif link.exists():
        link.unlink()
    link.symlink_to(victim)
    check_state(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Runtime(path) as runtime:
                box = runtime.register(Box).getByName("a")
                try:
                    runtime.run(box.put({"k": 2}))
                    runtime.run(box.insert("x"))
                    runtime.run(box.set_alarm(4_000_000_000_001))
                except DobookError:
                    pass
        except StateDirectoryError:
            pass
    if target == "file":
        assert victim.read_bytes() == b"precious"
    elif target == "folder":
        assert list(victim.iterdir()) == []
    else:
        assert not victim.exists()


def test_the_checksum_of_a_record_is_what_the_tests_take_it_for(tmp_path):
    path = directory(tmp_path, [Entry(KEY, ID, [ROW])])
    data = (path / ".dobook" / "journal").read_bytes()
    payload = encode(Entry(KEY, ID, [ROW]))
    bare = data[4_096 : 4_096 + 32]
    assert data[4_128:4_132] == zlib.crc32(payload, zlib.crc32(bare)).to_bytes(4, "little")
