"""Connections that outlive the memory of their object.

Source: developers.cloudflare.com/durable-objects/best-practices/websockets/
"""

import asyncio
import datetime as dt

import pytest
from js import WebSocketPair, WebSocketRequestResponsePair
from pyodide.ffi import to_js

from dobook import limits
from dobook.errors import (
    PlatformError,
    PlatformRangeError,
    PlatformTypeError,
)
from dobook.runtime.access import kernel_of
from dobook.runtime.sockets.websocket import drop

from .rooms import LOST, Base, Classic, Client, Hibernating, refused, with_method


class TestHibernation:
    def test_idle_objects_sleep_while_their_connections_stay(self, runtime, room):
        client = Client(runtime, room)
        runtime.advance(limits.IDLE_EVICTION_MS)
        assert kernel_of(runtime).actor_of(room).instance is None
        assert client.say("still there?") == ["still there?"]
        assert Base.log == ["constructed", "constructed", ("message", "still there?")]

    def test_of_what_the_program_put_on_a_socket_only_the_attachment_stays(self, runtime):
        def put(self):
            (ws,) = self.ctx.getWebSockets()
            ws.user = "ada"
            ws.serializeAttachment({"user": "ada", "at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)})
            return self.ctx.getWebSockets()[0].user

        def look(self):
            (ws,) = self.ctx.getWebSockets()
            return [getattr(ws, "user", None), ws.deserializeAttachment()]

        stub = with_method(runtime, Hibernating, put=put, look=look)
        Client(runtime, stub)
        assert runtime.run(stub.run("put")) == "ada"
        runtime.run(runtime.evict(stub))
        attachment = {"user": "ada", "at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}
        assert runtime.run(stub.run("look")) == [None, attachment]

    def test_eviction_can_close_the_connections(self, runtime, room):
        client = Client(runtime, room)
        runtime.run(runtime.evict(room, websockets="close"))
        runtime.settle()
        assert client.take() == [LOST]
        assert runtime.run(room.count()) == 0

    def test_a_socket_that_closed_before_sleep_stays_closed(self, runtime):
        def close(self):
            (ws,) = self.ctx.getWebSockets()
            ws.close(1000, "done")

        def look(self):
            (ws,) = self.ctx.getWebSockets()
            return [ws.readyState, refused(ws.send, "x")[1]]

        stub = with_method(runtime, Hibernating, close=close, look=look)
        Client(runtime, stub, accept=False)
        runtime.run(stub.run("close"))
        runtime.run(runtime.evict(stub))
        assert runtime.run(stub.run("look")) == [2, "Can't call WebSocket send() after close()."]

    def test_the_socket_of_an_event_is_the_one_that_is_listed(self, runtime):
        def same(self, ws, message):
            self.log.append(self.ctx.getWebSockets() == [ws])

        stub = with_method(runtime, Hibernating, webSocketMessage=same)
        client = Client(runtime, stub)
        client.say("x")
        runtime.run(runtime.evict(stub))
        client.say("x")
        assert Base.log == ["constructed", True, "constructed", True]

    def test_sockets_are_listed_latest_first_and_by_tag_earliest_first(self, runtime):
        def tags(self):
            sockets = [self.ctx.getWebSockets(), self.ctx.getWebSockets("x")]
            return [[self.ctx.getTags(ws)[0] for ws in listed] for listed in sockets]

        stub = with_method(runtime, Hibernating, tags=tags)
        for tag in "abc":
            Client(runtime, stub, f"/?{tag}&x")
        assert runtime.run(stub.run("tags")) == [["c", "b", "a"], ["a", "b", "c"]]

    def test_tags_have_limits(self, runtime):
        def try_tags(self):
            server = WebSocketPair()[1]

            def accept(server, tags):
                self.ctx.acceptWebSocket(server, to_js(tags))

            many = [f"t{n}" for n in range(11)]
            outcomes = [
                refused(accept, server, many),
                refused(accept, server, [*many[:10], "t0"]),
                refused(accept, server, ["x" * 257]),
                refused(accept, server, ["é" * 129]),
            ]
            accept(server, [*many[:9], "é" * 128])
            return [[kind.__name__, text] for kind, text in outcomes]

        stub = with_method(runtime, Base, try_tags=try_tags)
        many = ["PlatformError", "a Hibernatable WebSocket cannot have more than 10 tags"]
        long = "is longer than the max tag length (256 characters)."
        assert runtime.run(stub.run("try_tags")) == [
            many,
            many,
            ["PlatformError", f'"{"x" * 257}" {long}'],
            ["PlatformError", f'"{"é" * 129}" {long}'],
        ]

    def test_duplicate_tags_count_once(self, runtime):
        def tags(self):
            (ws,) = self.ctx.getWebSockets("a")
            return self.ctx.getTags(ws)

        stub = with_method(runtime, Hibernating, tags=tags)
        Client(runtime, stub, "/?a&a&b")
        assert runtime.run(stub.run("tags")) == ["a", "b"]

    def test_the_number_of_connections_is_limited(self, runtime, monkeypatch):
        monkeypatch.setattr(limits, "MAX_WEBSOCKETS_PER_OBJECT", 2)

        def three(self):
            accept = self.ctx.acceptWebSocket
            accept(WebSocketPair()[1])
            accept(WebSocketPair()[1])
            return refused(accept, WebSocketPair()[1])[1]

        stub = with_method(runtime, Base, three=three)
        assert runtime.run(stub.run("three")) == (
            "only 2 websockets can be accepted on a single Durable Object instance"
        )

    def test_32768_connections_are_allowed(self):
        assert limits.MAX_WEBSOCKETS_PER_OBJECT == 32_768

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (lambda: ("no socket",), "parameter 1 is not of type 'WebSocket'."),
            (lambda: (WebSocketPair()[0], "tag"), "parameter 2 is not of type 'Array'."),
            (lambda: (WebSocketPair()[0], 5), "parameter 2 is not of type 'Array'."),
        ],
    )
    def test_wrong_arguments_of_accept_are_named(self, runtime, arguments, message):
        def wrong(self):
            return refused(self.ctx.acceptWebSocket, *arguments())[1]

        stub = with_method(runtime, Base, wrong=wrong)
        expected = f"Failed to execute 'acceptWebSocket' on 'DurableObjectState': {message}"
        assert runtime.run(stub.run("wrong")) == expected

    def test_accepting_what_is_in_use_is_refused(self, runtime):
        def twice(self):
            first, second = WebSocketPair()
            second.accept()
            used, _ = WebSocketPair()
            self.ctx.acceptWebSocket(used)
            accept = self.ctx.acceptWebSocket
            return [refused(accept, second)[1], refused(accept, first)[1], refused(accept, used)[1]]

        stub = with_method(runtime, Base, twice=twice)
        already = (
            "Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`"
        )
        pair = (
            "Cannot call `acceptWebSocket()` on this WebSocket because its pair has already been "
            "accepted or used in a Response."
        )
        assert runtime.run(stub.run("twice")) == [already, pair, already]

    def test_attachments_have_a_limit(self, runtime):
        def attach(self):
            ws = WebSocketPair()[0]
            most = limits.MAX_WEBSOCKET_ATTACHMENT_BYTES
            ws.serializeAttachment("x" * (most - 5))  # version, tag and length take five
            error = refused(ws.serializeAttachment, "x" * (most - 4))
            return [error[0] is PlatformError, error[1], len(ws.deserializeAttachment())]

        stub = with_method(runtime, Base, attach=attach)
        assert runtime.run(stub.run("attach")) == [
            True,
            "A WebSocket 'attachment' cannot be larger than 16384 bytes.'attachment' was 16385 "
            "bytes.",
            16_379,
        ]

    def test_a_class_without_handlers_ignores_what_arrives(self, runtime):
        stub = with_method(runtime, Base)
        client = Client(runtime, stub)
        assert client.say("x", b"y") == []
        drop(client.ws)
        runtime.settle()
        assert runtime.run(stub.count()) == 0

    def test_handlers_are_not_reachable_over_rpc(self, runtime, room):
        with pytest.raises(PlatformTypeError, match="reserved method"):
            runtime.run(room.webSocketMessage(None, "x"))


class TestAutoResponse:
    def stub(self, runtime, **methods):
        def setup(self):
            self.ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair.new("ping", "pong"))

        return with_method(runtime, Hibernating, setup=setup, **methods)

    def test_an_object_that_sleeps_is_not_woken(self, runtime):
        stub = self.stub(runtime)
        client = Client(runtime, stub)
        runtime.run(stub.run("setup"))
        runtime.run(runtime.evict(stub))
        assert client.say("ping", "ping") == ["pong", "pong"]
        assert Base.log == ["constructed"]
        assert client.say("Ping", b"ping") == ["Ping", b"ping"]

    def test_it_does_not_overtake_what_waits_for_a_write(self, runtime):
        async def store(self, ws, message):
            await self.ctx.storage.put("k", message)
            ws.send("stored")

        stub = self.stub(runtime, webSocketMessage=store)
        client = Client(runtime, stub)
        runtime.run(stub.run("setup"))
        assert client.say("x", "ping", "y") == ["stored", "pong", "stored"]

    def test_it_is_not_sent_after_a_close(self, runtime):
        def close(self, ws, message):
            ws.close(1000, "enough")

        stub = self.stub(runtime, webSocketMessage=close)
        client = Client(runtime, stub)
        runtime.run(stub.run("setup"))
        assert client.say("x", "ping") == [("close", 1000, "enough", True)]

    def test_it_survives_eviction_without_connections(self, runtime):
        def get(self):
            pair = self.ctx.getWebSocketAutoResponse()
            return [pair.request, pair.response]

        stub = self.stub(runtime, get=get)
        runtime.run(stub.run("setup"))
        runtime.run(runtime.evict(stub))
        assert runtime.run(stub.run("get")) == ["ping", "pong"]

    def test_it_can_be_unset(self, runtime):
        def unset(self):
            self.ctx.setWebSocketAutoResponse()
            return self.ctx.getWebSocketAutoResponse()

        stub = self.stub(runtime, unset=unset)
        client = Client(runtime, stub)
        runtime.run(stub.run("setup"))
        assert runtime.run(stub.run("unset")) is None
        client.say("ping")
        assert ("message", "ping") in Base.log

    def test_classic_connections_are_not_answered(self, runtime, classic):
        def setup(self):
            self.ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair("ping", "pong"))

        Classic.setup = setup
        try:
            client = Client(runtime, classic)
            runtime.run(classic.run("setup"))
            assert client.say("ping") == ["ping"]
        finally:
            del Classic.setup

    def test_the_time_of_the_last_one_is_kept_for_each_connection(self, runtime):
        def times(self):
            return [self.ctx.getWebSocketAutoResponseTimestamp(ws) for ws in _sorted(self.ctx)]

        stub = self.stub(runtime, times=times)
        client = Client(runtime, stub, "/?1")
        Client(runtime, stub, "/?2")
        runtime.run(stub.run("setup"))
        assert runtime.run(stub.run("times")) == [None, None]
        runtime.advance(1_500)
        client.say("ping")
        runtime.run(runtime.evict(stub))
        runtime.advance(1_000)
        at = dt.datetime(2026, 1, 1, 0, 0, 1, 500_000, tzinfo=dt.UTC)
        assert runtime.run(stub.run("times")) == [at, None]

    @pytest.mark.parametrize(
        ("pair", "message"),
        [
            (("a" * 2049, "b"), "Request cannot be larger than 2048 bytes. A request of size 2049"),
            (
                ("a", "é" * 1025),
                "Response cannot be larger than 2048 bytes. A response of size 2050",
            ),
        ],
    )
    def test_longer_texts_are_refused(self, runtime, pair, message):
        def too_long(self):
            most = WebSocketRequestResponsePair("a" * 2048, "é" * 1024)
            self.ctx.setWebSocketAutoResponse(most)
            with pytest.raises(PlatformRangeError) as caught:
                self.ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair(*pair))
            return str(caught.value)

        stub = with_method(runtime, Base, too_long=too_long)
        assert runtime.run(stub.run("too_long")) == f"{message} was provided."

    def test_only_a_pair_can_be_set(self, runtime):
        def wrong(self):
            return refused(self.ctx.setWebSocketAutoResponse, ("ping", "pong"))[1]

        stub = with_method(runtime, Base, wrong=wrong)
        assert "not of type 'WebSocketRequestResponsePair'" in runtime.run(stub.run("wrong"))


