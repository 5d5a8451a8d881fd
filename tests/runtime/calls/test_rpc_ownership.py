"""Who may use a stub, and until when: where it comes from, where it lies, when it is used.

Recorded with workerd 1.20261117.1 at the compatibility date 2026-04-26. The answers are the same for
every place that a stub lies in, and for functions, which the vectors have.
"""

import asyncio

import pytest
from js import ReadableStream

from dobook import RpcTarget, Runtime
from dobook.errors import PlatformError
from dobook.web import Response

DISPOSED = "RPC stub used after being disposed."
pytestmark = pytest.mark.filterwarnings("ignore::dobook.errors.PortabilityWarning")


class Tally(RpcTarget):
    def __init__(self):
        self.n = 0

    def inc(self):
        self.n += 1
        return "used"


def find(value):
    """Return the stub that lies somewhere in a value."""
    while isinstance(value, list | dict):
        value = value[0] if isinstance(value, list) else next(iter(value.values()))
    return value


async def use(value):
    """Use a target, or what stands for one."""
    result = find(value).inc()
    return await result if hasattr(type(result), "__await__") else result


async def attempt(work):
    """Return the result of a coroutine, or the text of its error."""
    try:
        return await work
    except PlatformError as error:
        return str(error)


SHAPES = {
    "bare": lambda stub: stub,
    "in a dict": lambda stub: {"a": stub},
    "in a list": lambda stub: [stub],
    "deep": lambda stub: {"a": [{"b": stub}]},
    "in a map": lambda stub: {7: stub},
}


class Callee:
    def __init__(self, ctx, env):
        self.ctx, self.env = ctx, env
        self.log = []
        self.kept = None

    # ------------------------------------------------------------------ where stubs come from
    def target(self):
        return Tally()

    def bag(self):
        return {"label": "bag", "tally": Tally()}

    # ------------------------------------------------------------------ during the call
    async def during(self, value):
        return await use(value)

    async def during_later(self, value):
        await asyncio.sleep(0.01)
        return await use(value)

    async def begun(self, value):
        promise = find(value).inc()
        self.ctx.waitUntil(self.note(promise))

    async def dispose_then_use(self, value):
        find(value).dispose()
        return await use(value)

    # ------------------------------------------------------------------ after the call
    async def in_background(self, value):
        async def later():
            await asyncio.sleep(0.03)
            self.log.append(await attempt(use(value)))

        self.ctx.waitUntil(later())

    async def note(self, promise):
        self.log.append(await promise)

    def keep(self, value):
        self.kept = find(value)

    def keep_all(self, value):
        self.kept = value

    def keep_dup(self, value):
        self.kept = find(value).dup()

    def keep_and_fail(self, value):
        self.kept = find(value)
        raise PlatformError("no")

    async def use_kept(self):
        return await use(self.kept)

    def drop_kept(self):
        self.kept.dispose()

    def logged(self):
        return self.log

    # ------------------------------------------------------------------ given back
    @property
    def prop(self):
        return self.kept

    def echo(self, value):
        return value

    def echo_twice(self, value):
        return [find(value), find(value)]

    def give(self):
        return self.kept

    def give_dup(self):
        return self.kept.dup()

    def give_deep(self):
        return {"a": [self.kept]}

    def closure(self, value):
        async def call():
            return await use(value)

        return call

    def target_over(self, value):
        class Over(RpcTarget):
            def inc(self):
                return use(value)

        return Over()

    def stream(self, value):
        async def pull(controller):
            controller.enqueue((await attempt(use(value))).encode())
            controller.close()

        return ReadableStream.new(pull=pull, type="bytes")

    def response(self, value):
        return Response(self.stream(value))

    def dispose(self, value):
        find(value).dispose()

    # ------------------------------------------------------------------ passed on
    async def pass_on(self, name, method, value):
        return await getattr(self.env.CALLEE.getByName(name), method)(value)

    async def pass_on_late(self, name, value):
        async def later():
            await asyncio.sleep(0.03)
            self.log.append(await attempt(self.env.CALLEE.getByName(name).during(value)))

        self.ctx.waitUntil(later())

    # ------------------------------------------------------------------ the caller
    async def play(self, scenario, source, shape):
        """Play one scenario between this object and others."""
        names = (f"{scenario}/{source}/{shape}/{letter}" for letter in "bc")
        b, c = (self.env.CALLEE.getByName(name) for name in names)
        stub = await SOURCES[source](self.env.CALLEE.getByName("source"))
        return await SCENARIOS[scenario](b, c, stub, SHAPES[shape])


