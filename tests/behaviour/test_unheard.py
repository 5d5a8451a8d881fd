"""Promise: what is refused and not awaited is heard, once, and only then.

Source: developers.cloudflare.com/durable-objects/best-practices/rules-of-durable-objects/
"""

import asyncio
import gc
import logging

import pytest
from workers import DurableObject, Response, WorkerEntrypoint

import dobook
from dobook.runtime.access import kernel_of


def _raises(*_):
    raise KeyError("closure")


# What is refused, by the name under which it is told.
REFUSED = {
    "get()": lambda o: o.ctx.storage.get("k" * 3000),
    "list()": lambda o: o.ctx.storage.list(limit=-1),
    "put()": lambda o: o.ctx.storage.put("k", (1, 2)),
    "delete()": lambda o: o.ctx.storage.delete("k" * 3000),
    "getAlarm()": lambda o: o.ctx.storage.getAlarm(5),
    "setAlarm()": lambda o: o.ctx.storage.setAlarm("tomorrow"),
    "deleteAlarm()": lambda o: o.ctx.storage.deleteAlarm(5),
    "deleteAll()": lambda o: o.ctx.storage.deleteAll(5),
    "getBookmarkForTime()": lambda o: o.ctx.storage.getBookmarkForTime("x"),
    "onNextSessionRestoreBookmark()": lambda o: o.ctx.storage.onNextSessionRestoreBookmark("x"),
    "transaction()": lambda o: o.ctx.storage.transaction(_raises),
    "a call of OBJECT/b.fail()": lambda o: o.env.OBJECT.getByName("b").fail(),
    "a call of OBJECT/b.take()": lambda o: o.env.OBJECT.getByName("b").take((1, 2)),
    "a call of OBJECT/b.nope()": lambda o: o.env.OBJECT.getByName("b").nope(),
    "a call of OBJECT/b.fetch()": lambda o: o.env.OBJECT.getByName("b").fetch("http://b/"),
}


async def dropped(o, refused):
    refused(o)


async def dropped_before_a_wait(o, refused):
    refused(o)
    await asyncio.sleep(60)


async def kept_and_forgotten(o, refused):
    o.kept = refused(o)
    await asyncio.sleep(60)


async def dropped_in_a_task(o, refused):
    async def work():
        refused(o)

    await asyncio.create_task(work())


async def dropped_in_a_block(o, refused):
    async def work():
        refused(o)

    await o.ctx.blockConcurrencyWhile(work)


async def awaited(o, refused):
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it was refused with
        await refused(o)


async def awaited_later(o, refused):
    promise = refused(o)
    await asyncio.sleep(60)
    with pytest.raises(Exception):  # noqa: B017, PT011
        await promise


async def awaited_twice(o, refused):
    promise = refused(o)
    for _ in range(2):
        with pytest.raises(Exception):  # noqa: B017, PT011
            await promise


async def gathered(o, refused):
    await asyncio.gather(refused(o), asyncio.sleep(1), return_exceptions=True)


async def caught(o, refused):
    refused(o).catch(lambda _: None)


async def waited_for(o, refused):
    with pytest.raises(Exception):  # noqa: B017, PT011
        await asyncio.wait_for(refused(o), 10)


HEARD_OF = [
    dropped,
    dropped_before_a_wait,
    kept_and_forgotten,
    dropped_in_a_task,
    dropped_in_a_block,
]
AWAITED = [awaited, awaited_later, awaited_twice, gathered, caught, waited_for]


class Object(DurableObject):
    async def run(self, refused, way):
        await WAYS[way](self, REFUSED[refused])
        return "answered"

    async def fail(self):
        raise ValueError("no")

    async def take(self, value):
        return value

    async def background(self):
        self.ctx.waitUntil(self.ctx.storage.put("k", (1, 2)))

    async def task(self):
        asyncio.create_task(self.ctx.storage.put("k", (1, 2)))  # noqa: RUF006

    async def after_the_answer(self):
        self.env.OBJECT.getByName("b").fail_later()

    async def fail_later(self):
        await asyncio.sleep(60)
        raise ValueError("late")

    async def ended(self):
        self.ctx.storage.put("k", (1, 2))
        self.ctx.abort("enough")


WAYS = {f.__name__: f for f in [*HEARD_OF, *AWAITED]}


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.ERROR, "dobook")
    return lambda: [r.getMessage() for r in caplog.records]


@pytest.fixture
def runtime():  # on disk nothing of this differs
    with dobook.Runtime() as made:
        yield made


@pytest.fixture
def stub(runtime):
    return runtime.register(Object).getByName("a")


