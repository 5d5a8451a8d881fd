"""Hostile clients of WebSockets: what they make the server hold is bounded, and others are answered."""

import asyncio

import pytest

from dobook.runtime.access import kernel_of
from dobook.serve import Limits, Server
from dobook.serve.channel import Channel
from dobook.serve.limits import FRAMES_A_STEP, MESSAGE_BYTES

from .hostile import HIGH_WATER, READ_BYTES, STEPS, Client, steps, swept, until, well_served
from .objects import ALL
from .speaking import frame, handshake

ENOUGH = 1_200_000


@pytest.fixture
def open_server(runtime):
    for cls in ALL:
        runtime.register(cls)
    return lambda **limits: Server(runtime, limits=Limits(**limits))


async def connect(server, path="/ROOM/a", *, deaf=False):
    client = Client(server)
    client.say(handshake(path))
    await until(lambda: isinstance(client.line.protocol, Channel))
    client.line.heard.clear()
    client.line.deaf = deaf
    return client


def frames(data):
    """The server's frames: opcode and payload."""
    found, at = [], 0
    while at < len(data):
        size, start = data[at + 1], at + 2
        if size > 125:
            start = at + (4 if size == 126 else 10)
            size = int.from_bytes(data[at + 2 : start], "big")
        found.append((data[at] & 15, data[start : start + size]))
        at = start + size
    return found


def closed_with(client):
    """The code of the close frame that was heard last; None if there was none."""
    heard = frames(client.heard)
    if not heard or heard[-1][0] != 8:
        return None
    return int.from_bytes(heard[-1][1][:2], "big")


