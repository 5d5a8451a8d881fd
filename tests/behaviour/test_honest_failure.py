"""Promise: what the real engine rejects is rejected with the same class and message, on both sides
of every edge; what is not supported or misspelt says so by name.

Source: developers.cloudflare.com/durable-objects/best-practices/error-handling/,
developers.cloudflare.com/durable-objects/platform/limits/
"""

import asyncio
import gc
import subprocess
import sys
import warnings

import pytest

import dobook
from dobook import limits
from dobook.errors import (
    DataCloneError,
    DobookError,
    PlatformError,
    PlatformRangeError,
    PlatformTypeError,
    StateDirectoryError,
    UnknownNameError,
    UsageError,
)


class Target:
    attribute_of_the_class = "seen"

    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env
        self.attribute_of_the_instance = "hidden"

    async def put(self, key, value):
        await self.ctx.storage.put(key, value)

    async def put_bytes(self, size):
        await self.ctx.storage.put("v", b"x" * size)

    async def put_many(self, count):
        await self.ctx.storage.put({f"k{n}": n for n in range(count)})

    async def call_storage(self, method, *arguments, **options):
        return await getattr(self.ctx.storage, method)(*arguments, **options)

    async def storage_names(self, name):
        return getattr(self.ctx.storage, name)

    async def ctx_names(self, name):
        return getattr(self.ctx, name)

    async def env_names(self, name):
        return getattr(self.env, name)

    async def use_sql(self):
        self.ctx.storage.sql.exec("SELECT 1")

    async def use_kv(self):
        self.ctx.storage.kv.get("k")

    async def put_unstorable(self, what):
        class Own:
            pass

        await self.ctx.storage.put(
            "v", {"function": len, "class": Own, "object": Own(), "generator": iter([])}[what]
        )

    async def put_coroutine(self):
        await self.ctx.storage.put("v", self.count())

    async def count(self):
        return 1

    async def fail(self, kind):
        raise {"value": ValueError, "type": TypeError, "key": KeyError, "own": OwnError}[kind](kind)

    async def abort(self, reason=None):
        self.ctx.abort(reason)

    async def memory(self):
        return self.attribute_of_the_instance


class OwnError(Exception):
    pass


@pytest.fixture
def targets(runtime):
    return runtime.register(Target)


@pytest.fixture
def target(targets):
    return targets.getByName("a")


@pytest.fixture
def old_target(runtime):
    """An object whose class was declared with `new_classes`."""
    return runtime.register(Target, name="Old", sqlite=False).getByName("a")


def refused(runtime, call, kind, match=None):
    with pytest.raises(kind, match=match) as caught:
        runtime.run(call)
    return caught.value


# ---------------------------------------------------------------------- limits, on both sides


def test_a_key_of_2048_bytes_is_taken_and_one_of_2049_refused(runtime, target):
    runtime.run(target.put("k" * 2_048, 1))
    runtime.run(target.put("ä" * 1_024, 1))
    text = "Keys cannot be larger than 2048 bytes. A key of size 2049 was provided."
    assert str(refused(runtime, target.put("k" * 2_049, 1), PlatformRangeError, "Keys")) == text
    refused(runtime, target.put("ä" * 1_024 + "k", 1), PlatformRangeError, "size 2049")


def test_128_keys_are_taken_at_once_and_129_refused(runtime, target):
    runtime.run(target.put_many(128))
    text = "Maximum number of key value pairs is 128. 129 pairs were provided."
    for call in (
        target.put_many(129),
        target.call_storage("get", [f"k{n}" for n in range(129)]),
        target.call_storage("delete", [f"k{n}" for n in range(129)]),
    ):
        assert str(refused(runtime, call, PlatformRangeError, "Maximum")) == text
    assert len(runtime.run(target.call_storage("list"))) == 128, (
        "nothing of the refused came through"
    )


def test_a_value_in_a_class_of_the_kv_kind_may_have_128_kib(runtime, old_target):
    overhead = 6  # of the serialisation, for bytes of this size
    runtime.run(old_target.put_bytes(limits.MAX_KV_VALUE_BYTES))
    beyond = limits.MAX_KV_VALUE_BYTES + limits.KV_VALUE_GRACE_BYTES - overhead + 8
    refused(runtime, old_target.put_bytes(beyond), PlatformRangeError, "larger than 131072 bytes")


