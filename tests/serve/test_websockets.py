"""WebSockets through the server: the cases of the Autobahn suite that matter, and many at once."""

import asyncio
import struct

import pytest

from dobook.serve import Limits
from dobook.serve.frames import accept_key

from .speaking import HANDSHAKE, Speaker, handshake


@pytest.fixture
def speak(server):
    opened = []

    def connect(path="/ROOM/a", to=None, **changes):
        speaker = Speaker((to or server).port, path, **changes)
        opened.append(speaker)
        return speaker

    yield connect
    for speaker in opened:
        speaker.close()


@pytest.fixture(params=["ROOM", "CLASSIC"])
def kind(request):
    return request.param


def closes(runtime, kind="ROOM"):
    """Returns how the room has seen its connections end."""
    return runtime.run(runtime.stub(f"{kind}/a").closes())


def wait_for(runtime, condition):
    """Turns the runtime until something is so."""

    async def main():
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - a test looks from outside
                await asyncio.sleep(0.002)

    runtime.run(main())


# ---------------------------------------------------------------------- beginning


def test_the_handshake_is_answered_as_the_standard_says(speak):
    lines = speak().head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 101 Switching Protocols"
    assert f"Sec-WebSocket-Accept: {accept_key(HANDSHAKE['Sec-WebSocket-Key'])}" in lines
    assert "sec-websocket-protocol: chat" in lines


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Sec_WebSocket_Version": "8"}, 426),
        ({"Sec_WebSocket_Version": None}, 426),
        ({"Sec_WebSocket_Key": "short"}, 400),
        ({"Sec_WebSocket_Key": None}, 400),
        ({"Connection": "keep-alive"}, 400),
        ({"Origin": "https://evil.example"}, 403),
        ({"Host": "evil.example"}, 403),
    ],
)
def test_a_handshake_that_is_wrong_is_refused(raw, changes, status):
    told, _ = raw().say(handshake("/ROOM/a", **changes)).answer()
    assert told == status


def test_a_request_that_upgrades_to_something_else_is_answered_as_a_plain_one(raw):
    told = raw().say(handshake("/COUNTER/a", Upgrade="h2c")).hear_all()
    assert told.startswith(b"HTTP/1.1 200 OK")


def test_an_object_may_refuse_an_upgrade(raw):
    assert raw().say(handshake("/COUNTER/a")).answer() == (200, b"1")


def test_what_is_sent_together_with_the_handshake_is_not_lost(raw, kind):
    from .speaking import frame

    one = raw().say(handshake(f"/{kind}/a") + frame(1, b"early"))
    heard = b""
    while b"early" not in heard:
        heard += one.hear()
    assert heard.endswith(b"\x81\x05early")


# ---------------------------------------------------------------------- messages


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 1_000_000])
@pytest.mark.parametrize("opcode", [1, 2])
def test_a_message_of_any_size_comes_back(speak, size, opcode):
    assert speak().say(opcode, b"x" * size).hear() == (opcode, b"x" * size)


def test_fragments_come_back_as_one_message_with_a_pong_in_between(speak, kind):
    one = speak(f"/{kind}/a")
    one.say(1, b"Hal", fin=False).say(9, b"ping").say(0, b"lo ", fin=False).say(0, b"you")
    assert one.hear() == (10, b"ping")
    assert one.hear() == (1, b"Hallo you")


def test_an_unasked_pong_is_ignored(speak):
    assert speak().say(10, b"?").say(1, b"still here").hear() == (1, b"still here")


def test_everybody_hears_everything_in_order(speak, kind):
    speakers = [speak(f"/{kind}/a") for _ in range(5)]
    for i in range(50):
        speakers[i % 5].say(1, f"{i}".encode())
        assert speakers[0].hear() == (1, f"{i}".encode())
    for speaker in speakers[1:]:
        assert [speaker.hear()[1] for _ in range(50)] == [f"{i}".encode() for i in range(50)]


# ---------------------------------------------------------------------- ends


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999])
def test_a_close_is_answered_by_the_object(speak, runtime, kind, code):
    one = speak(f"/{kind}/a").say(8, struct.pack("!H", code) + b"bye")
    assert one.hear_close() == (code, "bye")
    assert closes(runtime, kind) == [[code, "bye", True]]


def test_a_close_without_a_code_is_answered_without_one(speak, runtime, kind):
    assert speak(f"/{kind}/a").say(8, b"").hear_close() == (1005, "")
    assert closes(runtime, kind) == [[1005, "", True]]


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000])
def test_a_code_that_no_close_may_have_is_an_error(speak, code):
    assert speak().say(8, struct.pack("!H", code)).hear_close()[0] == 1002


@pytest.mark.parametrize(
    ("opcode", "payload", "how", "code"),
    [
        (1, b"\xff\xfe", {}, 1007),
        (1, b"x", {"rsv": 1}, 1002),
        (1, b"x", {"masked": False}, 1002),
        (3, b"", {}, 1002),
        (0, b"", {}, 1002),
        (9, b"x" * 126, {}, 1002),
    ],
)
def test_a_broken_frame_closes_the_connection_and_tells_the_object(
    speak, runtime, opcode, payload, how, code
):
    one = speak()
    one.say(1, b"fine").say(opcode, payload, **how)
    assert one.hear() == (1, b"fine")
    assert one.hear_close()[0] == code
    room = runtime.stub("ROOM/a")
    assert f"protocolError.statusCode = {code}" in runtime.run(room.error())
    assert runtime.run(room.count()) == 0