async def flood(server, client, again):
    """Sends the same for ever, as far as it is taken, and checks that others are answered."""
    block = again * (READ_BYTES // len(again) or 1)
    left = b""
    while client.taken < ENOUGH and not client.line.closed:
        if not client.line.reading:
            await steps(200)
            if not client.line.reading:
                break
        left = client.say(left or block)
        await steps(1)
    await well_served(server)
    await well_served(server)


# What is sent again and again, where, and what becomes of it: a close code, None for a client that
# is made to wait or cut off, 0 for one that is just read.
FLOODS = {
    "pings": (frame(9, b""), "/ROOM/a", 0),
    "long pings": (frame(9, b"p" * 125), "/ROOM/a", 0),
    "pongs": (frame(10, b""), "/ROOM/a", 0),
    "empty fragments": (frame(0, b"", fin=False), "/ROOM/a", 1008),
    "empty fragments and pings": (frame(0, b"", fin=False) + frame(9, b""), "/ROOM/a", 1008),
    "fragments of a byte": (frame(0, b"x", fin=False), "/ROOM/a", 1008),
    "fragments of a kilobyte": (frame(0, b"x" * 1_000, fin=False), "/ROOM/a", 1009),
    "a long frame, and nonsense": (b"x", "/ROOM/a", 1002),
    "messages that nobody reads": (frame(1, b"x" * 90), "/ROOM/a", None),
    "messages for a busy object": (frame(1, b"x"), "/STUCK/a", None),
    "long messages for a busy object": (frame(2, b"x" * 70_000), "/STUCK/a", None),
    "messages for a busy listener": (frame(1, b"x"), "/STUCK/a/classic", None),
}  # fmt: skip


@pytest.mark.parametrize("what", FLOODS)
def test_no_client_makes_its_websocket_hold_much(runtime, open_server, what):
    again, path, end = FLOODS[what]
    limits = Limits()
    server = open_server(message_bytes=1_000_000, fragments=5_000, unsent_bytes=500_000)

    async def main():
        client = await connect(server, path, deaf=end is None)
        if "fragments" in what:
            client.say(frame(2, b"", fin=False))
        if "a long frame" in what:
            client.say(b"\x82\xff" + (999_000).to_bytes(8, "big") + b"1234")
        await flood(server, client, again)
        # A message, what has been read at once, what may wait, and what may be unsent.
        most = 1_000_000 + READ_BYTES + limits.held_bytes + 500_000 + 2 * HIGH_WATER
        most += 2 * FRAMES_A_STEP * MESSAGE_BYTES + READ_BYTES
        assert client.most <= most
        if end == 0:
            assert not client.line.closed
            assert client.taken >= ENOUGH
        elif end is None:
            assert client.line.closed or not client.line.reading
        else:
            assert closed_with(client) == end
            assert client.line.closed
        client.leave()
        await steps(5)

    runtime.run(main())
    assert server.clients == 0


def test_pings_without_number_are_answered_by_one_pong_at_a_time(runtime, open_server):
    server = open_server()

    async def main():
        client = await connect(server)
        client.say(b"".join(frame(9, b"%d" % n) for n in range(20)))
        assert frames(client.heard) == [(10, b"19")]
        client.say(frame(9, b"again"))
        assert frames(client.heard)[1:] == [(10, b"again")]

        deaf = await connect(server, deaf=True)
        ping = frame(9, b"p" * 125)
        for n in range(3_000):
            deaf.say(ping * 3 + frame(9, b"%100d" % n))
        assert deaf.line.most <= HIGH_WATER + 1_000
        deaf.line.deaf = False
        deaf.line.read()
        heard = frames(deaf.heard)
        assert heard[-1] == (10, b"%100d" % 2_999)  # the last one, which had to wait
        assert len(heard) < 3_000
        for one in (client, deaf):
            one.leave()
        await steps(5)

    runtime.run(main())


@pytest.mark.parametrize(("size", "alive"), [(99, True), (100, False)])
def test_pongs_count_as_unsent(runtime, open_server, size, alive):
    """A pong of 125 bytes takes 127; what is unsent may be 127 + 99 bytes."""
    server = open_server(unsent_bytes=127 + 99)

    async def main():
        client = await connect(server, deaf=True)
        client.line.write(b"\x82" + bytes([size - 2]) + b"x" * (size - 2))
        client.say(frame(9, b"p" * 125))
        assert client.line.closed != alive
        client.leave()
        await steps(5)

    runtime.run(main())


@pytest.mark.parametrize(("limit", "payload"), [("fragments", b"x"), ("empty_fragments", b"")])
def test_a_message_has_so_many_fragments_and_no_more(runtime, open_server, limit, payload):
    server = open_server(**{limit: 10})

    async def main():
        for count, code in ((10, None), (11, 1008)):
            client = await connect(server)
            client.say(frame(1, payload, fin=False) + frame(0, payload, fin=False) * (count - 2))
            client.say(frame(0, payload))
            await steps(20)
            assert closed_with(client) == code
            if code is None:
                assert frames(client.heard) == [(1, payload * count)]
                client.say(frame(1, payload, fin=False) + frame(0, payload))  # counted anew
                await steps(20)
                assert not client.line.closed
            client.leave()
            await steps(5)

    runtime.run(main())


def test_a_ping_may_come_when_a_message_is_nearly_full(runtime, open_server):
    server = open_server(message_bytes=1_000)

    async def main():
        client = await connect(server)
        client.say(frame(2, b"x" * 1_000, fin=False) + frame(9, b"p" * 125) + frame(0, b""))
        await steps(20)
        assert frames(client.heard) == [(10, b"p" * 125), (2, b"x" * 1_000)]
        client.say(frame(2, b"x" * 1_000, fin=False) + frame(0, b"x"))
        await steps(20)
        assert closed_with(client) == 1009
        client.leave()
        await steps(5)

    runtime.run(main())


def test_a_close_may_come_between_fragments(runtime, open_server):
    server = open_server()

    async def main():
        client = await connect(server)
        client.say(frame(1, b"half", fin=False) + frame(8, (4000).to_bytes(2, "big")))
        await steps(20)
        assert closed_with(client) == 4000
        await steps(5)

    runtime.run(main())


@pytest.mark.parametrize("path", ["/STUCK/a", "/STUCK/a/classic"])
@pytest.mark.parametrize(("size", "count"), [(1, 200), (5_000, 100), (100_000, 20)])
def test_what_waits_for_a_busy_object_arrives_in_order_when_it_goes_on(
    runtime, open_server, path, size, count
):
    server = open_server(held_bytes=20_000)

    async def main():
        client = await connect(server, path)
        sizes = [size + n for n in range(count)]
        left = client.say(b"".join(frame(2, b"x" * n) for n in sizes))
        for _ in range(20):
            left = client.say(left)
            await steps(5)
        assert not client.line.reading
        object_ = kernel_of(runtime).actor_of("STUCK/a").instance.object
        assert len(object_.heard) < count
        server.sweep()
        object_.go_on.set()
        for _ in range(1_000):
            left = client.say(left)
            await steps(1)
        assert object_.heard == sizes
        assert client.line.reading
        client.leave()
        await steps(5)

    runtime.run(main())


def test_a_client_that_is_not_read_is_not_taken_to_be_silent(runtime, open_server):
    server = open_server(held_bytes=1_000, ping_ms=5_000)

    async def main():
        client = await connect(server, "/STUCK/a")
        client.say(frame(1, b"x" * 900) * 20)
        await steps(20)
        assert not client.line.reading
        await swept(server, 25)
        assert not client.line.closed
        kernel_of(runtime).actor_of("STUCK/a").instance.object.go_on.set()
        await steps(100)
        assert client.line.reading
        await swept(server, 6)
        assert frames(client.heard) == [(9, b"")]
        await swept(server, 6)
        assert client.line.closed
        await steps(5)

    runtime.run(main())


@pytest.mark.parametrize(("size", "alive"), [(1, False), (255, False), (256, True)])
def test_what_an_object_says_has_to_be_read(runtime, open_server, size, alive):
    server = open_server()

    async def main():
        server.sweep()
        client, other = await connect(server, deaf=True), await connect(server)
        other.say(frame(2, b"x" * 5_000))
        for _ in range(5):
            await swept(server, 25)
            client.say(frame(10, b""))
            other.say(frame(10, b""))
            if not client.line.gone:
                client.line.read(size)
        assert client.line.gone != alive
        for one in (client, other):
            one.leave()
        await steps(5)

    runtime.run(main())


def test_others_have_their_turn_while_one_is_read(runtime, open_server):
    """A large read is taken apart: so many frames a step, and another client's in between."""
    server = open_server(held_bytes=100_000_000)

    async def main():
        noisy, other = await connect(server, "/HALL/a"), await connect(server, "/HALL/b")
        left = noisy.say(frame(1, b"") * (READ_BYTES // 6))
        other.say(frame(1, b"hello"))
        await until(lambda: frames(other.heard) == [(1, b"hello")], STEPS)
        assert len(noisy.heard) < 2 * STEPS * (FRAMES_A_STEP + 700)
        assert not left
        await until(lambda: len(noisy.heard) == 2 * (READ_BYTES // 6), 2_000)
        for one in (noisy, other):
            one.leave()
        await steps(5)

    runtime.run(main())


@pytest.mark.parametrize("size", [0, 1, 300, 2_040, 5_000, 9_000])
def test_what_comes_in_one_read_is_read_once(runtime, open_server, size):
    server = open_server()

    async def main():
        client = await connect(server)
        for count in (1, 2, 3, 7, 200):
            client.line.heard.clear()
            payloads = [b"%d" % n + b"x" * size for n in range(count)]
            left = client.say(b"".join(frame(2, payload) for payload in payloads))
            for _ in range(100):
                left = client.say(left)
                await steps(1)
            assert frames(client.heard) == [(2, payload) for payload in payloads]
        client.leave()
        await steps(5)

    runtime.run(main())


def test_all_of_it_at_once_and_a_client_that_behaves_is_answered(runtime, open_server):
    from .test_limits import ATTACKS

    server = open_server(message_bytes=1_000_000)

    async def main():
        clients = []
        for start, again, _ in ATTACKS.values():
            clients.append((Client(server, deaf=True), start, again))
        for again, path, _ in FLOODS.values():
            client = await connect(server, path, deaf=True)
            clients.append((client, b"", again))
        for client, start, _ in clients:
            client.say(start)
        for _ in range(5):
            for client, _, again in clients:
                client.say(again * (20_000 // len(again) or 1))
            await well_served(server)
        for client, _, _ in clients:
            client.leave()
        await steps(20)
        await asyncio.sleep(1)

    runtime.run(main())
    assert server.clients == 0
