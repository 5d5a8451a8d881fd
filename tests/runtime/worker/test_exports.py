"""Promise: `ctx.exports` reaches a Worker's own classes and entrypoints without a binding.

What the engine does with them is recorded in tests/conformance (exports), what Cloudflare's SDK
does in tests/sdk (exports/…). Here: deployments, several Workers, and what errors say.
"""

import json

import pytest
from workers import DurableObject, Response, WorkerEntrypoint, env, import_from_javascript

import dobook
from dobook.errors import PlatformTypeError, UsageError
from dobook.project import open_projects
from dobook.wrangler import deploy, parse
from dobook.wrangler.writing import as_values

pytestmark = pytest.mark.filterwarnings("ignore::dobook.errors.PortabilityWarning")


class Room(DurableObject):
    async def enter(self, who):
        members = [*(await self.ctx.storage.get("members") or []), who]
        await self.ctx.storage.put("members", members)
        return members

    async def stop(self):
        self.ctx.abort("stopped")


class Hall(DurableObject):
    async def enter(self, room, who):
        return await self.ctx.exports.Room.getByName(room).enter(who)

    async def get(self, name):
        return str(getattr(self.ctx.exports, name))

    async def call(self, name, method):
        return getattr(getattr(self.ctx.exports, name), method)("x")

    async def names(self):
        return dir(self.ctx.exports)

    async def after_stop(self):
        room = self.ctx.exports.Room.getByName("a")
        for call in (room.stop, room.enter):
            try:
                await call()
            except Exception as error:
                said = error
        return said.__notes__


class Greeter(WorkerEntrypoint):
    async def greet(self, name):
        return f"{self.ctx.props.get('greeting', 'hello')} {name}"


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        members = await self.ctx.exports.Room.getByName("a").enter("ada")
        greeting = await self.ctx.exports.Greeter(props={"greeting": "hi"}).greet("ada")
        return Response.json([members, greeting])


CLASSES = {"Room": Room, "Hall": Hall}


def configured(*, bound=("Hall",), stored=("Room", "Hall"), **more):
    bindings = [{"name": name.upper(), "class_name": name} for name in bound]
    values = {
        "name": "house",
        "durable_objects": {"bindings": bindings},
        "migrations": [{"tag": "v1", "new_sqlite_classes": list(stored)}],
        **more,
    }
    return parse(json.dumps(values))


@pytest.fixture
def runtime():
    with dobook.Runtime() as runtime:
        yield runtime


@pytest.fixture
def hall(runtime):
    deploy(runtime, configured(), CLASSES)
    return runtime.stub("HALL/main")


# ---------------------------------------------------------------------- objects


def test_a_class_without_a_binding_has_objects(runtime, hall):
    assert runtime.run(hall.enter("a", "ada")) == ["ada"]
    assert runtime.env.names() == ["HALL"]
    assert runtime.run(runtime.stub("Room/a").enter("ken")) == ["ada", "ken"]
    assert [(o.binding, o.name) for o in runtime.objects()] == [("Room", "a"), ("HALL", "main")]


def test_a_binding_that_comes_or_goes_leaves_the_objects_what_they_are(runtime, hall):
    runtime.run(hall.enter("a", "ada"))
    deploy(runtime, configured(bound=("Hall", "Room")), CLASSES)
    assert runtime.run(runtime.stub("ROOM/a").enter("ken")) == ["ada", "ken"]
    deploy(runtime, configured(), CLASSES)
    assert runtime.run(hall.enter("a", "eve")) == ["ada", "ken", "eve"]


def test_a_binding_may_be_called_like_a_class_that_has_none(runtime, hall):
    runtime.run(hall.enter("a", "ada"))
    bindings = {"bindings": [{"name": "Room", "class_name": "Hall"}]}
    deploy(runtime, configured(durable_objects=bindings), CLASSES)
    assert runtime.run(runtime.stub("Room/main").enter("a", "ken")) == ["ada", "ken"]


def test_unbound_classes_survive_on_disk_and_in_forks_and_snapshots(tmp_path):
    with dobook.Runtime(tmp_path / "state") as runtime:
        deploy(runtime, configured(), CLASSES)
        assert runtime.run(runtime.stub("HALL/main").enter("a", "ada")) == ["ada"]
        file = runtime.snapshot(tmp_path / "world.snapshot")
        with runtime.fork() as fork:
            assert fork.run(fork.stub("HALL/main").enter("a", "fork")) == ["ada", "fork"]
            assert fork.env.names() == ["HALL"]
    with dobook.Runtime(tmp_path / "state") as again:
        deploy(again, configured(), CLASSES)
        assert again.run(again.stub("HALL/main").enter("a", "ken")) == ["ada", "ken"]
    with dobook.Runtime.restore(file, classes=[Room, Hall]) as loaded:
        assert loaded.run(loaded.stub("HALL/main").enter("a", "snap")) == ["ada", "snap"]
        assert loaded.env.names() == ["HALL"]


