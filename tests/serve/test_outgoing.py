"""Connections that objects open themselves: to each other, and in real time to the network."""

import asyncio

import pytest
from js import WebSocket
from workers import DurableObject

from dobook import Runtime
from dobook.errors import NetworkError
from dobook.project.transport import Transport
from dobook.serve import Server

from .objects import Classic, Room


class Caller(DurableObject):
    """Connects to where it is told to, and keeps what it hears."""

    async def call(self, url):
        heard, opened = asyncio.Queue(), asyncio.Event()
        socket = WebSocket.new(url)
        socket.addEventListener("open", lambda event: opened.set())
        socket.addEventListener("error", lambda event: heard.put_nowait(f"error {event.message}"))
        socket.addEventListener("message", lambda event: heard.put_nowait(event.data))
        socket.addEventListener("close", lambda event: heard.put_nowait(f"closed {event.code}"))
        self.socket, self.heard, self.opened = socket, heard, opened

    async def say(self, text):
        await self.opened.wait()
        self.socket.send(text)
        return await self.heard.get()

    async def hear(self):
        return await self.heard.get()

    async def hang_up(self):
        self.socket.close(1000, "done")
        return await self.heard.get()

    async def call_room(self):
        response = await self.env.ROOM.getByName("a").fetch(
            "http://room/", headers={"Upgrade": "websocket"}
        )
        self.heard = asyncio.Queue()
        self.socket = response.web_socket
        self.socket.addEventListener("message", lambda event: self.heard.put_nowait(event.data))
        self.socket.accept()
        self.socket.send("between objects")
        return await self.heard.get()


@pytest.fixture
def caller(runtime):
    runtime.register(Room)
    return runtime.register(Caller).getByName("a")


def test_an_object_is_the_client_of_another(runtime, caller):
    assert runtime.run(caller.call_room()) == "between objects"


def test_nothing_leaves_in_virtual_time(runtime, caller):
    runtime.run(caller.call("ws://127.0.0.1:9/"))
    assert runtime.run(caller.hear()).startswith("error ")
    assert issubclass(NetworkError, Exception)


@pytest.mark.slow
def test_in_real_time_an_object_talks_to_a_server_on_the_network(runtime, caller):
    pytest.importorskip("websockets")
    with Runtime() as elsewhere:
        elsewhere.register(Classic)
        with Server(elsewhere, port=0) as server, runtime.start_real_time():
            runtime.network.real = Transport(runtime)
            runtime.run(caller.call(f"ws://127.0.0.1:{server.port}/CLASSIC/a"))
            assert runtime.run(caller.say("over the network")) == "over the network"
            assert runtime.run(caller.hang_up()) == "closed 1000"
