"""Pairs and sockets, messages, closes and listeners, upgrading, and both gates.

Source: developers.cloudflare.com/workers/runtime-apis/websockets/
"""

import asyncio
import gc

import pytest
from js import WebSocket, WebSocketPair

from dobook import limits
from dobook.errors import (
    DataCloneError,
    InvalidAccessError,
    PlatformError,
    PlatformSyntaxError,
    PlatformTypeError,
    UsageError,
)
from dobook.runtime.access import kernel_of
from dobook.web import Blob, Response

from .rooms import LOST, UPGRADE, Base, Classic, Client, Hibernating, refused, with_method


class TestPair:
    def test_every_way_of_taking_it_apart_gives_the_same_two_sockets(self):
        pair = WebSocketPair.new()
        first, second = pair
        assert pair.object_values() == (first, second)
        assert (pair[0], pair[1]) == (pair["0"], pair["1"]) == (first, second)
        assert len(pair) == 2
        assert pair.object_keys() == ("0", "1")

    def test_there_is_no_third_socket(self):
        with pytest.raises(KeyError):
            WebSocketPair()[2]

    def test_a_pair_made_outside_any_runtime_cannot_be_accepted(self):
        with pytest.raises(UsageError, match="inside an object or a Worker"):
            WebSocketPair()[0].accept()

    def test_the_constructor_dials_in_handlers_only(self):
        with pytest.raises(PlatformError, match="within global scope"):
            WebSocket.new("wss://example.com")
        with pytest.raises(PlatformSyntaxError, match="Invalid WebSocket URL"):
            WebSocket.new("example.com")

    def test_fresh_sockets_look_as_the_platform_shows_them(self):
        ws = WebSocketPair()[0]
        assert (ws.readyState, ws.url, ws.protocol, ws.extensions) == (1, None, "", "")
        assert (ws.CONNECTING, ws.OPEN, ws.CLOSING, ws.CLOSED) == (0, 1, 2, 3)
        assert WebSocket.READY_STATE_CLOSED == 3

    def test_a_socket_cannot_be_sent_over_rpc(self, runtime, room):
        with pytest.raises(DataCloneError):
            runtime.run(room.tell(WebSocketPair()[0]))

    def test_both_ends_in_one_object_talk_to_each_other(self, runtime):
        def both(self):
            first, second = WebSocketPair()
            second.addEventListener("message", lambda event: self.log.append(event.data))
            first.accept()
            second.accept()
            first.send("hello")

        stub = with_method(runtime, Base, both=both)
        runtime.run(stub.run("both"))
        runtime.settle()
        assert Base.log == ["constructed", "hello"]