async def own(_source):
    return Tally()


async def result(source):
    return await source.target()


async def from_a_dict(source):
    return (await source.bag()).tally


async def duplicate(source):
    return (await source.target()).dup()


SOURCES = {"own": own, "result": result, "from a dict": from_a_dict, "duplicate": duplicate}


async def answer(work):
    return await attempt(work)


async def then_kept(b, method, value):
    await attempt(getattr(b, method)(value))
    return await attempt(b.use_kept())


async def then_log(b, work):
    await work
    await asyncio.sleep(0.08)
    return (await b.logged())[0]


async def echoed(b, stub, shape):
    given = await b.echo(shape(stub))
    return [await attempt(use(given)), await attempt(use(stub)), await attempt(use(given))]


async def echoed_twice(b, stub, shape):
    one, two = await b.echo_twice(shape(stub))
    before = [await attempt(use(one)), await attempt(use(two))]
    one.dispose()
    return [*before, await attempt(use(one)), await attempt(use(two))]


async def given_twice(b, stub, shape, method):
    await b.keep_dup(shape(stub))
    first = await attempt(use(await getattr(b, method)()))
    second = await attempt(use(await getattr(b, method)()))
    return [first, second, await attempt(b.use_kept())]


async def read(stream):
    return await Response(await stream).text()


async def after(first, then):
    await attempt(first)
    return await attempt(then())


async def kept_dup_used_twice(b, value):
    await b.keep_dup(value)
    return [await attempt(b.use_kept()), await attempt(b.use_kept())]


async def property_given(b, value):
    await b.keep_dup(value)
    return [await attempt(use(await b.prop)), await attempt(b.use_kept())]


async def dropped(b, value):
    await b.keep_dup(value)
    await b.drop_kept()
    return await attempt(b.use_kept())


async def source_disposed(b, stub, shape):
    await b.keep_dup(shape(stub))
    if hasattr(stub, "dispose"):
        stub.dispose()
    return await attempt(b.use_kept())


async def disposed_while_it_runs(b, stub, shape):
    promise = b.during_later(shape(stub))
    if hasattr(stub, "dispose"):
        stub.dispose()
    return await attempt(promise)


SCENARIOS = {
    "during": lambda b, c, s, w: answer(b.during(w(s))),
    "during, later": lambda b, c, s, w: answer(b.during_later(w(s))),
    "begun during": lambda b, c, s, w: then_log(b, b.begun(w(s))),
    "in the background": lambda b, c, s, w: then_log(b, b.in_background(w(s))),
    "kept": lambda b, c, s, w: then_kept(b, "keep", w(s)),
    "kept whole": lambda b, c, s, w: then_kept(b, "keep_all", w(s)),
    "kept by a call that fails": lambda b, c, s, w: then_kept(b, "keep_and_fail", w(s)),
    "a duplicate kept": lambda b, c, s, w: kept_dup_used_twice(b, w(s)),
    "a duplicate kept and dropped": lambda b, c, s, w: dropped(b, w(s)),
    "a duplicate kept, the source disposed": lambda b, c, s, w: source_disposed(b, s, w),
    "disposed by the callee": lambda b, c, s, w: answer(b.dispose_then_use(w(s))),
    "disposed by the callee, used by the caller": lambda b, c, s, w: after(
        b.dispose(w(s)), lambda: use(s)
    ),
    "disposed by the caller meanwhile": lambda b, c, s, w: disposed_while_it_runs(b, s, w),
    "echoed": lambda b, c, s, w: echoed(b, s, w),
    "echoed twice in one value": lambda b, c, s, w: echoed_twice(b, s, w),
    "kept, given": lambda b, c, s, w: after(b.keep(w(s)), lambda: pipelined(b)),
    "kept, given twice": lambda b, c, s, w: given_twice(b, s, w, "give"),
    "kept, given twice deep in a value": lambda b, c, s, w: given_twice(b, s, w, "give_deep"),
    "kept, a duplicate given twice": lambda b, c, s, w: given_twice(b, s, w, "give_dup"),
    "kept, given as a property": lambda b, c, s, w: property_given(b, w(s)),
    "in a closure": lambda b, c, s, w: answer(called(b.closure(w(s)))),
    "in a target": lambda b, c, s, w: answer(used(b.target_over(w(s)))),
    "in a stream": lambda b, c, s, w: read(b.stream(w(s))),
    "in a response": lambda b, c, s, w: text(b.response(w(s))),
    "passed on": lambda b, c, s, w: answer(b.pass_on(c.name, "during", w(s))),
    "passed on and kept": lambda b, c, s, w: after(b.pass_on(c.name, "keep", w(s)), c.use_kept),
    "passed on, a duplicate kept": lambda b, c, s, w: after(
        b.pass_on(c.name, "keep_dup", w(s)), c.use_kept
    ),
    "passed on too late": lambda b, c, s, w: then_log(b, b.pass_on_late(c.name, w(s))),
}