@pytest.mark.parametrize("way", [f.__name__ for f in HEARD_OF])
@pytest.mark.parametrize("refused", REFUSED)
def test_what_nobody_awaits_is_told_once(runtime, stub, said, refused, way):
    assert runtime.run(stub.run(refused, way)) == "answered"
    runtime.settle()
    gc.collect()
    (line,) = said()
    assert line == str(kernel_of(runtime).unheard[0])
    assert line.startswith(f"OBJECT/a: {refused} has failed, and nothing awaits it")
    assert "\n" not in line
    assert len(kernel_of(runtime).unheard) == 1


@pytest.mark.parametrize("way", [f.__name__ for f in AWAITED])
@pytest.mark.parametrize("refused", REFUSED)
def test_what_is_awaited_in_the_same_event_is_not_told(runtime, stub, said, refused, way):
    assert runtime.run(stub.run(refused, way)) == "answered"
    runtime.settle()
    gc.collect()
    assert said() == []
    assert kernel_of(runtime).unheard == []


def test_the_line_names_object_method_and_the_users_line(runtime, stub):
    runtime.run(stub.run("put()", "dropped"))
    (unheard,) = kernel_of(runtime).unheard
    assert (unheard.object, unheard.what) == ("OBJECT/a", "put()")
    assert unheard.error == (
        "PlatformTypeError: <class 'tuple'> cannot be sent over RPC. Keep or send it as a list: "
        "list(…)."
    )
    assert "o.ctx.storage.put" in unheard.place


def test_a_call_names_the_line_that_makes_it(runtime, stub):
    runtime.run(stub.after_the_answer())
    runtime.advance("1m")
    (unheard,) = kernel_of(runtime).unheard
    assert unheard.what == "a call of OBJECT/b.fail_later()"
    assert '`self.env.OBJECT.getByName("b").fail_later()`' in unheard.place


@pytest.mark.parametrize("method", ["background", "task"])
def test_what_is_handed_on_is_told_as_what_it_was_handed_to(runtime, stub, said, method):
    runtime.run(getattr(stub, method)())
    runtime.settle()
    (line,) = said()
    assert line.startswith(
        ("OBJECT/a: waitUntil has failed", "OBJECT/a: a task that nothing awaits has failed")
    )
    assert kernel_of(runtime).unheard == []


def test_a_call_from_outside_whose_promise_was_dropped_is_told_when_it_fails(runtime, stub, said):
    gc.disable()  # the order does not depend on the collector
    try:
        stub.fail_later()
        runtime.settle()
        assert said() == []
        runtime.advance("1m")
        assert said() == [
            "outside: a call of OBJECT/a.fail_later() has failed, and nothing awaits it: "
            "ValueError: late"
        ]
    finally:
        gc.enable()


def test_a_call_from_outside_is_told_when_its_promise_is_dropped(runtime, stub, said):
    promise = stub.fail()
    runtime.settle()
    assert said() == []
    del promise
    assert said() == [
        "outside: a call of OBJECT/a.fail() has failed, and nothing awaits it: ValueError: no"
    ]


def test_a_call_from_outside_that_is_awaited_later_is_not_told(runtime, stub, said):
    promise = stub.fail()
    runtime.settle()
    with pytest.raises(ValueError, match="no"):
        runtime.run(promise)
    del promise
    assert said() == []


def test_what_an_object_that_ends_was_refused_is_not_told(runtime, stub, said):
    with pytest.raises(dobook.errors.PlatformError, match="enough"):
        runtime.run(stub.ended())
    runtime.settle()
    assert said() == []


def test_the_trace_has_it(runtime, stub):
    runtime.tracing = True
    runtime.run(stub.run("put()", "dropped"))
    (event,) = [e for e in runtime.trace() if e.kind == "error"]
    assert event.object == "OBJECT/a"
    assert "put(), not awaited" in event.text


@pytest.mark.parametrize("refused", REFUSED)
def test_a_trace_changes_nothing(runtime, stub, refused):
    runtime.tracing = True
    runtime.run(stub.run(refused, "dropped"))
    runtime.settle()
    assert [u.what for u in kernel_of(runtime).unheard] == [refused]


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        promise = self.env.OBJECT.getByName("b").take((1, 2))
        if request.url.endswith("/awaited"):
            with pytest.raises(TypeError):
                await promise
        return Response("answered")


@pytest.mark.parametrize(("path", "times"), [("/dropped", 1), ("/awaited", 0)])
def test_a_worker_is_told_as_well(runtime, stub, path, times):
    runtime.serve_worker(Default)
    runtime.run(runtime.fetch(f"http://x{path}"))
    runtime.settle()
    told = [(u.object, u.what) for u in kernel_of(runtime).unheard]
    assert told == [("worker", "a call of OBJECT/b.take()")] * times
