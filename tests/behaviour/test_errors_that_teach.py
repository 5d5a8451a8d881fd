"""Promise: an error says what to write instead, and never claims what nobody wrote.

Source: PyPI workers-runtime-sdk for what the right spelling is; the slips are those of people who
come from JavaScript, or are new.
"""

import asyncio
import time
import warnings
from datetime import datetime

import pytest
from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint

import dobook
from dobook import errors


class Slips(DurableObject):
    """Each method is one slip of somebody new."""

    async def answer(self):
        return 1

    async def one(self, n):
        return n

    # ------------------------------------------------------------------ returned, not awaited
    async def own_method(self):
        return self.answer()

    async def own_method_with_argument(self):
        return self.one(1)

    async def other_object(self):
        return self.env.SLIPS.getByName("b").answer()

    async def storage_get(self):
        return self.ctx.storage.get("who")

    async def storage_transaction(self):
        async def f(txn):
            return 1

        return self.ctx.storage.transaction(f)

    async def sleeping(self):
        return asyncio.sleep(1)

    async def inside_a_list(self):
        return [self.answer()]

    async def as_an_argument(self):
        return await self.env.SLIPS.getByName("b").one(self.answer())

    # ------------------------------------------------------------------ values
    async def put_coroutine(self):
        await self.ctx.storage.put("n", self.answer())

    async def put_tuple(self):
        await self.ctx.storage.put("x", (1, 2))

    async def put_bytearray(self):
        await self.ctx.storage.put("x", bytearray(b"x"))

    async def put_large(self):
        await self.ctx.storage.put("photo", "x" * 3_000_000)

    async def misspelt(self):
        await self.ctx.storage.set_alarm(5)

    async def env_misspelt(self):
        return self.env.WORKFLOW

    # ------------------------------------------------------------------ responses
    async def options_of_javascript(self):
        Response.json([1], {"status": 404})

    async def options_of_javascript_too(self):
        Response("x", {"status": 404, "statusText": "Nope"})

    async def socket_over_rpc(self):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def empty_body(self):
        return await self.env.SLIPS.getByName("b").fetch("http://x/json", method="POST")

    async def stop(self):
        self.ctx.abort("stopped")

    async def async_closure(self):
        async def change():
            await self.ctx.storage.put("n", 1)

        self.ctx.storage.transactionSync(change).close()

    async def fetch(self, request):
        return await FETCHES[request.url.rpartition("/")[2]](self, request)


async def _give(value):
    return value


FETCHES = {
    "coroutine": lambda self, _: _give(self.answer()),
    "promise": lambda self, _: _give(self.env.SLIPS.getByName("b").answer()),
    "dict": lambda self, _: _give({"success": True}),
    "list": lambda self, _: _give([1]),
    "text": lambda self, _: _give("text"),
    "nothing": lambda self, _: _give(None),
    "date": lambda self, _: _give(datetime(2026, 1, 1)),  # noqa: DTZ001
    "json": lambda self, request: request.json(),
}


@pytest.fixture
def runtime():
    with dobook.Runtime() as made:
        yield made


@pytest.fixture
def stub(runtime):
    return runtime.register(Slips).getByName("a")