class TestSend:
    def test_text_arrives_as_str_and_bytes_as_bytes(self, either, runtime):
        client = Client(runtime, either)
        assert client.say("grüß", b"\x00\xff", bytearray(b"ab"), memoryview(b"c")) == [
            "grüß",
            b"\x00\xff",
            b"ab",
            b"c",
        ]
        received = [entry[1] for entry in Base.log[1:]]
        assert [isinstance(data, bytes) for data in received] == [False, True, True, True]
        assert received[1].to_bytes() == b"\x00\xff"

    def test_what_is_sent_is_a_copy(self, runtime, room):
        client = Client(runtime, room)
        data = bytearray(b"one")
        client.ws.send(data)
        data[:] = b"two"
        runtime.settle()
        assert client.take() == [b"one"]

    def test_lone_surrogates_are_replaced(self, runtime, room):
        assert Client(runtime, room).say("a\ud800b") == ["a\ufffdb"]

    def test_numbers_become_their_text(self, runtime, room):
        assert Client(runtime, room).say(5, 1.5, None) == ["5", "1.5", "undefined"]

    @pytest.mark.parametrize(("value", "hint"), [({"a": 1}, "json.dumps"), ([1], "json.dumps")])
    def test_other_values_are_refused_with_advice(self, runtime, room, value, hint):
        client = Client(runtime, room)
        with pytest.raises(PlatformTypeError, match=hint):
            client.ws.send(value)

    def test_a_coroutine_is_refused_with_advice(self, runtime, room):
        async def text():
            return "x"

        client = Client(runtime, room)
        with pytest.raises(PlatformTypeError, match="await"):
            client.ws.send(text())

    def test_before_accept_send_and_close_are_errors(self):
        ws = WebSocketPair()[0]
        message = (
            "You must call one of accept() or state.acceptWebSocket() on this WebSocket before "
            "sending messages."
        )
        assert refused(ws.send, "x") == (PlatformTypeError, message)
        assert refused(ws.close) == (PlatformTypeError, message)

    def test_after_close_send_is_an_error_and_close_is_none(self, runtime, room):
        client = Client(runtime, room)
        client.ws.close(1000, "bye")
        client.ws.close(1000, "again")
        expected = "Can't call WebSocket send() after close()."
        assert refused(client.ws.send, "x") == (PlatformTypeError, expected)
        runtime.settle()
        assert Base.log[1:] == [("close", 1000, "bye", True)]

    def test_messages_wait_for_the_client_to_accept(self, runtime, either):
        client = Client(runtime, either, accept=False)
        stub = runtime.namespace("EITHER").getByName("a")
        if runtime.namespace("EITHER").cls is Hibernating:
            runtime.run(stub.tell("early"))
        runtime.advance(1_000)
        assert client.take() == []
        client.ws.accept()
        client.ws.send("late")
        runtime.settle()
        assert client.take()[-1] == "late"
        assert client.take() == []

    def test_what_came_before_accept_is_read_before_what_came_after(self, runtime, room):
        client = Client(runtime, room, accept=False)
        for text in ("1", "2"):
            runtime.run(room.tell(text))
        client.ws.accept()

        async def go():
            await room.tell("3")
            await room.tell("4")

        runtime.run(go())
        runtime.settle()
        assert client.take() == ["1", "2", "3", "4"]

    def test_a_runtime_that_is_closed_takes_no_messages(self, open_runtime):
        runtime = open_runtime()
        client = Client(runtime, runtime.register(Hibernating).getByName("a"))
        runtime.close()
        with pytest.raises(UsageError, match="closed"):
            client.ws.send("x")

    @pytest.mark.slow
    def test_of_100_messages_to_1000_connections_none_is_lost_or_reordered(self, runtime):
        def each(self, ws, message):
            for other in self.ctx.getWebSockets():
                other.send(message)

        stub = with_method(runtime, Hibernating, webSocketMessage=each)
        clients = [Client(runtime, stub) for _ in range(1_000)]
        texts = [str(n) for n in range(100)]
        for n, text in enumerate(texts):
            clients[n].ws.send(text)
        runtime.settle()
        assert all(client.take() == texts for client in clients)


