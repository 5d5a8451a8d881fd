"""Promise: one name, one id, one live instance; ids are the real engine's.

Source: developers.cloudflare.com/durable-objects/api/namespace/,
developers.cloudflare.com/durable-objects/api/id/
"""

import asyncio

import pytest

from dobook.errors import PlatformTypeError

HEX = frozenset("0123456789abcdef")


class Counter:
    made = 0

    def __init__(self, ctx, env):
        type(self).made += 1
        self.ctx = ctx
        self.n = 0

    def increment(self):
        self.n += 1
        return self.n

    def who(self):
        return [self.ctx.id.toString(), self.ctx.id.name]

    async def hold(self, ms):
        await asyncio.sleep(ms / 1000)
        return id(self)


class Other(Counter):
    pass


@pytest.fixture
def counters(runtime):
    Counter.made = 0
    return runtime.register(Counter)


def test_one_name_always_gives_one_id_of_64_hex_digits(counters):
    digits = counters.idFromName("alice").toString()
    assert digits == counters.idFromName("alice").toString()
    assert len(digits) == 64
    assert set(digits) <= HEX
    assert digits != counters.idFromName("Alice").toString()


def test_an_id_does_not_depend_on_the_process_the_seed_or_the_store(open_runtime, tmp_path):
    seen = {
        runtime.register(Counter).idFromName("alice").toString()
        for runtime in (
            open_runtime(),
            open_runtime(seed=7),
            open_runtime(tmp_path / "state", start="2030-01-01"),
        )
    }
    assert len(seen) == 1


def test_the_same_name_in_another_class_is_another_object(runtime, counters):
    others = runtime.register(Other)
    assert counters.idFromName("a") != others.idFromName("a")
    runtime.run(counters.getByName("a").increment())
    assert runtime.run(others.getByName("a").increment()) == 1


def test_an_id_survives_the_way_through_text(runtime, counters):
    by_name = counters.idFromName("a")
    by_text = counters.idFromString(by_name.toString())
    assert by_text.equals(by_name)
    assert by_text == by_name
    runtime.run(counters.get(by_name).increment())
    assert runtime.run(counters.get(by_text).increment()) == 2


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 65, "g" * 64, "ä" * 64, " " * 64])
def test_text_that_is_no_id_is_refused(counters, text):
    with pytest.raises(PlatformTypeError, match="must be 64 hex digits"):
        counters.idFromString(text)


def test_an_id_of_another_class_is_refused(runtime, counters):
    foreign = runtime.register(Other).idFromName("a").toString()
    with pytest.raises(PlatformTypeError, match="not valid for this namespace"):
        counters.idFromString(foreign)
    assert counters.idFromString(counters.idFromName("a").toString()).name is None


def test_unique_ids_never_repeat_and_lead_to_objects_without_a_name(runtime, counters):
    ids = [counters.newUniqueId() for _ in range(100)]
    assert len({i.toString() for i in ids}) == 100
    assert runtime.run(counters.get(ids[0]).who()) == [ids[0].toString(), None]


def test_unique_ids_come_from_the_seed(open_runtime):
    drawn = [
        open_runtime(seed=seed).register(Counter).newUniqueId().toString() for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_the_object_knows_its_own_id_and_name(runtime, counters):
    stub = counters.getByName("alice")
    assert runtime.run(stub.who()) == [counters.idFromName("alice").toString(), "alice"]
    assert (stub.name, stub.id.name) == ("alice", "alice")


def test_all_stubs_of_one_object_reach_one_instance(runtime, counters):
    stubs = [
        counters.getByName("a"),
        counters.getByName("a"),
        counters.get(counters.idFromName("a")),
        counters.get(counters.idFromString(counters.idFromName("a").toString())),
        runtime.env.COUNTER.getByName("a"),
        runtime.stub("COUNTER/a"),
    ]

    async def main():
        return await asyncio.gather(*[stub.hold(50) for stub in stubs])

    assert len(set(runtime.run(main()))) == 1
    assert Counter.made == 1


def test_an_object_is_made_at_its_first_call_and_not_by_its_stub(runtime, counters):
    stub = counters.getByName("a")
    runtime.settle()
    assert Counter.made == 0
    runtime.run(stub.increment())
    assert Counter.made == 1


def test_calls_on_one_stub_arrive_in_the_order_they_were_made(runtime, counters):
    async def main():
        stub = counters.getByName("a")
        return await asyncio.gather(*[stub.increment() for _ in range(50)])

    assert runtime.run(main()) == list(range(1, 51))


def test_a_call_during_the_construction_waits_for_the_same_instance(runtime):
    class Slow:
        made = 0

        def __init__(self, ctx, env):
            type(self).made += 1
            self.ctx = ctx
            ctx.blockConcurrencyWhile(self.load)

        async def load(self):
            await asyncio.sleep(1)
            self.loaded = type(self).made

        def number(self):
            return self.loaded

    slow = runtime.register(Slow)

    async def main():
        return await asyncio.gather(*[slow.getByName("a").number() for _ in range(5)])

    assert runtime.run(main()) == [1] * 5
    assert Slow.made == 1
