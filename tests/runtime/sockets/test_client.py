"""A client: what it says and hears, in virtual and in real time, and how a connection ends."""

import asyncio

import pytest

from dobook.errors import ConnectionClosedError, DeadlockError, UsageError
from dobook.runtime.client import open_client
from dobook.web import Response

from .rooms import Classic, Hibernating


class Polite(Hibernating):
    """Answers closes, and sends what it is told to after a while."""

    async def webSocketMessage(self, ws, message):
        if message[:6] == "later ":
            await asyncio.sleep(60)
        ws.send(message)

    async def fetch(self, request):
        if "websocket" not in request.url:
            return Response("no socket here", status=404)
        return await super().fetch(request)


@pytest.fixture
def polite(runtime):
    return runtime.register(Polite, "ROOM").getByName("a")


@pytest.fixture
def ada(runtime, polite):
    return runtime.connect(polite, name="ada")


def test_a_client_says_something_and_has_the_answer_at_once(ada):
    ada.send("hello")
    ada.send(b"\x00\x01")
    assert ada.messages == ["hello", b"\x00\x01"]
    assert ada.unread() == ["hello", b"\x00\x01"]
    assert ada.unread() == []


def test_an_object_can_be_named_by_its_path_and_the_path_asked_for_be_another(runtime, polite):
    client = runtime.connect("ROOM/a", "/websocket/x?y=1", name="ada & bob")
    assert client.path == "/websocket/x?y=1&name=ada%20%26%20bob"
    assert client.label == "ROOM/a"


def test_the_next_message_is_awaited_as_far_in_virtual_time_as_it_takes(runtime, ada):
    began_ms = runtime.clock.now_ms
    ada.send("later on")
    assert ada.messages == []
    assert runtime.run(ada.receive()) == "later on"
    assert runtime.clock.now_ms == began_ms + 60_000


def test_messages_are_received_in_order_and_each_once(runtime, ada):
    for i in range(5):
        ada.send(str(i))

    async def main():
        return [await ada.receive() for _ in range(5)]

    assert runtime.run(main()) == list("01234")


async def test_a_cell_awaits_a_message_on_its_own_loop(ada):
    ada.send("later on")
    assert await ada.receive() == "later on"


def test_receiving_gives_up_in_time(runtime, ada):
    ada.send("later on")
    with pytest.raises(TimeoutError):
        runtime.run(ada.receive(timeout_ms=59_999))
    assert runtime.run(ada.receive(timeout_ms=2)) == "later on"


def test_awaiting_what_can_never_come_says_so(runtime, ada):
    with pytest.raises(DeadlockError):
        runtime.run(ada.receive())


def test_a_client_closes_and_the_object_sees_how(runtime, ada, log):
    ada.close(4000, "bye")
    assert log[-1] == ("close", 4000, "bye", True)
    assert (ada.state, ada.closed) == ("closed", (4000, "bye"))
    ada.close()
    with pytest.raises(ConnectionClosedError, match=r"code 4000\): bye"):
        ada.send("too late")
    with pytest.raises(ConnectionClosedError):
        runtime.run(ada.receive())


def test_a_client_drops_out_without_a_word(runtime, ada, log):
    ada.drop()
    assert log[-1][:2] == ("close", 1006)
    assert log[-1][3] is False
    assert (ada.state, ada.closed) == ("closed", (1006, ""))
    ada.drop()
    with pytest.raises(ConnectionClosedError, match="was lost"):
        ada.send("too late")


def test_what_came_before_the_end_is_still_received(runtime, ada):
    ada.send("one")
    ada.close(1000)

    async def main():
        return [message async for message in ada]

    assert runtime.run(main()) == ["one"]


def test_a_lost_object_ends_the_connection(runtime, ada, polite):
    runtime.crash(polite)
    runtime.settle()
    assert ada.state == "closed"
    assert ada.closed[0] == 1006


def test_the_transcript_tells_all_of_it_in_order(ada):
    ada.send("hello")
    ada.send(bytes(range(20)))
    ada.close(1000, "done")
    told = [said.what for said in ada.transcript]
    assert told == ["open", "sent", "received", "sent", "received", "closing", "closed"]
    lines = repr(ada.transcript).splitlines()
    assert lines[0] == "2026-01-01 00:00:00  · open /websocket?name=ada"
    assert lines[1] == "2026-01-01 00:00:00  → hello"
    assert lines[4].endswith("← 20 bytes: 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f…")
    assert lines[6].endswith("· closed 1000 done")
    assert repr(ada) == "<ada at ROOM/a/websocket?name=ada: closed, 2 messages received>"


def test_an_answer_that_opens_no_socket_is_told(runtime, polite):
    with pytest.raises(UsageError, match=r"answered 404 to /elsewhere.*no socket here"):
        runtime.connect(polite, "/elsewhere")


def test_inside_the_loop_it_is_opened_with_await(runtime, polite):
    async def main():
        with pytest.raises(UsageError, match="open_client"):
            runtime.connect(polite)
        client = await open_client(runtime, polite)
        client.send("hello")
        return await client.receive()

    assert runtime.run(main()) == "hello"


def test_the_worker_can_be_connected_to(runtime, polite):
    async def on_fetch(request, env, ctx):
        return await env.ROOM.getByName("a").fetch(request)

    runtime.serve_worker(on_fetch)
    with runtime.connect() as client:
        client.send("through the Worker")
        assert client.messages == ["through the Worker"]
    assert client.state == "closed"


def test_a_client_outlives_the_memory_of_a_hibernating_object(runtime, ada, polite, log):
    ada.send("one")
    runtime.run(runtime.evict(polite))
    ada.send("two")
    assert ada.messages == ["one", "two"]
    assert log.count("constructed") == 2


def test_in_real_time_a_client_works_the_same(runtime, ada):
    with runtime.start_real_time():
        ada.send("hello")
        assert runtime.run(ada.receive(timeout_ms=5_000)) == "hello"

        async def elsewhere():
            ada.send("again")
            return await ada.receive(timeout_ms=5_000)

        assert asyncio.run(elsewhere()) == "again"
        ada.close()


def test_a_classic_socket_is_a_socket_too(runtime):
    classic = runtime.register(Classic, "CLASSIC").getByName("a")
    with runtime.connect(classic) as client:
        client.send("hello")
        assert client.messages == ["hello"]


@pytest.mark.parametrize("how", ["deadlock", "timeout", "cancelled"])
def test_who_stops_waiting_leaves_the_next_message_to_the_next(runtime, ada, how):
    async def waiting():
        if how == "deadlock":
            with pytest.raises(DeadlockError, match="waits for a message"):
                await ada.receive()
        elif how == "timeout":
            with pytest.raises(TimeoutError, match="no message came within 1000 ms"):
                await ada.receive(timeout_ms=1_000)
        else:
            task = asyncio.ensure_future(ada.receive())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(waiting())
    ada.send("hello")
    assert runtime.run(ada.receive()) == "hello"


@pytest.mark.parametrize("ticks", range(8))
def test_a_message_that_came_while_the_wait_was_cancelled_is_not_lost(runtime, ada, ticks):
    async def main():
        task = asyncio.ensure_future(ada.receive())
        await asyncio.sleep(0)
        ada.send("hello")
        for _ in range(ticks):  # it is on its way to the one who is about to stop
            await asyncio.sleep(0)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        got = await asyncio.gather(task, return_exceptions=True)
        return got[0] if got[0] == "hello" else await ada.receive()

    assert runtime.run(main()) == "hello"
