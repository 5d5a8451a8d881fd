"""`fetch(…, signal=…)`: given up before, during and after, wherever the request goes.

Source: developers.cloudflare.com/workers/runtime-apis/web-standards/#abortcontroller-and-abortsignal
"""

import asyncio

import js
import pytest

from dobook import Runtime
from dobook.errors import PlatformError, PlatformTypeError
from dobook.web import ReadableStream, Request, Response


class Slow:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env
        self.log = []

    async def fetch(self, request):
        self.log.append("begun")
        if request.url.endswith("/stream"):
            return Response(ReadableStream(self.pieces()))
        if request.url.endswith("/fast"):
            return Response("fast")
        if request.url.endswith("/hang"):
            await asyncio.Event().wait()
        await asyncio.sleep(5)
        self.log.append("over")
        await self.ctx.storage.put("over", 1)
        return Response("late")

    async def pieces(self):
        try:
            yield b"one"
            await asyncio.sleep(10)
            yield b"two"
        finally:
            self.log.append("closed")

    def logged(self):
        return self.log

    async def block(self):
        await self.ctx.blockConcurrencyWhile(lambda: asyncio.sleep(1))

    async def call_other(self, path, ms):
        other = self.env.SLOW.getByName("other")
        try:
            return await (
                await other.fetch("http://x" + path, signal=js.AbortSignal.timeout(ms))
            ).text()
        except PlatformError as error:
            return [error.name, error.message]


@pytest.fixture
def world():
    with Runtime() as runtime:
        runtime.register(Slow, "SLOW")
        yield runtime, runtime.env.SLOW.getByName("a")


def late_ms(runtime, started):
    return runtime.clock.now_ms - started


@pytest.mark.parametrize("path", ["/sleep", "/hang"])
def test_a_timeout_ends_the_wait_and_the_clock_stops_there(world, path):
    runtime, stub = world
    started = runtime.clock.now_ms

    async def main():
        await stub.fetch("http://x" + path, signal=js.AbortSignal.timeout(100))

    with pytest.raises(PlatformError) as error:
        runtime.run(main())
    assert (error.value.name, error.value.message) == (
        "TimeoutError",
        "The operation was aborted due to timeout",
    )
    assert late_ms(runtime, started) == 100


def test_the_handler_runs_on(world):
    runtime, stub = world

    async def main():
        with pytest.raises(PlatformError):
            await stub.fetch("http://x/", signal=js.AbortSignal.timeout(100))
        assert await stub.logged() == ["begun"]

    runtime.run(main())
    runtime.advance("6s")
    assert runtime.run(stub.logged()) == ["begun", "over"]


def test_an_answer_in_time_is_an_answer(world):
    runtime, stub = world
    controller = js.AbortController.new()

    async def main():
        response = await stub.fetch("http://x/fast", signal=controller.signal)
        return await response.text()

    assert runtime.run(main()) == "fast"
    assert controller.signal._listeners.get("abort", []) == []


@pytest.mark.parametrize("reason", [None, "enough", ValueError("mine")])
def test_a_signal_given_before_asks_nobody(world, reason):
    runtime, stub = world
    started = runtime.clock.now_ms

    async def main():
        await stub.fetch("http://x/", {"signal": js.AbortSignal.abort(reason)})

    with pytest.raises((PlatformError, ValueError)) as error:
        runtime.run(main())
    expected = {None: "The operation was aborted", "enough": "enough"}
    assert str(error.value) == ("mine" if isinstance(reason, ValueError) else expected[reason])
    if reason is None:
        assert error.value.name == "AbortError"
    assert runtime.run(stub.logged()) == []
    assert late_ms(runtime, started) == 0


def test_a_signal_given_in_the_same_turn_keeps_the_handler_from_beginning(world):
    runtime, stub = world

    async def main():
        controller = js.AbortController.new()
        answer = stub.fetch("http://x/", signal=controller.signal)
        controller.abort()
        with pytest.raises(PlatformError, match="The operation was aborted"):
            await answer
        return await stub.logged()

    assert runtime.run(main()) == []
    runtime.advance("1m")
    assert not stub._actor.instance  # nothing keeps it in memory


def test_a_signal_given_while_the_request_queues_at_the_gate(world):
    runtime, stub = world

    async def main():
        block = stub.block()
        with pytest.raises(PlatformError, match="timeout"):
            await stub.fetch("http://x/", signal=js.AbortSignal.timeout(100))
        await block
        return await stub.logged()

    assert runtime.run(main()) == []


def test_a_signal_given_while_it_runs(world):
    runtime, stub = world
    started = runtime.clock.now_ms

    async def main():
        controller = js.AbortController.new()
        js.setTimeout(lambda: controller.abort("why"), 200)
        await stub.fetch(Request("http://x/", signal=controller.signal))

    with pytest.raises(PlatformError, match=r"^why$"):
        runtime.run(main())
    assert late_ms(runtime, started) == 200


def test_the_first_of_several_signals_counts(world):
    runtime, stub = world
    started = runtime.clock.now_ms

    async def main():
        never = js.AbortController.new().signal
        either = js.AbortSignal.any(
            [never, js.AbortSignal.timeout(300), js.AbortSignal.timeout(50)]
        )
        await stub.fetch("http://x/", signal=either)

    with pytest.raises(PlatformError, match="due to timeout"):
        runtime.run(main())
    assert late_ms(runtime, started) == 50


