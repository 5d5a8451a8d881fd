"""What connections do to the lives of objects, and lives to connections.

Source: developers.cloudflare.com/durable-objects/best-practices/websockets/
"""

import asyncio

import pytest
from js import WebSocketPair, WebSocketRequestResponsePair

from dobook import limits
from dobook.errors import (
    DeadlockError,
    PlatformError,
    UsageError,
)
from dobook.runtime.access import kernel_of
from dobook.runtime.sockets.websocket import drop
from dobook.web import Response

from .rooms import LOST, UPGRADE, Base, Classic, Client, Hibernating, refused, with_method


class TestClassic:
    def test_an_open_connection_keeps_the_object_in_memory(self, runtime, classic):
        client = Client(runtime, classic)
        runtime.advance("1h")
        assert client.say("x") == ["x"]
        assert Base.log.count("constructed") == 1

    def test_eviction_waits_for_the_last_connection(self, runtime, classic):
        one, two = Client(runtime, classic), Client(runtime, classic)
        evicting = runtime.evict(classic)
        one.close(1000)
        assert kernel_of(runtime).actor_of(classic).instance is not None
        two.close(1000)
        runtime.run(evicting)
        assert kernel_of(runtime).actor_of(classic).instance is None

    def test_eviction_that_is_waited_for_under_a_connection_never_ends(self, runtime, classic):
        client = Client(runtime, classic)
        with pytest.raises(DeadlockError):
            runtime.run(runtime.evict(classic))
        client.close(1000)

    @pytest.mark.parametrize("ending", ["client", "object", "drop"])
    def test_after_the_connection_the_object_can_leave(self, runtime, classic, ending):
        client = Client(runtime, classic)
        if ending == "client":
            client.close(1000)
        elif ending == "drop":
            drop(client.ws)
        else:
            runtime.run(runtime.namespace("CLASSIC").getByName("a").count())
            kernel_of(runtime).actor_of(classic).instance.object.server.close(1000)
        runtime.settle()
        runtime.advance(limits.IDLE_EVICTION_MS)
        assert kernel_of(runtime).actor_of(classic).instance is None

    def test_a_pair_that_was_never_given_away_keeps_nothing(self, runtime):
        async def fetch(self, request):
            WebSocketPair()[1].accept()
            return Response("plain")

        stub = with_method(runtime, Base, fetch=fetch)
        runtime.run(stub.fetch("http://object/"))
        runtime.run(runtime.evict(stub))
        assert kernel_of(runtime).actor_of(stub).instance is None

    def test_accepting_after_the_response_keeps_the_object_too(self, runtime):
        async def fetch(self, request):
            client, server = WebSocketPair()

            async def later():
                await asyncio.sleep(1)
                server.onmessage = lambda event: server.send(event.data)
                server.accept()

            self.ctx.waitUntil(later())
            return Response(None, status=101, web_socket=client)

        stub = with_method(runtime, Base, fetch=fetch)
        client = Client(runtime, stub)
        assert client.say("early") == []
        runtime.advance("1m")
        assert client.take() == ["early"]
        assert kernel_of(runtime).actor_of(stub).instance.busy

    def test_accepting_twice_is_no_error(self, runtime):
        def open_twice(self, server, request):
            server.accept()
            server.accept()
            server.addEventListener("message", lambda event: server.send(event.data))

        client = Client(runtime, with_method(runtime, Base, open=open_twice))
        assert client.say("hello") == ["hello"]

    def test_classic_connections_have_attachments_but_no_tags(self, runtime):
        def attach(self):
            self.server.serializeAttachment({"user": "ada"})
            return [self.server.deserializeAttachment(), refused(self.ctx.getTags, self.server)[1]]

        stub = with_method(runtime, Classic, attach=attach)
        Client(runtime, stub)
        assert runtime.run(stub.run("attach")) == [
            {"user": "ada"},
            "only hibernatable websockets can have tags.",
        ]