def test_a_class_without_storage_says_what_to_add(runtime):
    deploy(runtime, configured(stored=("Hall",)), CLASSES)
    hall = runtime.stub("HALL/main")
    assert runtime.run(hall.names()) == ["Hall", "Room"]
    with pytest.raises(AttributeError, match=r'"new_sqlite_classes": \["Room"\]'):
        runtime.run(hall.call("Room", "getByName"))


def test_a_deleted_class_is_gone_from_the_exports(runtime, hall):
    runtime.run(hall.enter("a", "ada"))
    steps = [
        {"tag": "v1", "new_sqlite_classes": ["Room", "Hall"]},
        {"tag": "v2", "deleted_classes": ["Room"]},
    ]
    deploy(runtime, configured(migrations=steps), {"Hall": Hall})
    with pytest.raises(AttributeError, match=r"ctx\.exports has no 'Room'\. There is 'Hall'"):
        runtime.run(hall.get("Room"))


@pytest.mark.parametrize(
    ("name", "says"), [("Rooom", "Did you mean 'Room'?"), ("hall", "Did you mean 'Hall'?")]
)
def test_a_slip_names_what_was_meant(runtime, hall, name, says):
    with pytest.raises(AttributeError) as error:
        runtime.run(hall.get(name))
    assert str(error.value).endswith(says)


def test_a_broken_stub_of_the_exports_says_how_to_get_a_new_one(runtime, hall):
    (note,) = runtime.run(hall.after_stop())
    assert note.endswith("ctx.exports.Room.getByName('a')")


def test_one_binding_of_two_that_have_the_same_name_is_refused_as_before(runtime, hall):
    with pytest.raises(UsageError, match="HALL is the binding of Hall already"):
        runtime.register(Room, "HALL", name="Other")


# ---------------------------------------------------------------------- compatibility

SINCE = [
    ({"compatibility_date": "2025-11-16"}, "the compatibility_date 2025-11-16"),
    ({"compatibility_date": "2025-11-17"}, ""),
    ({}, ""),
    ({"compatibility_date": "2024-01-01", "compatibility_flags": ["enable_ctx_exports"]}, ""),
    ({"compatibility_flags": ["disable_ctx_exports"]}, "disable_ctx_exports is set"),
]


@pytest.mark.parametrize(("more", "refusal"), SINCE)
def test_exports_are_there_where_the_engine_has_them(runtime, more, refusal):
    deploy(runtime, configured(**more), CLASSES)
    hall = runtime.stub("HALL/main")
    if not refusal:
        assert runtime.run(hall.enter("a", "ada")) == ["ada"]
        return
    with pytest.raises(AttributeError, match=refusal):
        runtime.run(hall.enter("a", "ada"))
    deploy(runtime, configured(), CLASSES)
    assert runtime.run(hall.enter("a", "ada")) == ["ada"]


# ---------------------------------------------------------------------- Workers


def test_a_worker_reaches_objects_and_entrypoints(runtime, hall):
    runtime.serve_worker(Default, entrypoints=[Greeter])
    answer = runtime.run(runtime.fetch("/"))
    assert runtime.run(answer.json()) == [["ada"], "hi ada"]


def test_a_function_as_a_worker_has_exports_in_its_ctx(runtime, hall):
    async def on_fetch(request, env, ctx):
        return Response.json(dir(ctx.exports))

    runtime.serve_worker(on_fetch)
    answer = runtime.run(runtime.fetch("/"))
    assert runtime.run(answer.json()) == ["Hall", "Room", "default"]


def test_a_worker_without_the_name_default_is_reached_by_both(runtime, hall):
    runtime.serve_worker(Greeter)
    assert runtime.run(hall.names()) == ["Greeter", "Hall", "Room", "default"]