def test_a_message_that_is_too_large_is_refused_before_it_has_come(serving, speak):
    server = serving(limits=Limits(message_bytes=1_000))
    one = speak(to=server)
    assert one.say(2, b"x" * 1_000).hear() == (2, b"x" * 1_000)
    one.socket.sendall(b"\x82\xfe" + (1_001).to_bytes(2, "big") + b"1234")
    assert one.hear_close() == (1009, "Message is too large: 1001 > 1000")


def test_a_client_that_vanishes_is_seen_to_be_lost(speak, runtime, kind):
    one = speak(f"/{kind}/a")
    one.close()
    wait_for(runtime, lambda: runtime.objects()[0].requests > 1)
    ((code, _, clean),) = closes(runtime, kind)
    assert (code, clean) == (1006, False)


def test_a_lost_object_hangs_up_without_a_close(speak, runtime, kind):
    one = speak(f"/{kind}/a")
    runtime.crash(f"{kind}/a")
    assert one.hear() is None


def test_an_evicted_object_keeps_its_clients(speak, runtime):
    one, two = speak(), speak()
    assert one.say(1, b"before").hear() == (1, b"before")
    runtime.run(runtime.evict("ROOM/a"))
    assert one.say(1, b"after").hear() == (1, b"after")
    assert [two.hear(), two.hear()] == [(1, b"before"), (1, b"after")]


def test_a_stopping_server_says_that_it_goes_away(server, speak, runtime, kind):
    one = speak(f"/{kind}/a")
    server.stop()
    assert one.hear_close() == (1001, "the server is stopping")
    assert closes(runtime, kind)[0][0] == 1006


# ---------------------------------------------------------------------- silent and slow clients


def test_a_silent_client_is_pinged_and_one_that_is_gone_is_dropped(serving, speak, runtime):
    server = serving(limits=Limits(ping_ms=10))
    one = speak(to=server)
    runtime.run(_swept(server))
    assert one.hear() == (9, b"")
    one.say(10, b"").say(1, b"here")
    assert one.hear() == (1, b"here")
    runtime.run(_swept(server))
    assert one.hear() == (9, b"")
    runtime.run(_swept(server))
    assert one.hear() is None
    assert closes(runtime)[0][0] == 1006


async def _swept(server):
    """Lets the server look after its clients as it does every second, but now."""
    await asyncio.sleep(0.02)
    server.sweep()


def test_a_client_that_does_not_read_is_cut_off_and_holds_nobody_up(serving, speak, runtime):
    server = serving(limits=Limits(unsent_bytes=2_000_000))
    deaf, one = speak(to=server), speak(to=server)
    heard = 0
    while runtime.run(runtime.stub("ROOM/a").count()) == 2:
        one.say(2, b"x" * 100_000)
        assert one.hear() == (2, b"x" * 100_000)
        heard += 1
        assert heard < 500
    assert one.say(1, b"still here").hear() == (1, b"still here")
    del deaf


def test_a_client_that_never_answers_a_close_is_hung_up_on(serving, speak, runtime):
    server = serving(limits=Limits(closing_ms=10))

    class Curt(type(runtime.namespace("ROOM").cls.__name__, (runtime.namespace("ROOM").cls,), {})):
        async def webSocketMessage(self, ws, message):
            ws.close(4001, "enough")

    runtime.register(Curt, "CURT")
    one = speak("/CURT/a", to=server).say(1, b"x")
    assert one.hear() == (8, struct.pack("!H", 4001) + b"enough")
    runtime.run(_swept(server))
    assert one.hear() is None


# ---------------------------------------------------------------------- other clients, and many


def test_the_websockets_package_is_a_client(server, together):
    websockets = pytest.importorskip("websockets")

    async def main():
        url = f"ws://127.0.0.1:{server.port}/ROOM/a"
        async with websockets.connect(url, subprotocols=["chat"]) as one:
            assert one.subprotocol == "chat"
            await one.send("hello")
            assert await one.recv() == "hello"
            await one.send(b"\x00")
            assert await one.recv() == b"\x00"
            await (await one.ping())

    together(main())


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_thousand_sockets_hear_a_hundred_messages_none_lost_or_out_of_order(server, together):
    clients, messages = 1_000, 100

    async def main():
        async def connect():
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(handshake("/HALL/a"))
            await reader.readuntil(b"\r\n\r\n")
            return reader, writer

        opened = []
        for _ in range(0, clients, 50):
            opened += await asyncio.gather(*(connect() for _ in range(50)))
        from .speaking import frame

        said = [f"message {i}".encode() for i in range(messages)]
        expected = b"".join(bytes([0x81, len(text)]) + text for text in said)
        opened[0][1].write(b"".join(frame(1, text) for text in said))

        async def hear(reader):
            return await reader.readexactly(len(expected))

        for heard in await asyncio.gather(*(hear(reader) for reader, _ in opened)):
            assert heard == expected
        for _, writer in opened:
            writer.transport.abort()

    asyncio.run(asyncio.wait_for(main(), 100))