def test_from_one_object_to_another(world):
    runtime, stub = world
    assert runtime.run(stub.call_other("/sleep", 100)) == [
        "TimeoutError",
        "The operation was aborted due to timeout",
    ]
    assert runtime.run(stub.call_other("/fast", 100)) == "fast"


def test_the_rest_of_a_body_cannot_be_read(world):
    runtime, stub = world
    started = runtime.clock.now_ms

    async def main():
        response = await stub.fetch("http://x/stream", signal=js.AbortSignal.timeout(100))
        reader = response.body.getReader()
        assert (await reader.read()).value == b"one"
        with pytest.raises(PlatformError, match="due to timeout"):
            await reader.read()

    runtime.run(main())
    assert late_ms(runtime, started) == 100
    runtime.settle()
    assert runtime.run(stub.logged()) == ["begun", "closed"]


def test_a_body_that_has_come_cannot_be_read_afterwards_either(world):
    runtime, stub = world

    async def main():
        controller = js.AbortController.new()
        response = await stub.fetch("http://x/fast", signal=controller.signal)
        controller.abort()
        await response.text()

    with pytest.raises(PlatformError, match="The operation was aborted"):
        runtime.run(main())


def test_the_handler_does_not_see_the_callers_signal(world):
    runtime, _ = world
    seen = []

    class Looks:
        def __init__(self, ctx, env): ...

        async def fetch(self, request):
            seen.append(request.signal)
            return Response("")

    stub = runtime.register(Looks).getByName("a")

    async def main():
        signal = js.AbortSignal.timeout(100)
        await stub.fetch("http://x/", signal=signal)
        await asyncio.sleep(1)
        return signal

    signal = runtime.run(main())
    assert signal.aborted
    assert seen[0] is not signal
    assert not seen[0].aborted


def test_outgoing_requests(world):
    runtime, _ = world

    async def answer(request):
        await asyncio.sleep(5)

    runtime.network.answer("https://slow.example", answer)
    started = runtime.clock.now_ms

    class Asks:
        def __init__(self, ctx, env): ...

        async def ask(self):
            from workers import fetch

            try:
                await fetch("https://slow.example/", signal=js.AbortSignal.timeout(250))
            except PlatformError as error:
                return error.name

        async def ask_js(self):
            try:
                await js.fetch("https://slow.example/", {"signal": js.AbortSignal.timeout(250)})
            except PlatformError as error:
                return error.name

    stub = runtime.register(Asks).getByName("a")
    assert runtime.run(stub.ask()) == "TimeoutError"
    assert late_ms(runtime, started) == 250
    assert runtime.run(stub.ask_js()) == "TimeoutError"
    assert late_ms(runtime, started) == 500


def test_requests_to_a_worker(world):
    runtime, _ = world

    async def entry(request):
        await asyncio.sleep(5)

    runtime.serve_worker(entry)

    async def main():
        await runtime.fetch("/", signal=js.AbortSignal.timeout(100))

    with pytest.raises(PlatformError, match="due to timeout"):
        runtime.run(main())


@pytest.mark.parametrize("signal", ["soon", 5, object()])
def test_something_else_than_a_signal_is_refused(world, signal):
    runtime, stub = world

    async def main():
        await stub.fetch("http://x/", signal=signal)

    with pytest.raises(PlatformTypeError, match="not of type 'AbortSignal'"):
        runtime.run(main())


def spelt(signal, url):
    """Give the same request with its signal in every spelling."""
    return {
        "keyword": lambda stub: stub.fetch(url, signal=signal),
        "dict": lambda stub: stub.fetch(url, {"signal": signal}),
        "Request": lambda stub: stub.fetch(Request(url, signal=signal)),
        "Request, and a method": lambda stub: stub.fetch(Request(url, signal=signal), method="PUT"),
        "Request of a Request": lambda stub: stub.fetch(Request(Request(url, signal=signal))),
        "clone of a Request": lambda stub: stub.fetch(Request(url, signal=signal).clone()),
        "js.Request": lambda stub: stub.fetch(js.Request.new(url, {"signal": signal})),
        "js.Request as options": lambda stub: stub.fetch(url, js.Request.new(url, signal=signal)),
        "Request as options": lambda stub: stub.fetch(url, Request(url, signal=signal)),
    }


SPELLINGS = list(spelt(None, "http://x/"))


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    "made",
    [
        lambda: js.AbortSignal.timeout(20),
        lambda: js.AbortSignal.any([js.AbortController.new().signal, js.AbortSignal.timeout(20)]),
    ],
)
def test_every_spelling_of_the_signal_counts(world, spelling, made):
    runtime, stub = world

    async def main():
        with pytest.raises(PlatformError, match="The operation was aborted due to timeout"):
            await spelt(made(), "http://x/sleep")[spelling](stub)

    started = runtime.clock.now_ms
    runtime.run(main())
    assert late_ms(runtime, started) == 20


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_signal_in_every_spelling(world, spelling):
    runtime, stub = world

    async def main():
        return await (await spelt(None, "http://x/fast")[spelling](stub)).text()

    assert runtime.run(main()) == "fast"


def test_another_signal_or_none_takes_the_place_of_the_requests(world):
    runtime, stub = world

    async def main(signal):
        request = Request("http://x/sleep", signal=js.AbortSignal.timeout(20))
        return await (await stub.fetch(request, signal=signal)).text()

    assert runtime.run(main(None)) == "late"
    assert runtime.run(main(js.AbortController.new().signal)) == "late"
