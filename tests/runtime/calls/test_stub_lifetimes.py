"""Who owns a stub: arguments until the call ends, results from then on.

Source: developers.cloudflare.com/workers/runtime-apis/rpc/lifecycle/
"""

import asyncio

import pytest

from dobook import RpcTarget, Runtime
from dobook.errors import PlatformError


class Tally(RpcTarget):
    def __init__(self, n=0):
        self.n = n

    def increment(self, by=1):
        self.n += by
        return self.n


class Asker(RpcTarget):
    async def ask(self, callback):
        return await callback()


class Keeper:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env
        self.kept = None

    async def use(self, callback):
        return await callback(1)

    async def use_twice(self, tally):
        return [await tally.increment(), await tally.increment()]

    def keep(self, callback):
        self.kept = callback

    async def keep_and_use(self, callback):
        self.kept = callback
        return await callback("now")

    def keep_deep(self, options):
        self.kept = options["on"][0]["call"]

    def keep_named(self, *, callback):
        self.kept = callback

    def keep_and_fail(self, callback):
        self.kept = callback
        raise ValueError("no")

    def keep_closure(self, callback):
        async def later(x):
            return await callback(x)

        self.kept = later

    def keep_dup(self, callback):
        self.kept = callback.dup()

    def keep_later(self, callback):
        async def later():
            await asyncio.sleep(1)
            self.kept = await callback("late")

        self.ctx.waitUntil(later())

    def have(self):
        return self.kept

    def have_dup(self):
        return self.kept.dup()

    async def run(self, x):
        return await self.kept(x)

    async def bump(self):
        return await self.kept.increment()

    def tally(self, n):
        return Tally(n)

    async def fetch_tally(self, name):
        self.kept = await self.env.KEEPERS.getByName(name).tally(5)

    async def give(self, name):
        other = self.env.KEEPERS.getByName(name)
        await other.keep(lambda x: x)
        return await other.run(1)

    async def give_twice(self, name):
        other = self.env.KEEPERS.getByName(name)
        mine = Tally()
        return [await other.use_twice(mine), await other.use_twice(mine), mine.n]

    async def lend(self, outside):
        return await outside(lambda x: x + 1)

    def asker(self):
        return Asker()

    async def borrow(self, asker):
        return await asker.ask(lambda: asyncio.current_task().get_name().split()[0])

    async def forward(self, name, callback):
        return [await self.env.KEEPERS.getByName(name).use(callback), await callback(2)]


@pytest.fixture
def keepers():
    with Runtime() as runtime:
        yield runtime.register(Keeper, "KEEPERS"), runtime


def disposed(error):
    return str(error.value) == "RPC stub used after being disposed."


@pytest.mark.parametrize(
    "method", ["keep", "keep_and_use", "keep_closure", "keep_named", "keep_deep", "keep_and_fail"]
)
def test_an_argument_is_disposed_of_when_the_call_ends(keepers, method):
    namespace, runtime = keepers
    keeper = namespace.getByName("a")

    def callback(x):
        return x

    async def main():
        match method:
            case "keep_named":
                await keeper.keep_named(callback=callback)
            case "keep_deep":
                await keeper.keep_deep({"on": [{"call": callback}]})
            case "keep_and_fail":
                with pytest.raises(ValueError, match="no"):
                    await keeper.keep_and_fail(callback)
            case _:
                await getattr(keeper, method)(callback)
        await keeper.run(1)

    with pytest.raises(PlatformError) as error:
        runtime.run(main())
    assert disposed(error)
    assert "callback.dup()" in "".join(error.value.__notes__)


def test_a_duplicate_outlives_the_call(keepers):
    namespace, runtime = keepers
    keeper = namespace.getByName("a")

    async def main():
        await keeper.keep_dup(lambda x: x * 2)
        return [await keeper.run(1), await keeper.run(2)]

    assert runtime.run(main()) == [2, 4]


def test_the_same_holds_between_objects(keepers):
    namespace, runtime = keepers
    with pytest.raises(PlatformError) as error:
        runtime.run(namespace.getByName("a").give("b"))
    assert disposed(error)


def test_background_work_of_the_call_is_too_late(keepers):
    namespace, runtime = keepers
    keeper = namespace.getByName("a")
    runtime.run(keeper.keep_later(lambda x: x))
    runtime.advance("2s")
    assert runtime.run(keeper.have()) is None


def test_the_giver_keeps_what_it_gives(keepers):
    namespace, runtime = keepers
    assert runtime.run(namespace.getByName("a").give_twice("b")) == [[1, 2], [3, 4], 4]


def test_an_argument_that_is_passed_on_is_usable_until_its_own_call_ends(keepers):
    namespace, runtime = keepers
    assert runtime.run(namespace.getByName("a").forward("b", lambda x: x + 1)) == [2, 3]


def test_a_disposed_stub_can_be_passed_and_returned_but_not_used(keepers):
    namespace, runtime = keepers
    a, b = namespace.getByName("a"), namespace.getByName("b")

    async def main():
        tally = await a.tally(1)
        tally.dispose()
        await b.keep(tally)  # nothing is asked of it
        with pytest.raises(PlatformError) as passed:
            await b.use_twice(tally)
        assert disposed(passed)
        with pytest.raises(PlatformError) as duplicated:
            await tally.dup().increment()
        assert disposed(duplicated)
        back = await b.have()
        with pytest.raises(PlatformError) as returned:
            await back.increment()
        assert disposed(returned)

    runtime.run(main())


def test_a_stub_that_is_returned_belongs_to_the_caller(keepers):
    namespace, runtime = keepers
    a = namespace.getByName("a")

    async def main():
        await a.fetch_tally("b")
        first = await a.have()
        assert await first.increment() == 6
        with pytest.raises(PlatformError) as error:
            await a.bump()
        assert disposed(error)
        assert "return a duplicate" in "".join(error.value.__notes__)

    runtime.run(main())


def test_a_duplicate_that_is_returned_leaves_the_original(keepers):
    namespace, runtime = keepers
    a = namespace.getByName("a")

    async def main():
        await a.fetch_tally("b")
        first, second = await a.have_dup(), await a.have_dup()
        return [await first.increment(), await second.increment(), await a.bump()]

    assert runtime.run(main()) == [6, 7, 8]


def test_a_target_of_ones_own_that_is_returned_stays(keepers):
    namespace, runtime = keepers
    a = namespace.getByName("a")

    async def main():
        await a.keep_dup(lambda x: x)
        return await a.tally(1).increment(), await a.tally(1).increment()

    assert runtime.run(main()) == (2, 2)


def test_a_stub_of_an_object_stays_usable(keepers):
    namespace, runtime = keepers
    a, b = namespace.getByName("a"), namespace.getByName("b")

    async def main():
        await a.keep(b)
        return await (await a.have()).use(lambda x: x + 1)

    assert runtime.run(main()) == 2


def test_what_a_function_outside_gets_is_disposed_of_too(keepers):
    namespace, runtime = keepers
    a = namespace.getByName("a")
    got = []

    async def outside(callback):
        got.append(callback)
        return await callback(20)

    async def main():
        assert await a.lend(outside) == 21
        with pytest.raises(PlatformError) as error:
            await got[0](1)
        assert disposed(error)

    runtime.run(main())


def test_a_function_given_to_a_target_lives_where_it_was_made(keepers):
    namespace, runtime = keepers
    a, b = namespace.getByName("a"), namespace.getByName("b")

    async def main():
        return await b.borrow(await a.asker())

    assert runtime.run(main()) == "KEEPERS/b"