def test_two_projects_have_exports_of_their_own(tmp_path):
    code = """
from workers import DurableObject, Response, WorkerEntrypoint

class {kind}(DurableObject):
    async def who(self):
        return "{kind}"

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        names = sorted(dir(self.ctx.exports))
        who = await self.ctx.exports.{kind}.getByName("a").who()
        other = await self.env.OTHER.fetch("http://other/") if hasattr(self.env, "OTHER") else None
        return Response.json([names, who, other and await other.json()])
"""
    for name, kind, services in (
        ("front", "One", [{"binding": "OTHER", "service": "back"}]),
        ("back", "Two", []),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "entry.py").write_text(code.format(kind=kind), "utf-8")
        values = {
            "name": name, "main": "entry.py", "compatibility_date": "2026-03-15",
            "compatibility_flags": ["python_workers"], "services": services,
            "migrations": [{"tag": "v1", "new_sqlite_classes": [kind]}],
        }  # fmt: skip
        (folder / "wrangler.json").write_text(json.dumps(values), "utf-8")
    with open_projects([tmp_path / "front", tmp_path / "back"]) as opened:
        runtime = opened.runtime
        answer = runtime.run(runtime.fetch("/"))
        back = [["Two", "default"], "Two", None]
        assert runtime.run(answer.json()) == [["One", "default"], "One", back]


def test_a_service_binding_hands_over_its_props(tmp_path):
    code = """
from workers import Response, WorkerEntrypoint

class Tool(WorkerEntrypoint):
    async def greet(self, name):
        return f"{self.ctx.props.words.hello} {name}"

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        first = await self.env.TOOL.greet("ada")
        second = await self.ctx.exports.Tool(props={"words": {"hello": "hi"}}).greet("ada")
        return Response.json([first, second])
"""
    (tmp_path / "entry.py").write_text(code, "utf-8")
    service = {"binding": "TOOL", "service": "house", "entrypoint": "Tool"}
    values = {
        "name": "house", "main": "entry.py", "compatibility_date": "2026-03-15",
        "compatibility_flags": ["python_workers"],
        "services": [{**service, "props": {"words": {"hello": "ahoj"}}}],
    }  # fmt: skip
    (tmp_path / "wrangler.json").write_text(json.dumps(values), "utf-8")
    assert as_values(parse(json.dumps(values)))["services"] == values["services"]
    with open_projects([tmp_path]) as opened:
        answer = opened.runtime.run(opened.runtime.fetch("/"))
        assert opened.runtime.run(answer.json()) == ["ahoj ada", "hi ada"]


# ---------------------------------------------------------------------- cloudflare:workers


class Overriding(DurableObject):
    async def run(self, which):
        return await getattr(self, which)()

    async def imported(self):
        exports = import_from_javascript("cloudflare:workers").exports
        return [dir(exports), await exports.Room.getByName("z").enter("ada")]

    async def with_exports(self):
        module = import_from_javascript("cloudflare:workers")
        seen = module.withExports({"A": 1}, lambda: [dir(module.exports), module.exports.A])
        hidden = module.withExports(None, lambda: dir(module.exports))
        return [seen, hidden, dir(module.exports), hasattr(module.exports, "A")]

    async def with_env(self):
        module = import_from_javascript("cloudflare:workers")

        async def later():
            return [env.A, hasattr(env, "OVERRIDING")]

        during = await module.withEnv({"A": 1}, later)
        return [during, hasattr(env, "A"), hasattr(env, "OVERRIDING"), hasattr(self.env, "A")]

    async def no_object(self):
        module = import_from_javascript("cloudflare:workers")
        return [
            module.withEnv(5, lambda: hasattr(env, "OVERRIDING")),
            module.withEnvAndExports(
                "x", {}, lambda: [hasattr(env, "OVERRIDING"), dir(module.exports)]
            ),
        ]

    async def stub(self):
        stub = import_from_javascript("cloudflare:workers").RpcStub.new(lambda n: n + 1)
        return await stub(2)

    async def bad_stub(self):
        import_from_javascript("cloudflare:workers").RpcStub.new(5)


@pytest.mark.parametrize(
    ("which", "given"),
    [
        ("imported", [["Overriding", "Room"], ["ada"]]),
        ("with_exports", [[["A"], 1], [], ["Overriding", "Room"], False]),
        ("with_env", [[1, False], False, True, False]),
        ("no_object", [True, [True, []]]),
        ("stub", 3),
    ],
)
def test_javascripts_module_overrides_and_makes_stubs(runtime, which, given):
    runtime.register(Room)
    stub = runtime.register(Overriding).getByName("a")
    assert runtime.run(stub.run(which)) == given


def test_a_stub_of_no_function_is_refused(runtime):
    stub = runtime.register(Overriding).getByName("a")
    with pytest.raises(PlatformTypeError, match="Failed to construct 'JsRpcStub'"):
        runtime.run(stub.run("bad_stub"))


@pytest.mark.parametrize("name", ["exports", "withEnv", "with_env", "RpcStub"])
def test_what_the_sdk_lacks_is_refused_by_name(name):
    with pytest.raises(ImportError, match=r'import_from_javascript\("cloudflare:workers"\)'):
        exec(f"from workers import {name}")
