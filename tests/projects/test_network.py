"""A project behind a server, and what reaches another machine: here both ends are of this process."""

import json
import urllib.request
from pathlib import Path

import pytest

import dobook
from dobook.errors import NetworkError
from dobook.project import open_projects
from dobook.project.transport import Transport
from dobook.runtime.access import kernel_of
from dobook.serve import Server

HERE = Path(__file__).parent


class Caller:
    def __init__(self, ctx, env): ...

    async def ask(self, url, **options):
        from workers import fetch

        response = await fetch(url, **options)
        return [response.status, response.headers["x-worker"], await response.text()]

    async def talk(self, url):
        import asyncio

        from js import WebSocket

        heard = asyncio.Queue()
        socket = WebSocket.new(url)
        for kind in ("open", "message", "error", "close"):
            socket.addEventListener(kind, heard.put_nowait)
        events = [await heard.get()]
        if events[0].type == "error":
            return [events[0].message]
        events.append(await heard.get())
        socket.send(json.dumps({"text": "over the wire"}))
        while "over the wire" not in getattr(events[-1], "data", ""):
            events.append(await heard.get())
        socket.close(1000, "done")
        while events[-1].type != "close":
            events.append(await heard.get())
        return [event.type for event in events] + [socket.readyState]


@pytest.fixture
def caller():
    with dobook.Runtime() as runtime:
        runtime.network.real = Transport(runtime)
        yield runtime, runtime.register(Caller).getByName("a")


def test_a_project_answers_over_http_and_others_reach_it(caller):
    runtime, stub = caller
    with open_projects([HERE / "accounts"]) as opened, Server(opened.runtime, port=0) as server:
        with urllib.request.urlopen(f"{server.url}/x") as response:
            assert response.read() == f"accounts at {server.url}/x".encode()
        answer = runtime.run(stub.ask(f"{server.url}/y", method="POST", body="z"))
        assert answer == [200, "accounts", f"accounts at {server.url}/y"]
        assert (
            runtime.clock.now_ms == kernel_of(runtime).loop.start_ms
        )  # waiting took no virtual time


@pytest.mark.slow
def test_a_socket_of_its_own_reaches_another_machine(caller):
    pytest.importorskip("websockets")
    runtime, stub = caller
    with open_projects([HERE / "chat_room"]) as opened, Server(opened.runtime, port=0) as server:
        url = server.url.replace("http", "ws")
        runtime.start_real_time()
        kinds = runtime.run(stub.talk(f"{url}/room/lobby?name=ada"))
        runtime.stop_real_time()
        assert kinds[0] == "open"
        assert kinds[-2:] == ["close", 3]
        assert {*kinds[1:-2]} == {"message"}


def test_nobody_at_the_other_end_is_an_error(caller):
    runtime, stub = caller
    with pytest.raises(NetworkError, match="Network connection lost"):
        runtime.run(stub.ask("http://127.0.0.1:9/"))
    assert "Network connection lost" in runtime.run(stub.talk("ws://127.0.0.1:9/"))[0]
    runtime.network.real = None
    with pytest.raises(OSError, match="Nothing leaves the runtime by itself"):
        runtime.run(stub.ask("https://example.com/"))