class TestSize:
    LIMIT = limits.MAX_WEBSOCKET_MESSAGE_BYTES

    def test_a_message_of_the_limit_arrives(self, runtime):
        def silent(self, ws, message):
            self.log.append(len(message))

        stub = with_method(runtime, Hibernating, webSocketMessage=silent)
        client = Client(runtime, stub)
        client.say("x" * self.LIMIT, b"x" * self.LIMIT)
        assert Base.log[-2:] == [self.LIMIT, self.LIMIT]

    def test_one_byte_more_breaks_a_hibernatable_connection(self, runtime, room):
        client = Client(runtime, room)
        text = f"Message is too large: {self.LIMIT + 1} > {self.LIMIT}"
        assert client.say(b"x" * (self.LIMIT + 1)) == [("close", 1009, text, True)]
        assert Base.log[1:] == [
            (
                "error",
                "WebSocket protocol error; protocolError.statusCode = 1009; "
                f"protocolError.description = {text}",
            )
        ]
        assert runtime.run(room.count()) == 0

    def test_one_byte_more_breaks_a_classic_connection(self, runtime, classic):
        client = Client(runtime, classic)
        ((kind, code, reason, _),) = client.say("é" * (self.LIMIT // 2) + "x")
        assert (kind, code) == ("close", 1009)
        assert Base.log[1][0] == "error"
        assert Base.log[1][1].endswith(reason)
        assert not kernel_of(runtime).actor_of(classic).instance.busy


class TestClose:
    @pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1014, 1016, 3000, 4999])
    def test_codes_that_frames_may_carry_are_taken(self, runtime, room, code):
        assert Client(runtime, room).close(code, "why") == [("close", code, "why", True)]

    @pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 5000, -1])
    def test_other_codes_are_refused(self, runtime, room, code):
        client = Client(runtime, room)
        expected = f"Invalid WebSocket close code: {code}."
        assert refused(client.ws.close, code) == (InvalidAccessError, expected)
        assert client.ws.readyState == WebSocket.OPEN

    def test_a_reason_has_at_most_123_bytes(self, runtime, room):
        client = Client(runtime, room)
        expected = "WebSocket close reason must not be longer than 123 bytes when UTF-8 encoded."
        assert refused(client.ws.close, 1000, "r" * 124) == (PlatformSyntaxError, expected)
        assert refused(client.ws.close, 1000, "é" * 62) == (PlatformSyntaxError, expected)
        assert client.close(1000, "é" * 61 + "r") == [("close", 1000, "é" * 61 + "r", True)]

    def test_a_reason_needs_a_code(self, runtime, room):
        expected = "If you specify a WebSocket close reason, you must also specify a code."
        got = refused(Client(runtime, room).ws.close, None, "because")
        assert got == (InvalidAccessError, expected)

    def test_without_a_code_the_other_side_sees_1005(self, runtime, classic):
        assert Client(runtime, classic).close() == [("close", 1005, "", True)]
        assert Base.log[1:] == [("close", 1005, "", True)]

    def test_states_go_from_open_over_closing_to_closed(self, runtime, room):
        client = Client(runtime, room)
        states = [client.ws.readyState]
        client.ws.close(1000)
        states.append(client.ws.readyState)
        runtime.settle()
        states.append(client.ws.readyState)
        assert states == [1, 2, 3]

    def test_a_classic_close_is_answered_by_itself(self, runtime, classic):
        client = Client(runtime, classic)
        assert client.close(3001, "done") == [("close", 3001, "done", True)]
        assert Base.log[1:] == [("close", 3001, "done", True)]

    def test_half_open_leaves_the_answer_to_the_program(self, runtime):
        def open_half(self, server, request):
            self.server = server
            server.accept({"allowHalfOpen": True})

        def finish(self):
            state = self.server.readyState
            self.server.send("last words")
            self.server.close(1000, "now")
            return state

        stub = with_method(runtime, Classic, open=open_half, finish=finish)
        client = Client(runtime, stub)
        assert client.close(1000, "bye") == []
        assert runtime.run(stub.run("finish")) == 2
        runtime.settle()
        assert client.take() == ["last words", ("close", 1000, "now", True)]
        runtime.run(runtime.evict(stub))

    def test_a_hibernatable_close_is_left_to_the_handler(self, runtime):
        stub = with_method(runtime, Base)
        client = Client(runtime, stub)
        assert client.close(1000, "bye") == []
        assert client.ws.readyState == 2
        assert runtime.run(stub.count()) == 0

    def test_a_close_the_object_never_answers_ends_with_its_life(self, runtime):
        stub = with_method(runtime, Base)
        client = Client(runtime, stub)
        client.close(1000, "bye")
        runtime.run(runtime.evict(stub))
        runtime.settle()
        assert client.take() == [LOST]

    def test_a_closing_connection_is_listed_until_the_handlers_first_turn_ends(self, runtime):
        async def closed(self, ws, code, reason, clean):
            self.log.append(len(self.ctx.getWebSockets()))
            await asyncio.sleep(1)
            self.log.append(len(self.ctx.getWebSockets()))
            self.log.append(self.ctx.getTags(ws))
            ws.close(code, reason)

        stub = with_method(runtime, Base, webSocketClose=closed)
        client = Client(runtime, stub, "/?red")
        client.close(1000, "bye")
        runtime.advance(1_000)
        assert Base.log[1:] == [1, 0, ["red"]]
        assert client.take() == [("close", 1000, "bye", True)]