def told(runtime, promise):
    """Return an error's text with its notes."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the text is what is looked at
        runtime.run(promise)
    return "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])


@pytest.mark.parametrize(
    ("method", "cure"),
    [
        ("own_method", "own_method() returned it without awaiting it. Write:  return await self.answer()"),
        ("own_method_with_argument", "Write:  return await self.one(…)"),
        ("other_object", "Write:  return await stub.answer(…)"),
        ("storage_get", "storage_get() returned it without awaiting it. Write:  return await …"),
        ("storage_transaction", "Write:  return await …"),
        ("sleeping", "Write:  return await sleep(…)"),
        ("inside_a_list", "It was not awaited. Write:  await self.answer()"),
        ("as_an_argument", "It was not awaited. Write:  await self.answer()"),
        ("put_coroutine", "It was not awaited. Write:  await self.answer()"),
        ("put_tuple", "Keep or send it as a list: list(…)"),
        ("put_bytearray", "Keep or send it as bytes: bytes(…)"),
        ("put_large", "The value of 'photo' has 3,000,012 bytes with its key; at most 2,097,152"),
        ("misspelt", "'DurableObjectStorage' object has no attribute 'set_alarm'. The platform's name is 'setAlarm'."),
        ("env_misspelt", "env has no binding 'WORKFLOW'. There is 'SLIPS'."),
        ("options_of_javascript", "Options are keywords in Python. Write: status=404"),
        ("options_of_javascript_too", "Write: status=404, status_text='Nope'"),
        ("socket_over_rpc", 'Could not serialize object of type "WebSocket". This type does not support serialization.'),
        ("socket_over_rpc", "A WebSocket is handed on by fetch() only"),
        ("empty_body", "There is no body."),
    ],
)  # fmt: skip
def test_an_error_says_what_to_write(runtime, stub, method, cure):
    text = told(runtime, getattr(stub, method)())
    assert cure in text
    assert "You wrote" not in text


@pytest.mark.parametrize(
    ("path", "cure"),
    [
        ("coroutine", "fetch() returned what it did not await. Write: return await self.answer()"),
        ("promise", "Write: return await stub.answer(…)"),
        ("dict", "fetch() returned dict: {'success': True}. Write: return Response.json(…)"),
        ("list", "Write: return Response.json(…)"),
        ("text", "fetch() returned str: 'text'. Write: return Response(…)"),
        ("nothing", "fetch() returned nothing. Every way through it has to return a Response."),
        ("date", "fetch() returned datetime"),
    ],
)
def test_a_handler_without_a_response_is_told_what_to_return(runtime, stub, path, cure):
    text = told(runtime, stub.fetch(f"http://x/{path}"))
    assert text.startswith("Incorrect type for Promise: the Promise did not resolve to 'Response'.")
    assert cure in text
    assert " at 0x" not in text


@pytest.mark.parametrize("path", ["dict", "text", "nothing"])
def test_a_worker_is_told_the_same(runtime, path):
    class Default(WorkerEntrypoint):
        async def fetch(self, request):
            return await FETCHES[path](self, request)

    runtime.serve_worker(Default)
    response = runtime.run(runtime.fetch("http://x/"))
    assert "fetch() returned" in "".join(response.error.__notes__)


def test_a_namespace_that_is_empty_says_how_classes_come_into_it(runtime):
    with pytest.raises(AttributeError, match=r"%%durable_object, or from runtime\.register"):
        _ = runtime.env.WORKFLOW


def test_a_broken_stub_says_that_it_is_and_where_to_get_another(runtime, stub):
    told(runtime, stub.stop())
    for _ in range(2):
        text = told(runtime, stub.answer())
        assert text.startswith("stopped\n")
        assert text.count("Get a new one: env.SLIPS.getByName('a')") == 1
    assert runtime.run(runtime.env.SLIPS.getByName("a").answer()) == 1


def test_a_broken_stub_shows_no_line_of_an_earlier_call(runtime, stub):
    told(runtime, stub.stop())
    with pytest.raises(errors.PlatformError) as caught:
        runtime.run(stub.answer())
    files = [entry.path.name for entry in caught.traceback]
    lines = [str(entry.statement) for entry in caught.traceback]
    assert __file__.endswith(files[0])
    assert not any("abort" in line for line in lines)


def test_an_async_function_in_a_synchronous_transaction_is_warned_of(runtime, stub):
    with pytest.warns(errors.PortabilityWarning, match="given change, which is async"):
        runtime.run(stub.async_closure())


def test_an_alarm_without_a_handler_is_taken_warned_of_and_fails(runtime):
    class Forgetful(DurableObject):
        async def start(self):
            await self.ctx.storage.setAlarm(time.time() * 1000 + 500)

    stub = runtime.register(Forgetful).getByName("a")
    with pytest.warns(errors.PortabilityWarning, match="Forgetful, which has no alarm"):
        runtime.run(stub.start())
    (run, *_) = runtime.advance("1s")
    assert (run.outcome, run.error) == ("error", "PlatformTypeError: Method alarm does not exist")


def test_an_alarm_of_a_class_without_the_base_is_refused(runtime):
    class Plain:
        def __init__(self, ctx, env):
            self.ctx = ctx

        async def start(self):
            await self.ctx.storage.setAlarm(1)

    assert "must have an alarm() handler" in told(
        runtime, runtime.register(Plain).getByName("a").start()
    )


@pytest.mark.parametrize("use", [bool, str, "{}".format, lambda p: p == 1, lambda p: p in [1]])
def test_a_promise_as_a_value_is_warned_of_outside_of_objects_too(runtime, stub, use):
    promise = stub.answer()
    with pytest.warns(errors.PortabilityWarning, match="write `await` before the call"):
        use(promise)
    runtime.run(promise)


@pytest.mark.parametrize("use", [repr, hash, lambda p: p is None, lambda p: p == p, lambda p: {p}])
def test_what_is_no_use_as_a_value_is_not_warned_of(runtime, stub, use):
    promise = stub.answer()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        use(promise)
    runtime.run(promise)