def _sorted(ctx):
    return sorted(ctx.getWebSockets(), key=ctx.getTags)


class TestEventTimeout:
    def stub(self, runtime, timeout_ms, handler_s):
        async def slow(self, ws, message):
            await asyncio.sleep(handler_s)
            ws.send("done")

        def setup(self):
            self.ctx.setHibernatableWebSocketEventTimeout(timeout_ms)
            return self.ctx.getHibernatableWebSocketEventTimeout()

        stub = with_method(runtime, Hibernating, webSocketMessage=slow, setup=setup)
        assert runtime.run(stub.run("setup")) == timeout_ms
        return stub

    def test_a_handler_within_its_time_is_left_alone(self, runtime):
        client = Client(runtime, self.stub(runtime, 1_000, 0.999))
        client.say("x")
        runtime.advance(5_000)
        assert client.take() == ["done"]

    def test_a_handler_that_takes_longer_is_stopped_and_nobody_else_is(self, runtime):
        stub = self.stub(runtime, 1_000, 1.001)
        slow, other = Client(runtime, stub), Client(runtime, stub)
        slow.say("x")
        runtime.advance(5_000)
        assert slow.take() == other.take() == []
        assert runtime.run(stub.count()) == 2
        assert slow.ws.readyState == other.ws.readyState == 1

    def test_after_that_the_objects_storage_is_gone_until_it_is_evicted(self, runtime):
        async def stored(self):
            return await self.ctx.storage.get("k")

        stub = self.stub(runtime, 1_000, 1.001)
        client = Client(runtime, stub)
        Special = runtime.namespace("SPECIAL").cls
        Special.stored = stored
        client.say("x")
        runtime.advance(999)
        assert runtime.run(stub.stored()) is None
        runtime.advance(1)
        with pytest.raises(PlatformError, match="exceeded event execution time") as caught:
            runtime.run(stub.stored())
        assert caught.value.durableObjectReset
        assert caught.value.retryable
        runtime.run(runtime.evict(stub))
        assert runtime.run(stub.stored()) is None

    def test_it_has_a_limit_of_a_week(self, runtime):
        def week(self):
            self.ctx.setHibernatableWebSocketEventTimeout(604_800_000)
            error = refused(self.ctx.setHibernatableWebSocketEventTimeout, 604_800_001)
            self.ctx.setHibernatableWebSocketEventTimeout(0)
            return [error[1], self.ctx.getHibernatableWebSocketEventTimeout()]

        stub = with_method(runtime, Base, week=week)
        assert runtime.run(stub.run("week")) == [
            "Event timeout should not exceed 604800000 ms.",
            None,
        ]
