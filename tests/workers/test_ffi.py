"""`pyodide.ffi` and the globals of `js`: what they make of Python's values."""

import datetime as dt
import subprocess
import sys
import textwrap

import pytest

import dobook
from dobook.codec import clone, deserialize, serialize
from dobook.errors import PlatformError, PlatformTypeError
from dobook.web import Request, Response


def inside(function):
    """Run an asynchronous function as an object's method."""

    class Subject:
        def __init__(self, ctx, env):
            self.ctx = ctx

        async def run(self):
            await function(self.ctx)

        async def alarm(self): ...

    with dobook.Runtime() as runtime:
        runtime.run(runtime.register(Subject).getByName("a").run())


def test_to_js_converts_as_pyodide_does():
    from js import Object
    from pyodide.ffi import JsArray, JsMap, JsProxy, to_js

    array = to_js([1, {"a": (2, 3)}])
    assert isinstance(array, JsArray)
    assert isinstance(array[1], JsMap)
    assert (array.length, array[1].get("a"), array[1].has("b")) == (2, [2, 3], False)
    thing = to_js({"a": {"b": 1}}, dict_converter=Object.fromEntries)
    assert (thing.a.b, thing.object_keys()) == (1, ["a"])
    assert isinstance(thing, JsProxy)
    assert not isinstance({"a": 1}, JsProxy)
    assert type(thing.to_py()["a"]) is dict
    assert [to_js(v) for v in (1, "x", None, 2.5, True)] == [1, "x", None, 2.5, True]
    assert to_js(b"\x01\xff").to_py().tolist() == [1, 255]
    assert to_js({1, 2}).size == 2
    cyclic: list = []
    cyclic.append(cyclic)
    assert to_js(cyclic)[0][0].length == 1
    assert to_js({"a": {"b": 1}}, depth=1)["a"].unwrap() == {"b": 1}


def test_to_js_asks_the_converters_it_is_given():
    from pyodide.ffi import ConversionError, JsDoubleProxy, to_js

    class Point:
        x = 1

    assert isinstance(to_js(Point()), JsDoubleProxy)
    assert to_js([Point()], default_converter=lambda v, convert, cache: convert({"x": v.x})) == [
        {"x": 1}
    ]
    assert to_js((1, 2), eager_converter=lambda v, convert, cache: "seen") == "seen"
    with pytest.raises(ConversionError):
        to_js(Point(), create_pyproxies=False)
    made: list = []
    to_js([Point()], pyproxies=made)
    assert len(made) == 1


def test_a_proxy_stands_for_an_object_until_it_is_destroyed():
    from pyodide.ffi import JsException, create_once_callable, create_proxy, destroy_proxies

    proxy = create_proxy(lambda event: event * 2)
    assert (proxy(2), proxy(2, "dropped"), proxy.unwrap()(3)) == (4, 4, 6)
    destroy_proxies([proxy])
    with pytest.raises(JsException, match="destroyed"):
        proxy(1)
    once = create_once_callable(lambda: 1)
    assert once() == 1
    with pytest.raises(JsException, match="once"):
        once()


def test_the_platforms_errors_are_what_js_exception_catches():
    import js
    from js import Error
    from pyodide.ffi import JsException

    async def go(ctx):
        with pytest.raises(JsException) as caught:
            await ctx.storage.get(object())
        assert (caught.value.name, "storage key" in caught.value.message) == ("TypeError", True)

    inside(go)
    assert isinstance(Error.new("x"), JsException)
    assert isinstance(js.TypeError.new("x"), TypeError)
    with pytest.raises(PlatformError, match=r"^x$"):
        raise Error.new("x")


