"""Fetches and method calls that are sent together through one stub."""

import asyncio

import pytest

from dobook import Runtime
from dobook.errors import PlatformError
from dobook.web import Response


class Door:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.log = []

    async def fetch(self, request):
        self.log.append("fetch")
        return Response("open")

    def note(self, what):
        self.log.append(what)
        return list(self.log)

    async def fail_in_block(self):
        async def block():
            await asyncio.sleep(0.05)
            raise ValueError("blk")

        await self.ctx.blockConcurrencyWhile(block)

    def stop(self):
        self.ctx.abort("stopped")


@pytest.fixture
def door():
    with Runtime() as runtime:
        yield runtime.register(Door).getByName("a"), runtime


@pytest.mark.parametrize(("method", "text"), [("fail_in_block", "blk"), ("stop", "stopped")])
@pytest.mark.parametrize("awake", [False, True])
def test_a_fetch_behind_a_call_that_resets_the_object_fails_with_it(door, method, text, awake):
    stub, runtime = door

    async def main():
        if awake:
            await stub.note("before")
        calls = getattr(stub, method)(), stub.fetch("http://x/"), stub.note("never")
        return await asyncio.gather(*calls, return_exceptions=True)

    failed = runtime.run(main())
    assert [str(error) for error in failed] == [text] * 3
    assert [getattr(error, "durableObjectReset", False) for error in failed] == [True] * 3
    assert isinstance(failed[1], ValueError if method == "fail_in_block" else PlatformError)
    assert failed[1].remote


def test_fetches_that_go_first_stay_before_calls(door):
    stub, runtime = door

    async def main():
        sent = stub.fetch("http://x/"), stub.note("one"), stub.fetch("http://x/"), stub.note("two")
        return (await asyncio.gather(*sent))[3]

    assert runtime.run(main()) == ["fetch", "fetch", "one", "two"]


def test_a_fetch_after_a_call_comes_after_it(door):
    stub, runtime = door

    async def main():
        sent = stub.note("one"), stub.fetch("http://x/"), stub.note("two")
        return (await asyncio.gather(*sent))[2]

    assert runtime.run(main()) == ["one", "fetch", "two"]


def test_calls_to_one_object_do_not_hold_up_fetches_to_another(door):
    stub, runtime = door
    other = runtime.env.DOOR.getByName("b")

    async def main():
        sent = stub.note("one"), other.fetch("http://x/"), other.note("two")
        return (await asyncio.gather(*sent))[2]

    assert runtime.run(main()) == ["fetch", "two"]