def test_a_value_in_a_class_of_the_sqlite_kind_may_have_2_mb(runtime, target):
    runtime.run(target.put_bytes(limits.MAX_SQLITE_ENTRY_BYTES - 16))
    refused(
        runtime, target.put_bytes(limits.MAX_SQLITE_ENTRY_BYTES), PlatformError, "SQLITE_TOOBIG"
    )


def test_unsafe_limits_take_the_hosted_limits_away(open_runtime):
    runtime = open_runtime(unsafe_limits=True)
    target = runtime.register(Target).getByName("a")
    runtime.run(target.put("k" * 5_000, 1))
    runtime.run(target.put_many(129))


def test_a_list_limit_of_one_is_taken_and_of_zero_refused(runtime, target):
    runtime.run(target.put("k", 1))
    assert runtime.run(target.call_storage("list", limit=1)) == {"k": 1}
    for limit in (0, -1):
        call = target.call_storage("list", limit=limit)
        assert str(refused(runtime, call, PlatformTypeError)) == "List limit must be positive."


# ---------------------------------------------------------------------- values and options


def test_start_and_start_after_exclude_each_other(runtime, target):
    call = target.call_storage("list", {"start": "a", "startAfter": "b"})
    refused(runtime, call, PlatformTypeError, "cannot be called with both start and startAfter")


@pytest.mark.parametrize("what", ["function", "class", "object", "generator"])
def test_what_cannot_be_cloned_is_refused_and_stores_nothing(runtime, target, what):
    error = refused(runtime, target.put_unstorable(what), DataCloneError, "could not be cloned")
    assert error.js_name == "DataCloneError"
    assert runtime.run(target.call_storage("get", "v")) is None


@pytest.mark.parametrize("value", [(1, 2), bytearray(b"x")], ids=["tuple", "bytearray"])
def test_what_the_sdk_does_not_send_is_refused_by_the_caller(runtime, target, value):
    for given in (value, [value], {"deep": [value]}):
        refused(runtime, target.put("v", given), TypeError, "cannot be sent over RPC")


def test_a_forgotten_await_gets_its_own_lesson(runtime, target):
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        error = refused(runtime, target.put_coroutine(), DataCloneError, "It was not awaited")
        assert "await self.count()" in str(error)
        del error
        gc.collect()


def test_a_forgotten_await_is_said_once(runtime, target):
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        refused(runtime, target.put_coroutine(), DataCloneError)
        gc.collect()
        assert [str(w.message) for w in warned] == []


@pytest.mark.parametrize("key", [None, b"k", {}], ids=repr)
def test_what_is_no_key_is_refused(runtime, target, key):
    refused(runtime, target.call_storage("get", key), PlatformTypeError, "key")


def test_a_misspelt_option_is_answered_with_the_right_one(runtime, target):
    refused(runtime, target.call_storage("list", prefx="a"), PlatformTypeError, "'prefix'")
    call = target.call_storage("list", {"start_after": "a"})
    refused(runtime, call, PlatformTypeError, "'startAfter'")


def test_sql_and_the_synchronous_rows_belong_to_the_sqlite_kind(runtime, target, old_target):
    runtime.run(target.use_sql())
    runtime.run(target.use_kv())
    refused(runtime, old_target.use_sql(), PlatformError, "SQL is not enabled for this")
    refused(runtime, old_target.use_kv(), PlatformError, "only available for SQLite-backed")


# ---------------------------------------------------------------------- names


def test_an_unknown_binding_names_the_nearest(runtime, targets):
    with pytest.raises(UnknownNameError, match="Did you mean 'TARGET'"):
        runtime.namespace("TARGTE")
    with pytest.raises(AttributeError, match="Did you mean 'TARGET'"):
        _ = runtime.env.TARGTE
    with pytest.raises(UnknownNameError, match="Did you mean 'TARGET'"):
        runtime.stub("TARGTE/a")
    with pytest.raises(UsageError, match="Write TARGET/name"):
        runtime.stub("TARGET")


def test_an_unknown_method_says_what_the_platform_says_and_names_the_nearest(runtime, target):
    error = refused(runtime, target.cuont(), PlatformTypeError)
    assert str(error) == 'The RPC receiver does not implement the method "cuont".'
    assert error.__notes__ == ["Did you mean 'count'?"]
    assert error.remote


def test_instance_attributes_cannot_be_reached_and_class_attributes_can(runtime, target):
    async def main():
        return await target.attribute_of_the_class

    assert runtime.run(main()) == "seen"
    call = target.attribute_of_the_instance()
    error = refused(runtime, call, PlatformTypeError, "does not implement")
    assert "attribute of the instance" in " ".join(error.__notes__)