def test_js_objects_can_be_stored_and_sent():
    from js import Array, Date, Map, Object, Uint8Array
    from pyodide.ffi import to_js

    async def go(ctx):
        put, get = ctx.storage.put, ctx.storage.get
        for value, read in (
            (to_js({"a": [1]}, dict_converter=Object.fromEntries), {"a": [1]}),
            (Array.of(1, 2), [1, 2]),
            (Map.new([["k", 1]]), {"k": 1}),
            (Uint8Array.of(1, 2), b"\x01\x02"),
            (Uint8Array.of(1, 2).buffer, b"\x01\x02"),
            (Date.new(5), dt.datetime(1970, 1, 1, 0, 0, 0, 5000, dt.UTC)),
        ):
            await put("v", value)
            assert await get("v") == read
        await ctx.storage.setAlarm(Date.now() + 1000)
        await ctx.storage.setAlarm(Date.new(Date.now() + 2000))
        assert await ctx.storage.getAlarm() == Date.now() + 2000

    inside(go)
    assert deserialize(serialize(Uint8Array.of(7))) == b"\x07"
    assert clone([Uint8Array.of(7)]) == [b"\x07"]


def test_timers_are_virtual_and_events_of_the_object():
    from js import clearInterval, setInterval, setTimeout

    log: list = []

    async def go(ctx):
        import asyncio

        async def later(what):
            await ctx.storage.put("what", what)
            log.append(what)

        setTimeout(later, 1000, "once")
        ticking = setInterval(lambda: log.append("tick"), 400)
        setTimeout(clearInterval, 900, ticking)
        await asyncio.sleep(2)
        assert await ctx.storage.get("what") == "once"

    inside(go)
    assert log == ["tick", "tick", "once"]
    with pytest.raises(PlatformError, match="within global scope"):
        setTimeout(print, 1)


def test_promises_can_be_followed_and_gathered():
    from js import Promise

    async def go(ctx):
        await ctx.storage.put("n", 1)
        assert await ctx.storage.get("n").then(lambda n: n + 1) == 2
        assert await Promise.all([ctx.storage.get("n"), 5]) == [1, 5]
        failed = ctx.storage.get(object())
        assert await failed.catch(lambda error: type(error)) is PlatformTypeError
        seen: list = []
        assert await ctx.storage.get("n").finally_(lambda: seen.append("over")) == 1
        assert seen == ["over"]
        settled = await Promise.allSettled([ctx.storage.get("n"), Promise.reject(ValueError("x"))])
        assert [result.status for result in settled] == ["fulfilled", "rejected"]
        assert (
            await Promise.race([Promise.new(lambda resolve, reject: resolve("quick"))]) == "quick"
        )

    inside(go)


def test_javascripts_view_of_a_response_shares_everything():
    from js import Response as JsResponse

    async def go(_ctx):
        response = Response("hi", headers={"x-a": "1"})
        view = response.js_object
        view.headers.set("x-b", "2")
        assert response.headers["x-b"] == "2"
        assert await view.text() == "hi"
        assert response.body_used
        made = JsResponse.new("[1]", status=201, headers={"content-type": "application/json"})
        assert isinstance(made, JsResponse)
        assert isinstance(made, Response)
        assert Response(made).status == 201
        parsed = await JsResponse.json({"a": {"b": 1}}).json()
        assert parsed.a.b == 1
        assert JsResponse.redirect("http://x/y", 301).status == 301

    inside(go)


def test_javascripts_view_of_a_request_shares_everything():
    from js import Headers
    from js import Request as JsRequest

    async def go(_ctx):
        request = Request("http://x/", method="POST", body='{"a": {"b": 1}}')
        assert (await request.js_object.json()).a.b == 1
        assert request.body_used
        made = JsRequest.new("http://x/", method="PUT", headers=Headers.new([["a", "1"]]))
        assert (type(made.method), made.method, made.headers["a"]) == (str, "PUT", "1")
        assert made.clone().url == "http://x/"

    inside(go)


def test_numbers_texts_and_times_are_javascripts():
    from js import (
        JSON,
        Date,
        Math,
        TextDecoder,
        TextEncoder,
        atob,
        btoa,
        encodeURIComponent,
        parseInt,
    )

    assert JSON.stringify({"a": [1.0, None, float("nan")], "d": Date.new(0)}) == (
        '{"a":[1,null,null],"d":"1970-01-01T00:00:00.000Z"}'
    )
    assert JSON.stringify([1], None, 2) == "[\n  1\n]"
    assert JSON.parse('{"a": {"b": [1]}}').a.b.length == 1
    assert (Math.round(2.5), Math.floor(-1.5), parseInt("12px"), parseInt("ff", 16)) == (
        3,
        -2,
        12,
        255,
    )
    assert (btoa("hi"), atob("aGk="), encodeURIComponent("a b/ü")) == (
        "aGk=",
        "hi",
        "a%20b%2F%C3%BC",
    )
    decoder = TextDecoder.new()
    euro = TextEncoder.new().encode("€")
    assert (
        decoder.decode(euro.subarray(0, 1), stream=True) + decoder.decode(euro.subarray(1)) == "€"
    )


