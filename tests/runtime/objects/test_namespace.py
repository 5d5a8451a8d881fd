"""Namespaces, stubs and env: the platform's names, and help where something is misspelt."""

import asyncio

import pytest

from dobook.errors import (
    DataCloneError,
    PlatformError,
    PlatformTypeError,
    UnknownNameError,
    UsageError,
)
from dobook.runtime.access import kernel_of
from dobook.runtime.calls.rpc import RpcTarget


class Greeter:
    kind = "greeter"

    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env
        self.calls = 0

    async def greet(self, whom, *, greeting="hello"):
        return f"{greeting} {whom}"

    async def echo(self, value):
        return value

    def grow(self, items):
        items.append(len(items))
        return items

    async def counter(self, n):
        return Tally(n)

    async def adder(self, n):
        return lambda x: x + n

    async def call(self, function, value):
        return await function(value)

    async def bag(self):
        return {"tally": Tally(10), "plain": [1, 2]}

    def _private(self):
        return "secret"


class Tally(RpcTarget):
    def __init__(self, n):
        self.n = n

    def increment(self, by=1):
        self.n += by
        return self.n

    @property
    def value(self):
        return self.n


class RateLimiter(Greeter):
    pass


@pytest.fixture
def greeters(runtime):
    return runtime.register(Greeter)


@pytest.fixture
def greeter(greeters):
    return greeters.getByName("a")


# ---------------------------------------------------------------------- names


def test_a_binding_is_the_class_name_in_capitals_unless_it_is_given(runtime):
    assert runtime.register(RateLimiter).binding == "RATE_LIMITER"
    assert runtime.register(Greeter, "HELLO").binding == "HELLO"
    assert runtime.env.names() == ["RATE_LIMITER", "HELLO"]


def test_a_namespace_is_found_by_binding_class_and_class_name(runtime, greeters):
    for which in ("GREETER", Greeter, "Greeter"):
        assert runtime.namespace(which) is greeters
    assert kernel_of(runtime).namespaces == [greeters]


def test_unknown_names_are_answered_with_the_nearest_or_with_all(runtime, greeters):
    runtime.register(RateLimiter)
    with pytest.raises(UnknownNameError, match="Did you mean 'RATE_LIMITER'") as caught:
        runtime.namespace("RATELIMITER")
    assert (caught.value.kind, caught.value.name) == ("binding", "RATELIMITER")
    with pytest.raises(UnknownNameError, match="There is 'GREETER', 'RATE_LIMITER'"):
        runtime.namespace("zzz")


def test_without_any_class_it_says_that_there_is_none(runtime):
    with pytest.raises(UnknownNameError, match="There are none yet"):
        runtime.namespace("GREETER")


@pytest.mark.parametrize("wrong", ["two words", "1st", ""])
def test_a_binding_is_an_identifier(runtime, wrong):
    with pytest.raises(UsageError, match="Python identifier"):
        runtime.register(Greeter, wrong or " ")


def test_two_classes_cannot_have_one_binding(runtime, greeters):
    class Other:
        def __init__(self, ctx, env): ...

    with pytest.raises(UsageError, match="GREETER is the binding of Greeter already"):
        runtime.register(Other, "GREETER")
    assert runtime.namespace("GREETER") is greeters
    assert runtime.register(Other).binding == "OTHER"


def test_env_is_read_like_an_object_or_a_dict(runtime, greeters):
    assert runtime.env.GREETER is runtime.env["GREETER"] is greeters
    assert "GREETER" in runtime.env
    assert "GREETER" in dir(runtime.env)
    with pytest.raises(AttributeError, match="Did you mean 'GREETER'"):
        _ = runtime.env["GRETER"]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("get_by_name", "getByName"),
        ("id_from_name", "idFromName"),
        ("id_from_string", "idFromString"),
        ("new_unique_id", "newUniqueId"),
    ],
)
def test_snake_case_is_answered_with_the_platforms_spelling(greeters, wrong, right):
    with pytest.raises(AttributeError, match=f"'{right}'"):
        getattr(greeters, wrong)


def test_a_path_leads_to_an_object_by_name_or_id(runtime, greeters):
    stub = greeters.getByName("with/slash")
    assert runtime.stub("GREETER/with/slash").id == stub.id
    by_id = runtime.stub(f"GREETER/{stub.id}")
    assert by_id.id == stub.id
    for wrong in ("GREETER", "GREETER/"):
        with pytest.raises(UsageError, match="names no object"):
            runtime.stub(wrong)