@pytest.mark.parametrize("name", ["alarm", "webSocketMessage", "webSocketClose"])
def test_handlers_cannot_be_called_as_methods(runtime, name):
    cls = type("Handling", (), {"__init__": lambda *_: None, name: lambda *_: "reached"})
    call = getattr(runtime.register(cls).getByName("a"), name)()
    refused(runtime, call, PlatformTypeError, f"'{name}' is a reserved method")


@pytest.mark.parametrize("name", ["alarm", "webSocketMessage", "dup"])
def test_handlers_of_objects_are_refused_by_name_even_if_they_are_not_there(runtime, target, name):
    call = getattr(target, name)()
    refused(runtime, call, PlatformTypeError, f"'{name}' is a reserved method")


@pytest.mark.parametrize("name", ["scheduled", "trace", "constructor"])
def test_other_handlers_that_are_not_there_are_missing_like_any_method(runtime, target, name):
    call = getattr(target, name)()
    refused(runtime, call, PlatformTypeError, f'does not implement the method "{name}"')


def test_snake_case_on_a_namespace_is_answered_with_the_platforms_name(targets):
    with pytest.raises(AttributeError, match="'getByName'"):
        targets.get_by_name("a")


@pytest.mark.parametrize(
    ("where", "wrong", "right"),
    [
        ("storage_names", "set_alarm", "setAlarm"),
        ("storage_names", "delete_all", "deleteAll"),
        ("ctx_names", "block_concurrency_while", "blockConcurrencyWhile"),
        ("ctx_names", "wait_until", "waitUntil"),
    ],
)
def test_snake_case_in_an_object_is_answered_with_the_platforms_name(
    runtime, target, where, wrong, right
):
    refused(runtime, getattr(target, where)(wrong), AttributeError, right)


def test_text_where_an_id_belongs_is_refused_with_a_hint(targets):
    with pytest.raises(PlatformTypeError, match="not of type 'DurableObjectId'") as caught:
        targets.get("alice")
    assert caught.value.__notes__ == ["For a name there is env.TARGET.getByName('alice')."]


def test_jurisdictions_are_refused_by_name(targets):
    with pytest.raises(PlatformError, match="Jurisdiction restrictions are not implemented"):
        targets.newUniqueId(jurisdiction="eu")


# ---------------------------------------------------------------------- errors on their way


@pytest.mark.parametrize(
    ("kind", "cls"),
    [("value", ValueError), ("type", TypeError), ("key", KeyError), ("own", OwnError)],
)
def test_an_error_keeps_its_class_and_message_and_is_marked_remote(runtime, target, kind, cls):
    error = refused(runtime, target.fail(kind), cls, kind)
    assert error.remote
    assert not getattr(error, "durableObjectReset", False)
    assert runtime.run(target.count()) == 1, "the object lives on"


def test_the_traceback_points_at_the_users_code_and_not_at_dobook(runtime, target):
    error = refused(runtime, target.fail("value"), ValueError)
    frames = []
    at = error.__traceback__
    while at is not None:
        frames.append((at.tb_frame.f_code.co_name, at.tb_frame.f_globals["__name__"]))
        at = at.tb_next
    assert frames[-1] == ("fail", __name__)


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (None, "Application called abort() to reset Durable Object."),
        ("my reason", "my reason"),
    ],
)
def test_an_abort_gives_its_reason_and_breaks_the_stub_but_not_the_object(
    runtime, targets, target, reason, text
):
    error = refused(runtime, target.abort(reason), DobookError)
    assert str(error) == text
    assert error.durableObjectReset
    refused(runtime, target.count(), DobookError)
    assert runtime.run(targets.getByName("a").count()) == 1


def test_a_constructor_that_raises_fails_the_call_and_the_next_one_tries_again(runtime):
    class Moody:
        tries = 0

        def __init__(self, ctx, env):
            type(self).tries += 1
            if self.tries == 1:
                raise ValueError("not today")

        def tried(self):
            return self.tries

    moody = runtime.register(Moody)
    refused(runtime, moody.getByName("a").tried(), ValueError, "not today")
    assert runtime.run(moody.getByName("a").tried()) == 2


def test_a_class_without_fetch_says_so(runtime, target):
    call = target.fetch("http://object/")
    refused(runtime, call, PlatformError, r"does not export a fetch\(\) function")