class TestListeners:
    def test_on_attributes_and_listeners_are_called_in_order_each_once(self, runtime, room):
        client = Client(runtime, room)
        heard = []

        def second(event):
            heard.append(("second", event.data))

        client.ws.onmessage = lambda event: heard.append(("on", event.type, event.target))
        client.ws.addEventListener("message", second)
        client.ws.addEventListener("message", second)
        client.say("x")
        assert heard == [("on", "message", client.ws), ("second", "x")]
        client.ws.removeEventListener("message", second)
        client.ws.removeEventListener("message", print)
        client.say("y")
        assert heard[2:] == [("on", "message", client.ws)]

    def test_once_is_once(self, runtime, room):
        client = Client(runtime, room)
        heard = []
        client.ws.addEventListener("message", heard.append, {"once": True})
        client.say("x", "y")
        assert [event.data for event in heard] == ["x"]

    def test_one_that_is_removed_by_another_is_not_called(self, runtime, room):
        client = Client(runtime, room)
        heard = []

        def first(event):
            client.ws.removeEventListener("message", heard.append)

        client.ws.addEventListener("message", first)
        client.ws.addEventListener("message", heard.append)
        client.say("x")
        assert heard == []

    def test_objects_with_handle_event_listen_too(self, runtime, room):
        class Listener:
            def __init__(self):
                self.heard = []

            def handleEvent(self, event):
                self.heard.append(event.data)

        client, listener = Client(runtime, room), Listener()
        client.ws.addEventListener("message", listener)
        client.say("x")
        client.ws.removeEventListener("message", listener)
        client.say("y")
        assert listener.heard == ["x"]

    def test_what_cannot_listen_is_refused(self, runtime, room):
        client = Client(runtime, room)
        client.ws.addEventListener("message", None)
        with pytest.raises(PlatformTypeError, match="EventHandler"):
            client.ws.addEventListener("message", "not a function")

    def test_asynchronous_listeners_outside_wait_in_virtual_time(self, runtime, room):
        client = Client(runtime, room)
        heard = []

        async def slow(event):
            await asyncio.sleep(3600)
            heard.append((event.data, runtime.clock.now_ms))

        client.ws.addEventListener("message", slow)
        start = runtime.clock.now_ms
        client.say("x")
        gc.collect()
        assert heard == []
        runtime.advance("1h")
        assert heard == [("x", start + 3_600_000)]

    def test_asynchronous_listeners_of_an_object_start_in_order(self, runtime):
        def open_slow(self, server, request):
            async def slow(event):
                self.log.append(f"{event.data} in")
                await asyncio.sleep(1)
                self.log.append(f"{event.data} out")

            async def other(event):
                self.log.append(f"{event.data} other")

            server.addEventListener("message", slow)
            server.addEventListener("message", other)
            server.accept()

        stub = with_method(runtime, Base, open=open_slow)
        client = Client(runtime, stub)
        client.say("a")
        assert Base.log[1:] == ["a in", "a other"]
        runtime.advance(1_000)
        assert Base.log[3:] == ["a out"]

    def test_binary_messages_are_blobs_when_asked_for(self, runtime, room):
        client = Client(runtime, room)
        assert client.ws.binaryType == "arraybuffer"
        client.ws.binaryType = "nonsense"
        assert client.ws.binaryType == "arraybuffer"
        client.ws.binaryType = "blob"
        (blob,) = client.say(b"ab")
        assert isinstance(blob, Blob)
        assert client.ws.binaryType == "blob"

    def test_a_listener_that_raises_outside_breaks_only_its_connection(self, runtime, room):
        complaints = []
        kernel_of(runtime).loop.set_exception_handler(
            lambda loop, context: complaints.append(context)
        )
        broken, fine = Client(runtime, room), Client(runtime, room)
        errors = []

        def fail(event):
            raise ValueError("oops")

        broken.ws.addEventListener("message", fail)
        broken.ws.onerror = errors.append
        broken.ws.send("x")
        fine.ws.send("y")
        runtime.settle()
        assert fine.take() == ["y"]
        assert [event.message for event in errors] == ["Uncaught RangeError: oops"]
        assert isinstance(complaints[0]["exception"], ValueError)
        assert broken.ws.readyState == 3
        broken.ws.send("ignored")
        assert Base.log[-1] == LOST

    def test_a_listener_that_raises_in_an_object_breaks_its_connection(self, runtime):
        def open_bad(self, server, request):
            def fail(event):
                raise ValueError("oops")

            server.addEventListener("message", fail)
            server.addEventListener("error", lambda e: self.log.append(e.message))
            server.accept()

        events = []
        runtime.observers.add(events.append)
        stub = with_method(runtime, Base, open=open_bad)
        client = Client(runtime, stub)
        assert client.say("x") == [LOST]
        assert Base.log[1:] == ["Uncaught RangeError: oops"]
        assert [e.error for e in events if e.kind == "error"] == ["ValueError: oops"]
        runtime.run(stub.count())