def test_typed_arrays_are_views_of_a_buffer():
    from js import ArrayBuffer, DataView, Float64Array, Int16Array, Uint8Array, crypto

    buffer = ArrayBuffer.new(8)
    Int16Array.new(buffer, 2, 2).set([-1, 258])
    assert list(Uint8Array.new(buffer)) == [0, 0, 255, 255, 2, 1, 0, 0]
    view = DataView.new(buffer)
    view.setUint32(4, 1)
    assert (view.getInt16(2), view.getUint8(7)) == (-1, 1)
    assert Float64Array.of(1.5)[0] == 1.5
    assert crypto.getRandomValues(Uint8Array.new(16)).length == 16
    with pytest.raises(IndexError):
        Uint8Array.new(2)[2]


def test_run_sync_waits_in_the_middle_of_a_function():
    import asyncio

    from pyodide.ffi import can_run_sync, run_sync

    async def go(ctx):
        async def work():
            await asyncio.sleep(60)
            await ctx.storage.put("n", 1)
            return await ctx.storage.get("n")

        assert can_run_sync()
        assert run_sync(work()) == 1

    inside(go)
    assert not can_run_sync()


def test_the_bindings_of_whoever_runs_are_found_without_being_given():
    from workers import env, patch_env, wait_until

    done: list = []

    class Subject:
        def __init__(self, ctx, env): ...

        async def run(self):
            async def work():
                done.append(env.GREETING)

            wait_until(work())
            with patch_env(GREETING="patched"):
                return [env.GREETING, hasattr(env, "OTHER")]

    with dobook.Runtime() as runtime:
        runtime.env.bind("GREETING", "hi")
        assert runtime.run(runtime.register(Subject).getByName("a").run()) == ["patched", False]
        runtime.settle()
    assert done == ["hi"]


def run(code, path):
    """Run a program whose path has a package `pyodide`, `js` and `workers` of its own."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={"PYTHONPATH": f"{path}:{':'.join(sys.path)}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_that_is_installed_is_shadowed(tmp_path):
    for name in ("pyodide", "js", "workers"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("real = True\n")
        (tmp_path / name / "ffi.py").write_text("real = True\n")
    said = run(
        """
        import dobook
        import js, pyodide, pyodide.ffi, workers, workers.ffi
        print(js.real, pyodide.real, pyodide.ffi.real, workers.real, workers.ffi.real)
        """,
        tmp_path,
    )
    assert said == "True True True True True\n"


def test_cloudflares_own_package_outside_of_its_runtime_is_explained(tmp_path):
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "__init__.py").write_text("import _pyodide_entrypoint_helper\n")
    said = run(
        """
        import dobook
        try:
            import workers
        except ModuleNotFoundError as error:
            print(error)
        """,
        tmp_path,
    )
    assert "the package workers-runtime-sdk, which runs inside Cloudflare's runtime only" in said
    assert "pip uninstall workers-runtime-sdk" in said


def test_a_project_gets_dobooks_modules_where_a_real_one_is_installed(tmp_path):
    (tmp_path / "workers.py").write_text("real = True\n")
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "wrangler.toml").write_text('name = "p"\nmain = "entry.py"\n')
    (tmp_path / "p" / "entry.py").write_text(
        "from workers import Response, WorkerEntrypoint\n"
        "class Default(WorkerEntrypoint):\n"
        "    async def fetch(self, request): return Response('ran')\n"
    )
    said = run(
        f"""
        import dobook.cli
        dobook.cli.main(["run", {str(tmp_path / "p")!r}, "--request", "/"])
        import workers
        print(workers.real)
        """,
        tmp_path,
    )
    assert said == "GET /\n200 OK\nran\n\nTrue\n"