# ---------------------------------------------------------------------- using dobook wrongly


def test_a_closed_runtime_says_so(open_runtime):
    runtime = open_runtime()
    runtime.register(Target).getByName("a")
    runtime.close()
    runtime.close()
    with pytest.raises(UsageError, match="this runtime is closed"):
        runtime.register(Target)


def test_a_call_on_a_closed_runtime_says_so(open_runtime):
    runtime = open_runtime()
    target = runtime.register(Target).getByName("a")
    runtime.close()
    with pytest.raises(UsageError, match="this runtime is closed"):
        runtime.run(target.count())


def test_the_kind_of_storage_of_a_class_cannot_be_changed(runtime, targets):
    with pytest.raises(UsageError, match="cannot be changed after it has been deployed"):
        runtime.register(Target, sqlite=False)
    assert runtime.register(Target) is targets


@pytest.mark.parametrize(
    "wrong",
    [lambda ctx, env: None, Target(None, None), "Target"],
    ids=["a function", "an instance", "a name"],
)
def test_only_classes_are_registered(runtime, wrong):
    with pytest.raises(UsageError, match="takes a class"):
        runtime.register(wrong)


def test_a_state_directory_is_opened_once_at_a_time(open_runtime, tmp_path):
    first = open_runtime(tmp_path / "state")
    with pytest.raises(StateDirectoryError, match="is in use by another runtime"):
        dobook.Runtime(tmp_path / "state")
    first.close()
    open_runtime(tmp_path / "state")


def test_another_process_on_the_same_state_directory_is_refused(open_runtime, tmp_path):
    open_runtime(tmp_path / "state")
    code = "import sys, dobook; dobook.Runtime(sys.argv[1])"
    other = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "state")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert other.returncode != 0
    assert "StateDirectoryError" in other.stderr
    assert "is in use by another runtime" in other.stderr


def test_a_file_where_a_state_directory_belongs_is_refused(tmp_path):
    file = tmp_path / "state"
    file.write_text("something else")
    with pytest.raises(StateDirectoryError, match="cannot be used as a state directory"):
        dobook.Runtime(file)
    assert file.read_text() == "something else"


def test_a_damaged_database_is_named_and_others_go_on(open_runtime, tmp_path):
    with open_runtime(tmp_path / "state") as first:
        targets = first.register(Target)
        for name in "ab":
            first.run(targets.getByName(name).put("k", name))
        damaged = targets.idFromName("a").toString()
    (file,) = (tmp_path / "state").rglob(f"{damaged}.sqlite")
    file.write_bytes(b"no database at all" * 500)
    second = open_runtime(tmp_path / "state")
    targets = second.register(Target)
    with pytest.raises(StateDirectoryError, match="is not a SQLite database"):
        second.run(targets.getByName("a").call_storage("get", "k"))
    assert second.run(targets.getByName("b").call_storage("get", "k")) == "b"
    assert file.read_bytes().startswith(b"no database at all")


def test_a_damaged_database_fails_the_await_like_any_other_error(open_runtime, tmp_path):
    with open_runtime(tmp_path / "state") as first:
        first.run(first.register(Target).getByName("a").put("k", 1))
    for file in (tmp_path / "state").rglob("?" * 64 + ".sqlite"):
        file.write_bytes(b"no database at all" * 500)
    second = open_runtime(tmp_path / "state")
    promise = second.register(Target).getByName("a").count()
    refused(second, promise, StateDirectoryError, "is not a SQLite database")


def test_durability_has_two_values(tmp_path):
    with pytest.raises(UsageError, match='"power" or "process"'):
        dobook.Runtime(tmp_path / "state", durability="maybe")
    assert not (tmp_path / "state").exists()


def test_calls_that_were_sent_before_an_abort_fail_with_it_and_new_ones_do_not(runtime):
    """As recorded in workerd: a call is bound to the life that its object has when it is made."""

    class Doomed:
        def __init__(self, ctx, env):
            self.ctx = ctx

        async def end(self):
            self.ctx.abort("over")

        async def answer(self):
            return 42

    doomed = runtime.register(Doomed)
    stub = doomed.getByName("a")

    async def outcomes():
        sent = [stub.end(), stub.answer(), stub.answer()]
        return [str(e) for e in await asyncio.gather(*sent, return_exceptions=True)]

    assert runtime.run(outcomes()) == ["over"] * 3
    assert runtime.run(doomed.getByName("a").answer()) == 42