class TestUpgrade:
    def test_a_socket_is_only_given_to_who_asked_for_it(self, runtime, room):
        expected = (
            "Worker tried to return a WebSocket in a response to a request which did not contain "
            'the header "Upgrade: websocket".'
        )
        with pytest.raises(PlatformTypeError) as caught:
            runtime.run(room.fetch("http://object/"))
        assert str(caught.value) == expected
        assert caught.value.remote

    def test_the_header_is_read_without_regard_to_case(self, runtime, room):
        response = runtime.run(room.fetch("http://object/", headers={"upgrade": "WebSocket"}))
        assert response.status == 101

    def test_what_was_given_away_can_be_used_no_more(self, runtime):
        async def fetch(self, request):
            self.client, server = WebSocketPair()
            self.ctx.acceptWebSocket(server)
            return Response(None, status=101, web_socket=self.client)

        def use(self):
            self.client.send("into the void")
            self.client.close()
            state = self.client.readyState
            return [state, *refused(self.client.accept)[1:]]

        stub = with_method(runtime, Base, fetch=fetch, use=use)
        client = Client(runtime, stub)
        assert runtime.run(stub.run("use")) == [
            1,
            "Can't accept() WebSocket that was already used in a response.",
        ]
        runtime.settle()
        assert client.take() == []

    @pytest.mark.parametrize("called", ["accept", "acceptWebSocket"])
    def test_an_accepted_socket_cannot_be_given_away(self, runtime, called):
        async def fetch(self, request):
            client, _ = WebSocketPair()
            client.accept() if called == "accept" else self.ctx.acceptWebSocket(client)
            return Response(None, status=101, web_socket=client)

        stub = with_method(runtime, Base, fetch=fetch)
        with pytest.raises(PlatformTypeError) as caught:
            runtime.run(stub.fetch("http://object/", headers=UPGRADE))
        expected = f"Can't return WebSocket in a Response after calling {called}()."
        assert str(caught.value) == expected

    def test_a_socket_cannot_be_given_away_twice(self, runtime):
        async def fetch(self, request):
            if not hasattr(self, "client"):
                self.client, server = WebSocketPair()
                self.ctx.acceptWebSocket(server)
            return Response(None, status=101, web_socket=self.client)

        stub = with_method(runtime, Base, fetch=fetch)
        Client(runtime, stub)
        with pytest.raises(PlatformTypeError, match="already used in a response"):
            runtime.run(stub.fetch("http://object/", headers=UPGRADE))

    def test_the_end_a_caller_got_cannot_hibernate(self, runtime, room):
        def connect(self):
            async def go():
                response = await self.env.ROOM.getByName("a").fetch("http://r/", headers=UPGRADE)
                return refused(self.ctx.acceptWebSocket, response.web_socket)[1]

            return go()

        async def run(self, name):
            return await connect(self)

        stub = with_method(runtime, Base, run=run)
        assert runtime.run(stub.run("connect")).endswith(
            "its pair has already been accepted or used in a Response."
        )

    def test_a_worker_passes_a_connection_through(self, runtime, room):
        async def on_fetch(request, env, ctx):
            return await env.ROOM.getByName("a").fetch(request)

        worker = runtime.serve_worker(on_fetch)
        assert Client(runtime, worker, "/?tag").say("hello") == ["hello"]
        assert runtime.run(room.count("tag")) == 1

    def test_a_worker_can_hold_an_end_itself(self, runtime):
        def on_fetch(request, env, ctx):
            client, server = WebSocketPair()
            server.accept()
            server.onmessage = lambda event: server.send(event.data.upper())
            return Response(None, status=101, web_socket=client)

        assert Client(runtime, runtime.serve_worker(on_fetch)).say("hello") == ["HELLO"]

    def test_a_worker_too_only_answers_who_asked(self, runtime):
        def on_fetch(request, env, ctx):
            return Response(None, status=101, web_socket=WebSocketPair()[0])

        response = runtime.run(runtime.serve_worker(on_fetch).fetch("http://object/"))
        assert response.status == 500
        assert "did not contain the header" in str(response.error)