async def pipelined(b):
    return await use(await b.give())


async def called(promise):
    return await (await promise)()


async def used(promise):
    return await use(await promise)


async def text(promise):
    return await (await promise).text()


USED = "used"
RECORDED = {
    "during": USED,
    "during, later": USED,
    "begun during": USED,
    "in the background": DISPOSED,
    "kept": DISPOSED,
    "kept whole": DISPOSED,
    "kept by a call that fails": DISPOSED,
    "a duplicate kept": [USED, USED],
    "a duplicate kept and dropped": DISPOSED,
    "a duplicate kept, the source disposed": USED,
    "disposed by the callee": DISPOSED,
    "disposed by the callee, used by the caller": USED,
    "disposed by the caller meanwhile": USED,
    "echoed": [USED, USED, USED],
    "echoed twice in one value": [USED, USED, DISPOSED, DISPOSED],
    "kept, given": DISPOSED,
    "kept, given twice": [USED, DISPOSED, DISPOSED],
    "kept, given twice deep in a value": [USED, DISPOSED, DISPOSED],
    "kept, a duplicate given twice": [USED, USED, USED],
    "kept, given as a property": [USED, DISPOSED],
    "in a closure": DISPOSED,
    "in a target": DISPOSED,
    "in a stream": DISPOSED,
    "in a response": DISPOSED,
    "passed on": USED,
    "passed on and kept": DISPOSED,
    "passed on, a duplicate kept": USED,
    "passed on too late": DISPOSED,
}


@pytest.fixture(scope="module")
def world():
    with Runtime() as runtime:
        yield runtime, runtime.register(Callee).getByName("caller")


@pytest.mark.parametrize("source", list(SOURCES))
@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_a_stub_is_usable_exactly_as_long_as_recorded(world, scenario, source):
    runtime, caller = world
    answers = {
        shape: runtime.run(caller.play(scenario, source, shape))
        for shape in SHAPES
    }  # fmt: skip
    assert answers == dict.fromkeys(SHAPES, RECORDED[scenario])


@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_the_same_holds_for_a_caller_outside_of_objects(world, scenario):
    runtime, _ = world
    namespace = runtime.env.CALLEE

    async def play(source, shape):
        names = (f"outside/{scenario}/{source}/{shape}/{letter}" for letter in "bc")
        b, c = (namespace.getByName(name) for name in names)
        stub = await SOURCES[source](namespace.getByName("source"))
        return await SCENARIOS[scenario](b, c, stub, SHAPES[shape])

    for source in SOURCES:
        assert runtime.run(play(source, "deep")) == RECORDED[scenario], source


def test_the_error_names_the_cure():
    with Runtime() as runtime:
        callee = runtime.register(Callee).getByName("a")

        async def main():
            await callee.keep(Tally())
            await callee.use_kept()

        with pytest.raises(PlatformError) as error:
            runtime.run(main())
        assert str(error.value) == DISPOSED
        assert any("callback.dup()" in note for note in error.value.__notes__)