def test_things_show_what_they_are(runtime, greeters, greeter):
    assert repr(greeters) == "<DurableObjectNamespace GREETER: Greeter>"
    assert repr(greeter) == "<GREETER/a>"
    assert repr(runtime.env) == "<env: GREETER>"
    nameless = greeters.get(greeters.idFromString(str(greeter.id)))
    assert repr(nameless) == f"<GREETER/{str(greeter.id)[:8]}…>"


# ---------------------------------------------------------------------- calls


def test_arguments_and_keywords_arrive(runtime, greeter):
    assert runtime.run(greeter.greet("Ada")) == "hello Ada"
    assert runtime.run(greeter.greet("Ada", greeting="salve")) == "salve Ada"


def test_wrong_arguments_are_pythons_own_error(runtime, greeter):
    with pytest.raises(TypeError, match="whom"):
        runtime.run(greeter.greet())


def test_arguments_and_results_are_copies(runtime, greeter):
    mine = [1, 2]
    theirs = runtime.run(greeter.grow(mine))
    assert mine == [1, 2]
    assert theirs == [1, 2, 2]


def test_arguments_are_copied_when_the_call_is_made(runtime, greeter):
    mine = [1]
    call = greeter.grow(mine)
    mine.append("too late")
    assert runtime.run(call) == [1, 1]


@pytest.mark.parametrize("value", [object(), Greeter], ids=["object", "class"])
def test_what_cannot_be_sent_is_refused_when_awaited(runtime, greeter, value):
    call = greeter.echo(value)
    with pytest.raises(DataCloneError, match="could not be cloned"):
        runtime.run(call)


def test_private_names_are_not_remote(greeter):
    with pytest.raises(AttributeError, match="names with a leading underscore are private"):
        _ = greeter._private


def test_introspection_of_a_stub_calls_nobody(runtime, greeter):
    assert not hasattr(greeter, "_repr_html_hidden_")
    assert not hasattr(greeter, "__len__")
    runtime.settle()
    assert runtime.objects() == []


def test_a_property_of_the_class_is_awaited(runtime, greeter):
    async def main():
        return await greeter.kind

    assert runtime.run(main()) == "greeter"


def test_a_target_stays_where_it_is_and_is_called_there(runtime, greeter):
    async def main():
        tally = await greeter.counter(5)
        return [await tally.increment(), await tally.increment(10), await tally.value]

    assert runtime.run(main()) == [6, 16, 16]


def test_calls_go_on_along_a_result_that_is_not_there_yet(runtime, greeter):
    async def main():
        return [
            await greeter.counter(5).increment(),
            await greeter.bag().tally.increment(),
            await greeter.bag().plain,
        ]

    assert runtime.run(main()) == [6, 11, [1, 2]]


def test_functions_travel_both_ways(runtime, greeter):
    async def main():
        add = await greeter.adder(3)
        return [await add(4), await greeter.call(lambda x: x * 2, 21)]

    assert runtime.run(main()) == [7, 42]


def test_a_stub_that_was_disposed_of_says_so(runtime, greeter):
    async def main():
        tally = await greeter.counter(5)
        second = tally.dup()
        tally.dispose()
        tally.dispose()
        with pytest.raises(PlatformError, match="after being disposed"):
            await tally.increment()
        return await second.increment()

    assert runtime.run(main()) == 6


def test_stubs_can_be_sent_and_ids_go_as_text(runtime, greeters, greeter):
    async def main():
        stub = await greeter.echo(greeters.getByName("b"))
        identity = greeters.idFromString(await greeter.echo(str(greeters.idFromName("c"))))
        return await stub.greet("b"), await greeters.get(identity).greet("c")

    assert runtime.run(main()) == ("hello b", "hello c")
    with pytest.raises(DataCloneError):
        runtime.run(greeter.echo(greeters.idFromName("c")))


def test_a_wrong_method_of_a_result_is_named(runtime, greeter):
    async def main():
        return await greeter.counter(5).increase()

    with pytest.raises(PlatformTypeError, match='does not implement the method "increase"'):
        runtime.run(main())


def test_a_thousand_calls_at_once_all_arrive(runtime, greeters):
    async def main():
        return await asyncio.gather(
            *[greeters.getByName(f"g{n % 50}").echo(n) for n in range(1_000)]
        )

    assert runtime.run(main()) == list(range(1_000))


class QuotaExceeded(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def test_an_error_whose_class_takes_other_arguments_than_its_text_keeps_its_class(runtime):
    class Strict:
        def __init__(self, ctx, env): ...

        async def spend(self):
            raise QuotaExceeded(7, "no more today")

    with pytest.raises(QuotaExceeded, match=r"^no more today$") as caught:
        runtime.run(runtime.register(Strict).getByName("a").spend())
    assert (caught.value.code, caught.value.remote) == (7, True)
