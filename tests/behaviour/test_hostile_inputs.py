"""Promise: hostile inputs change nothing but an error: deep nesting, huge keys, bombs in stored
bytes, odd headers. Storage stays as it was, the object goes on, and so do the others.

Source: developers.cloudflare.com/durable-objects/platform/limits/
"""

import sqlite3
import struct

import pytest

import dobook
from dobook.errors import DobookError


class Target:
    def __init__(self, ctx, env):
        self.ctx, self.storage = ctx, ctx.storage
        self.answered = 0

    async def put(self, key, value):
        await self.storage.put(key, value)

    async def put_nested(self, depth, kind):
        value = []
        for _ in range(depth):
            value = [value] if kind == "list" else {"a": value}
        await self.storage.put("bomb", value)

    async def get(self, key):
        return await self.storage.get(key)

    async def list(self, **options):
        return list(await self.storage.list(**options))

    def run_sql(self, text, *bindings):
        return self.storage.sql.exec(text, *bindings).toArray()

    async def fetch(self, request):
        return dobook.web.Response(request.headers.get("x-odd") or "none")

    async def state(self):
        self.answered += 1
        return [self.answered, list(await self.storage.list()), await self.storage.getAlarm()]


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


HOSTILE = {
    "a list of 100,000 levels": lambda stub: stub.put_nested(100_000, "list"),
    "a dict of 100,000 levels": lambda stub: stub.put_nested(100_000, "dict"),
    "an argument of 100,000 levels": lambda stub: stub.put("k", nested(100_000)),
    "a key of 10 MB": lambda stub: stub.put("k" * 10_000_000, 1),
    "a value of 64 MB": lambda stub: stub.put("k", b"x" * 64_000_000),
    "a list of keys with a huge one": lambda stub: stub.get(["a", "k" * 1_000_000]),
    "a limit beyond all numbers": lambda stub: stub.list(limit=-(10**30)),
    "SQL of a million parentheses": lambda stub: stub.run_sql("select " + "(" * 1_000_000),
    "SQL with a NUL": lambda stub: stub.run_sql("select 1\0; drop table t"),
    "SQL on the engine's own rows": lambda stub: stub.run_sql("delete from _cf_KV"),
    "SQL that attaches a file": lambda stub: stub.run_sql("attach 'x.sqlite' as x"),
    "SQL that begins a transaction": lambda stub: stub.run_sql("begin immediate"),
    "a method of dunders": lambda stub: stub.__class__.__getattr__(stub, "__init__"),
    "a header with a line break": lambda stub: stub.fetch(
        "http://x/", headers={"x-odd": "a\r\nb: c"}
    ),
    "a header with a NUL": lambda stub: stub.fetch("http://x/", headers={"x-odd": "a\0b"}),
    "a header's name with a colon": lambda stub: stub.fetch("http://x/", headers={"x: y": "a"}),
    "a method with a line break": lambda stub: stub.fetch("http://x/", method="GET\r\nX: y"),
    "a URL that is none": lambda stub: stub.fetch("http://[::bad"),
}


@pytest.fixture
def target(runtime):
    namespace = runtime.register(Target)
    stub = namespace.getByName("a")
    runtime.run(stub.put("kept", 1))
    assert runtime.run(stub.state()) == [1, ["kept"], None]
    return stub


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_input_is_an_error_and_nothing_else(runtime, target, what):
    async def attempt():
        await HOSTILE[what](runtime.namespace(Target).getByName("a"))

    with pytest.raises((DobookError, AttributeError, TypeError, ValueError)):
        runtime.run(attempt())
    assert runtime.run(target.state()) == [2, ["kept"], None]
    assert runtime.run(runtime.namespace(Target).getByName("b").state())[1] == []


def test_half_a_character_in_a_key_is_three_replacement_characters(runtime, target):
    runtime.run(target.put("\ud800", "half"))
    assert runtime.run(target.get("\ud800")) == "half"
    assert runtime.run(target.get("\ufffd")) is None
    assert runtime.run(target.list(prefix="\ud800")) == ["\ufffd\ufffd\ufffd"]


def test_half_a_character_in_a_name_names_an_object(runtime, target):
    stub = runtime.namespace(Target).getByName("\ud800<b>")
    runtime.run(stub.put("kept", 2))
    assert runtime.run(target.get("kept")) == 1
    assert runtime.run(runtime.namespace(Target).getByName("\ud800<b>").get("kept")) == 2


# V8's format: a header, then a tag. A reader that believes the lengths would allocate them.
BOMBS = {
    "a dense array of 4 billion": b"\xff\x0fA\xff\xff\xff\xff\x0f",
    "a sparse array of 4 billion": b"\xff\x0fa\xff\xff\xff\xff\x0f",
    "a text of 4 GB": b'\xff\x0f"\xff\xff\xff\xff\x0f',
    "a buffer of 4 GB": b"\xff\x0fB\xff\xff\xff\xff\x0f",
    "a big integer of 2 GB": b"\xff\x0fZ\xff\xff\xff\xff\x0f",
    "100,000 levels": b"\xff\x0f" + b"A\x01" * 100_000 + b"_" + b"$\x00\x01" * 100_000,
    "a reference to nothing": b"\xff\x0f^\x63",
    "another format": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07builtin\x94.",
    "no bytes": b"",
    "noise": struct.pack("<32B", *range(200, 232)),
}


@pytest.mark.parametrize("what", BOMBS)
def test_bombs_in_stored_bytes_fail_the_read_of_their_key_alone(open_runtime, tmp_path, what):
    with dobook.Runtime(tmp_path / "state") as first:
        stub = first.register(Target).getByName("a")
        first.run(stub.put("kept", 1))
        first.run(stub.put("bomb", 2))
        identity = stub.id.toString()
    (file,) = (tmp_path / "state").rglob(f"{identity}.sqlite")
    database = sqlite3.connect(file)
    database.execute("update _cf_KV set value = ? where key = 'bomb'", (BOMBS[what],))
    database.commit()
    database.close()
    runtime = open_runtime(tmp_path / "state")
    stub = runtime.register(Target).getByName("a")
    for _ in range(2):
        with pytest.raises(DobookError):
            runtime.run(stub.get("bomb"))
        assert runtime.run(runtime.namespace(Target).getByName("a").get("kept")) == 1
    runtime.run(runtime.namespace(Target).getByName("a").put("bomb", 3))
    assert runtime.run(runtime.namespace(Target).getByName("a").get("bomb")) == 3
