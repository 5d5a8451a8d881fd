"""`storage.kv.list()` while its rows are written: what a cursor of SQLite meets.

Source: cloudflare/workerd src/workerd/util/sqlite-kv.h (`ListCursor`)
"""

import contextlib
import itertools

import pytest

import dobook
from dobook.errors import PlatformError

ROWS = {"a": 1, "b": 1, "c": 1}


class Box:
    def __init__(self, ctx, env):
        self.storage = ctx.storage
        self.kv = ctx.storage.kv

    def fill(self, rows):
        for key, value in rows.items():
            self.kv.put(key, value)

    def rows(self):
        return dict(self.kv.list())

    def loop(self, change, options=None, most=400):
        """Iterate, changing something at each row; returns the rows that were met."""
        met = []
        for key, value in itertools.islice(self.kv.list(**(options or {})), most):
            met.append([key, value])
            match change:
                case "increment":
                    self.kv.put(key, value + 1)
                case "grow":
                    self.kv.put(key, value * 3)
                case "same":
                    self.kv.put(key, value)
                case "delete":
                    self.kv.delete(key)
                case "delete next":
                    self.kv.delete(chr(ord(key) + 1))
                case "insert ahead":
                    self.kv.put(key + "x", 0) if len(key) < 4 else None
                case "insert behind":
                    self.kv.put("A" + key, 0)
                case "others":
                    for other in ROWS:
                        if other != key:
                            self.kv.put(other, 9)
        return met

    def then(self, what):
        rows = self.kv.list()
        met = [list(next(rows))]
        match what:
            case "deleteAll":
                self.storage.deleteAll()
            case "undo":

                def undone():
                    self.kv.put("b", 2)
                    raise KeyError

                with contextlib.suppress(KeyError):
                    self.storage.transactionSync(undone)
                met.append("undone")
            case "undo nothing":
                with contextlib.suppress(KeyError):
                    self.storage.transactionSync(lambda: {}["missing"])
                met.append("undone")
            case "sync":
                self.storage.transactionSync(lambda: self.kv.put("b", 2))
            case "put":
                self.storage.put("b", 2)
            case "nothing":
                pass
        for _ in range(2):
            try:
                met.extend(list(row) for row in rows)
            except PlatformError as error:
                met.append(str(error).partition(":")[0])
        return met


@pytest.fixture(params=["memory", "disk", "large"])
def box(request, tmp_path, monkeypatch):
    if request.param == "large":  # its rows are read one by one
        monkeypatch.setattr("dobook.storage.store.WHOLE_LOAD_BYTES", 0)
    path = None if request.param == "memory" else tmp_path / "state"
    with dobook.Runtime(path, durability="process") as runtime:
        stub = runtime.register(Box).getByName("a")
        runtime.run(stub.fill(ROWS))
        if request.param == "large":
            runtime.close()
            with dobook.Runtime(path, durability="process") as again:
                yield again.register(Box).getByName("a"), again
        else:
            yield stub, runtime


def test_a_row_that_is_replaced_by_one_of_its_size_is_met_again(box):
    stub, runtime = box
    met = runtime.run(stub.loop("increment"))
    assert [key for key, _ in met] == ["a"] * 127 + ["b"] * 127 + ["c"] * 127
    assert [value for _, value in met[:127]] == list(range(1, 128))
    assert runtime.run(stub.rows()) == {"a": 128, "b": 128, "c": 128}


def test_a_value_that_grows_is_met_twice(box):
    stub, runtime = box
    runtime.run(stub.fill({"a": "x", "b": "y" * 10}))
    met = runtime.run(stub.loop("grow", {"end": "c"}))
    assert [[key, len(value)] for key, value in met[:2]] == [["a", 1], ["a", 3]]
    assert {key for key, _ in met} == {"a", "b"}


@pytest.mark.parametrize(
    ("change", "options", "met"),
    [
        ("delete", {}, "abc"),
        ("delete next", {}, "ac"),
        ("insert behind", {}, "abc"),
        ("insert ahead", {"start": "c"}, ["c", "cx", "cxx", "cxxx"]),
        ("delete", {"reverse": True}, "cba"),
        ("insert ahead", {"reverse": True, "start": "b"}, "cb"),
        ("others", {"limit": 2}, "ab"),
        ("delete", {"limit": 2}, "ab"),
        ("insert behind", {"prefix": "b"}, "b"),
    ],
)
def test_what_is_met(box, change, options, met):
    stub, runtime = box
    assert [key for key, _ in runtime.run(stub.loop(change, options))] == list(met)


def test_a_row_that_is_replaced_by_itself_is_met_once(box):
    stub, runtime = box
    assert runtime.run(stub.loop("same")) == [["a", 1], ["b", 1], ["c", 1]]


def test_a_limit_counts_each_meeting(box):
    stub, runtime = box
    assert runtime.run(stub.loop("increment", {"limit": 4})) == [["a", n] for n in (1, 2, 3, 4)]


REST = [["b", 1], ["c", 1]]


@pytest.mark.parametrize(
    ("what", "met"),
    [
        ("nothing", REST),
        ("sync", [["b", 2], ["c", 1]]),
        ("put", [["b", 2], ["c", 1]]),
        ("undo nothing", ["undone", *REST]),
        ("undo", ["undone", "internal error", "internal error"]),
        ("deleteAll", ["internal error", "internal error"]),
    ],
)
def test_what_comes_after_something_else(box, what, met):
    stub, runtime = box
    assert runtime.run(stub.then(what)) == [["a", 1], *met]