class TestInputGate:
    def test_a_message_waits_while_concurrency_is_blocked(self, runtime):
        async def block(self):
            async def inside():
                await asyncio.sleep(5)
                self.log.append("unblocked")

            await self.ctx.blockConcurrencyWhile(inside)

        stub = with_method(runtime, Hibernating, run=lambda self, name: block(self))
        client = Client(runtime, stub)
        blocking = stub.run("x")
        runtime.settle()
        client.ws.send("m")
        client.ws.close(1000, "bye")
        runtime.settle()
        assert Base.log == ["constructed"]
        runtime.run(blocking)
        runtime.settle()
        assert Base.log[1:] == ["unblocked", ("message", "m"), ("close", 1000, "bye", True)]

    def test_a_message_overtakes_a_call_that_was_made_at_the_same_time(self, runtime):
        stub = with_method(runtime, Hibernating, run=lambda self, name: self.log.append("call"))
        client = Client(runtime, stub)
        promise = stub.run("x")
        client.ws.send("m")
        runtime.run(promise)
        assert Base.log == ["constructed", ("message", "m"), "call"]

    def test_a_constructor_that_blocks_is_waited_for(self, runtime):
        def construct(self, ctx, env):
            Base.__init__(self, ctx, env)

            async def load():
                await asyncio.sleep(5)
                self.log.append("loaded")

            ctx.blockConcurrencyWhile(load)

        stub = with_method(runtime, Hibernating, __init__=construct)
        client = Client(runtime, stub)
        runtime.run(runtime.evict(stub))
        Base.log.clear()
        client.ws.send("m")
        runtime.advance(5_000)
        assert Base.log == ["constructed", "loaded", ("message", "m")]

    def test_a_second_message_is_delivered_while_the_first_waits_for_a_timer(self, runtime):
        async def slow(self, ws, message):
            self.log.append(f"{message} in")
            await asyncio.sleep(1)
            self.log.append(f"{message} out")

        stub = with_method(runtime, Base, webSocketMessage=slow)
        Client(runtime, stub).say("a", "b")
        runtime.advance(1_000)
        assert Base.log[1:] == ["a in", "b in", "a out", "b out"]

    def test_a_socket_opened_inside_a_critical_section_is_heard_inside_it(self, runtime, room):
        async def connect(self):
            response = await self.env.ROOM.getByName("a").fetch("http://r/", headers=UPGRADE)
            arrived = asyncio.Event()
            ws = response.web_socket
            ws.addEventListener("message", lambda event: arrived.set())
            ws.accept()
            ws.send("echo me")
            await arrived.wait()
            self.log.append("connected")

        def construct(self, ctx, env):
            Base.__init__(self, ctx, env)
            ctx.blockConcurrencyWhile(lambda: connect(self))

        stub = with_method(runtime, Base, __init__=construct)
        assert runtime.run(stub.count()) == 0
        assert "connected" in Base.log


class TestOutputGate:
    def test_a_message_leaves_when_the_write_before_it_is_durable(self, runtime, monkeypatch):
        async def write(self, ws, message):
            await self.ctx.storage.put("k", message)
            ws.send("stored")

        stub = with_method(runtime, Hibernating, webSocketMessage=write)
        client = Client(runtime, stub)
        order = []
        client.ws.onmessage = lambda event: order.append(event.data)
        committer = kernel_of(runtime).stores.committer
        flush = committer._flush_tick

        def watched():
            order.append("committing")
            flush()
            order.append("durable")

        monkeypatch.setattr(committer, "_flush_tick", watched)
        client.say("v")
        assert order == ["committing", "durable", "stored"]

    def test_messages_and_answers_leave_in_the_order_they_were_given(self, runtime):
        async def run(self, name):
            (ws,) = self.ctx.getWebSockets()
            ws.send("before")
            await self.ctx.storage.put("k", 1)
            ws.send("after")
            return "answer"

        stub = with_method(runtime, Hibernating, run=run)
        client = Client(runtime, stub)
        assert runtime.run(stub.run("x")) == "answer"
        runtime.settle()
        assert client.take() == ["before", "after"]

    def test_a_message_after_a_write_that_is_lost_is_lost_too(self, runtime):
        async def run(self, name):
            (ws,) = self.ctx.getWebSockets()
            await self.ctx.storage.put("k", 1)
            ws.send("never")
            self.ctx.abort("enough")

        stub = with_method(runtime, Hibernating, run=run)
        client = Client(runtime, stub)
        with pytest.raises(PlatformError, match="enough"):
            runtime.run(stub.run("x"))
        runtime.settle()
        assert client.take() == [LOST]

    def test_a_message_after_an_unconfirmed_write_does_not_wait(self, runtime):
        async def run(self, name):
            (ws,) = self.ctx.getWebSockets()
            await self.ctx.storage.put("k", 1, {"allowUnconfirmed": True})
            ws.send("at once")
            return self.ctx._instance.output_gate.commit is None

        stub = with_method(runtime, Hibernating, run=run)
        client = Client(runtime, stub)
        assert runtime.run(stub.run("x"))
        runtime.settle()
        assert client.take() == ["at once"]

    def test_the_welcome_arrives_after_the_upgrade_it_was_sent_in(self, runtime):
        async def fetch(self, request):
            client, server = WebSocketPair()
            self.ctx.acceptWebSocket(server)
            await self.ctx.storage.put("n", 1)
            server.send("welcome")
            return Response(None, status=101, web_socket=client)

        stub = with_method(runtime, Hibernating, fetch=fetch)
        client = Client(runtime, stub)
        runtime.settle()
        assert client.take() == ["welcome"]