class TestEndings:
    def test_abort_loses_the_connections(self, runtime, either):
        client = Client(runtime, either)
        with pytest.raises(PlatformError, match="enough"):
            runtime.run(either.abort())
        runtime.settle()
        assert client.take() == [LOST]
        assert client.ws.readyState == 2
        client.ws.send("ignored")
        client.ws.close()

    def test_a_crash_loses_the_connections(self, runtime, either):
        client = Client(runtime, either)
        runtime.crash(either)
        runtime.settle()
        assert client.take() == [LOST]

    def test_new_code_loses_the_connections_of_objects_that_are_awake(self, runtime, either):
        client = Client(runtime, either)
        runtime.register(Hibernating, "EITHER", name=runtime.namespace("EITHER").class_name)
        runtime.settle()
        assert client.take() == [LOST]

    def test_new_code_loses_the_connections_of_objects_that_sleep(self, runtime, room):
        client = Client(runtime, room)
        runtime.run(runtime.evict(room))
        runtime.register(Hibernating, "ROOM")
        runtime.settle()
        assert client.take() == [LOST]

    def test_an_abort_loses_the_connection_and_what_its_turn_has_sent(self, runtime):
        async def fail(self, ws, message):
            ws.send("before")
            await asyncio.sleep(1)
            ws.send("in the same turn")
            self.ctx.abort("enough")

        stub = with_method(runtime, Base, webSocketMessage=fail)
        client = Client(runtime, stub)
        assert client.say("x") == ["before"]
        runtime.advance(1_000)
        assert client.take() == [LOST]

    def test_a_handler_that_raises_keeps_the_connection_and_is_reported(self, runtime):
        def fail(self, ws, message):
            raise ValueError("oops")

        events = []
        runtime.observers.add(events.append)
        stub = with_method(runtime, Base, webSocketMessage=fail)
        client = Client(runtime, stub)
        assert client.say("x") == []
        assert client.ws.readyState == 1
        (error,) = [event for event in events if event.kind == "error"]
        assert (error.where, error.error) == ("webSocketMessage", "ValueError: oops")

    def test_a_constructor_that_fails_loses_the_connections(self, runtime):
        def construct(self, ctx, env):
            Base.__init__(self, ctx, env)
            if len(self.log) > 1:
                for ws in ctx.getWebSockets():
                    ws.send("taken back")
                raise ValueError("no second life")

        stub = with_method(runtime, Hibernating, __init__=construct)
        client = Client(runtime, stub)
        runtime.run(runtime.evict(stub))
        assert client.say("x") == [LOST]

    def test_a_client_that_drops_is_a_close_that_is_not_clean(self, runtime, either):
        client = Client(runtime, either)
        drop(client.ws)
        runtime.settle()
        assert Base.log[1:] == [LOST]
        assert client.take() == []
        assert client.ws.readyState == 3

    def test_a_client_that_drops_wakes_an_object_that_sleeps(self, runtime, room):
        client = Client(runtime, room)
        runtime.run(runtime.evict(room))
        drop(client.ws)
        runtime.settle()
        assert Base.log == ["constructed", "constructed", LOST]
        assert runtime.run(room.count()) == 0

    def test_what_a_client_said_before_it_dropped_arrives(self, runtime, either):
        client = Client(runtime, either)
        client.ws.send("last words")
        drop(client.ws)
        runtime.settle()
        assert Base.log[1:] == [("message", "last words"), LOST]

    def test_what_was_never_accepted_cannot_be_dropped(self):
        with pytest.raises(UsageError, match="not been accepted"):
            drop(WebSocketPair()[0])

    def test_a_runtime_closes_with_connections_open(self, open_runtime, state_path):
        runtime = open_runtime(state_path)
        for cls in (Hibernating, Classic):
            client = Client(runtime, runtime.register(cls).getByName("a"))
            assert client.say("x") == ["x"]
        runtime.close()


class Caller(Base):
    """Connects to another object and keeps the connection."""

    async def join(self, binding):
        stub = getattr(self.env, binding).getByName("a")
        response = await stub.fetch("http://peer/", headers=UPGRADE)
        self.ws = response.web_socket
        self.ws.addEventListener("message", lambda e: self.log.append(("heard", e.data)))
        self.ws.addEventListener("close", lambda e: self.log.append(("gone", e.code, e.wasClean)))
        self.ws.accept()

    async def say(self, text):
        self.ws.send(text)

    async def bye(self):
        self.ws.close(1000, "bye")


class TestBetweenObjects:
    @pytest.fixture
    def caller(self, runtime, either):
        stub = runtime.register(Caller).getByName("c")
        runtime.run(stub.join("EITHER"))
        Base.log.clear()
        return stub

    def test_objects_talk(self, runtime, caller):
        runtime.run(caller.say("hello"))
        runtime.settle()
        assert Base.log == [("message", "hello"), ("heard", "hello")]

    def test_the_caller_stays_in_memory_while_it_is_connected(self, runtime, caller):
        runtime.advance("1h")
        assert kernel_of(runtime).actor_of(caller).instance is not None
        runtime.run(caller.bye())
        runtime.settle()
        assert Base.log[-2:] == [("close", 1000, "bye", True), ("gone", 1000, True)]
        runtime.advance("1h")
        assert kernel_of(runtime).actor_of(caller).instance is None

    def test_when_the_caller_crashes_the_other_object_learns_of_it(self, runtime, caller):
        runtime.crash(caller)
        runtime.settle()
        assert Base.log == [LOST]

    def test_when_the_other_object_crashes_the_caller_learns_of_it(self, runtime, either, caller):
        runtime.crash(either)
        runtime.settle()
        assert Base.log == [("gone", 1006, False)]


def test_observers_see_a_connection_from_open_to_close(runtime, room):
    events = []
    client_events = ("socket open", "socket message", "socket sent", "socket close")
    runtime.observers.add(lambda event: events.append(event))
    client = Client(runtime, room, "/?red")
    client.say("hello")
    client.close(1000, "bye")
    seen = [(e.object, e.kind, dict(e.detail)) for e in events if e.kind in client_events]
    assert seen == [
        ("ROOM/a", "socket open", {"accepted": "hibernatable", "tags": "['red']"}),
        ("ROOM/a", "socket message", {"data": "hello"}),
        ("ROOM/a", "socket sent", {"data": "hello"}),
        ("ROOM/a", "socket close", {"code": 1000, "reason": "bye", "was_clean": True}),
    ]


def test_texts_shown_in_a_notebook_name_the_state(runtime, room):
    client = Client(runtime, room)
    assert repr(client.ws) == "<WebSocket open>"
    assert repr(WebSocketPair()[0]) == "<WebSocket not accepted>"
    client.close(1000)
    assert repr(client.ws) == "<WebSocket closed>"
    pair = WebSocketRequestResponsePair("ping", "pong")
    assert repr(pair) == "WebSocketRequestResponsePair('ping', 'pong')"
