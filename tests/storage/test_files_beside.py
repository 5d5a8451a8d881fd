"""Files that a stranger has put beside a database: SQLite would follow, write over or delete."""

import contextlib
import os
import sqlite3
import struct

import pytest

from dobook import Runtime
from dobook.errors import StateDirectoryError
from dobook.storage.foreign_files import (
    check_database_files,
    check_regular,
    create_file,
    read_regular,
    replace_users_file,
)

MAGIC = bytes.fromhex("d9d505f920a163d7")


class Box:
    def __init__(self, ctx, env):
        self.storage = ctx.storage

    async def put(self, key, value):
        await self.storage.put(key, value)


def make_database(file):
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("PRAGMA page_size=4096")
        db.execute("CREATE TABLE t(x)")


def journal_that_names(file, victim):
    """Return a hot journal of a database whose super-journal is another file."""
    page, nonce, pages = file.read_bytes()[:4096], 1234, file.stat().st_size // 4096
    checksum = (nonce + sum(page[i] for i in range(4096 - 200, 0, -200))) & 0xFFFFFFFF
    head = (MAGIC + struct.pack(">IIIII", 1, nonce, pages, 512, 4096)).ljust(512, b"\0")
    record = struct.pack(">I", 1) + page + struct.pack(">I", checksum)
    name = os.fsencode(victim)
    total = sum(struct.unpack(f"{len(name)}b", name)) & 0xFFFFFFFF
    end = struct.pack(">I", 0x40000000 // 4096 + 1) + name + struct.pack(">II", len(name), total)
    return head + record + end + MAGIC


@pytest.fixture
def database(tmp_path):
    make_database(tmp_path / "x.sqlite")
    (tmp_path / "victim").write_text("precious\0")
    return tmp_path / "x.sqlite"


def test_sqlite_itself_deletes_what_a_journal_names(database, tmp_path):
    # Why there is a check: if SQLite stops doing so, this fails and the check may go.
    (tmp_path / "x.sqlite-journal").write_bytes(journal_that_names(database, tmp_path / "victim"))
    with contextlib.closing(sqlite3.connect(database)) as db:
        db.execute("SELECT * FROM t").fetchall()
    assert not (tmp_path / "victim").exists()


def test_a_journal_that_names_another_file_is_refused(database, tmp_path):
    check_database_files(database)
    (tmp_path / "x.sqlite-journal").write_bytes(journal_that_names(database, tmp_path / "victim"))
    with pytest.raises(StateDirectoryError, match="names another file, which SQLite would delete"):
        check_database_files(database)


@pytest.mark.parametrize("data", [b"", MAGIC[:-1], MAGIC + b"\0", bytes(10_000)])
def test_a_journal_that_names_none_is_sqlites_business(database, tmp_path, data):
    (tmp_path / "x.sqlite-journal").write_bytes(data)
    check_database_files(database)


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize("kind", ["link", "dangling", "folder", "pipe"])
def test_what_is_not_a_file_is_refused(database, tmp_path, suffix, kind):
    place = tmp_path / f"x.sqlite{suffix}"
    place.unlink(missing_ok=True)
    if kind == "pipe" and os.name == "nt":
        pytest.skip("Windows has none")
    {
        "link": lambda: place.symlink_to(tmp_path / "victim"),
        "dangling": lambda: place.symlink_to(tmp_path / "nowhere"),
        "folder": place.mkdir,
        "pipe": lambda: os.mkfifo(place),
    }[kind]()
    with pytest.raises(StateDirectoryError, match="not a file, and is not opened"):
        check_database_files(database)


def test_a_database_that_does_not_exist_yet_may_be_made(tmp_path):
    check_database_files(tmp_path / "new.sqlite")


def test_opening_a_directory_deletes_nothing_that_an_index_names(tmp_path):
    state, victim = tmp_path / "state", tmp_path / "victim"
    with Runtime(state) as runtime:
        runtime.run(runtime.register(Box).getByName("a").put("k", 1))
    victim.write_text("precious\0")
    index = state / "dobook-Box" / "metadata.sqlite"
    index.unlink(missing_ok=True)
    make_database(index)
    (index.parent / "metadata.sqlite-journal").write_bytes(journal_that_names(index, victim))
    with Runtime(state) as runtime:
        with pytest.warns(UserWarning, match="names another file"):
            runtime.register(Box)
        runtime.run(runtime.namespace("BOX").getByName("a").put("k", 2))
    assert victim.exists()
    with Runtime(state) as runtime:  # the index is a new one
        runtime.register(Box)


# ---------------------------------------------------------------------- reading and writing


def test_a_file_is_read_whole_or_not_at_all(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"x" * 3_000_000)
    assert read_regular(file) == b"x" * 3_000_000
    assert read_regular(file, most=3_000_000) == b"x" * 3_000_000
    with pytest.raises(StateDirectoryError, match="larger than 2,999,999 bytes"):
        read_regular(file, most=2_999_999)
    with pytest.raises(FileNotFoundError):
        check_regular(tmp_path / "nowhere")


def test_a_new_file_does_not_replace_one_nor_follow_a_link(tmp_path):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("victim", "link", "dangling"):
        with pytest.raises(FileExistsError):
            create_file(tmp_path / name, b"other")
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_replacing_leaves_the_old_file_where_it_fails(tmp_path, monkeypatch):
    file = tmp_path / "file"
    replace_users_file(file, b"one")
    replace_users_file(file, b"two")
    assert file.read_bytes() == b"two"
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside").touch()
    with pytest.raises(OSError, match=r"folder"):
        replace_users_file(tmp_path / "folder", b"three")

    def fails(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="No space left"):
        replace_users_file(file, b"three")
    assert file.read_bytes() == b"two"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
