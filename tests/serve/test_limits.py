"""Hostile clients of HTTP: what they make the server hold is bounded, and others are answered."""

import pytest

from dobook.serve import Limits, Server
from dobook.serve.limits import MOST_WAITING, REQUEST_BYTES, SLICE_BYTES

from .hostile import HIGH_WATER, READ_BYTES, Client, steps, swept, well_served
from .objects import ALL

GET = b"GET /COUNTER/a HTTP/1.1\r\nHost: localhost\r\n\r\n"
SLOW = b"GET /ODD/slow/waits HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /ECHO/a HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
UNREAD = b"POST /ODD/slow/waits HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"

ENOUGH = 4_000_000  # bytes that an attacker would like to send


@pytest.fixture
def open_server(runtime):
    for cls in ALL:
        runtime.register(cls)
    return lambda **limits: Server(runtime, limits=Limits(**limits))


async def attack(server, client, start, again, *, piece=READ_BYTES):
    """Sends a beginning, and then the same for ever; until nothing more is taken."""
    left = client.say(start)
    block = again * (piece // len(again) or 1)
    while not client.line.closed and client.taken < ENOUGH:
        if not client.line.reading:
            await steps(5)
            if not client.line.reading:
                break
        left = client.say(left or block)
        await steps(1)
    await well_served(server)
    await well_served(server)
    assert client.held <= client.most


# The attack, what it begins with, what it repeats, the status; None if it is made to wait.
ATTACKS = {
    "an endless request line": (b"GET /", b"a", 431),
    "an endless header": (GET[:-2] + b"X: ", b"a", 431),
    "an endless header name": (GET[:-2], b"a", 431),
    "endless headers": (GET[:-2], b"a:\r\n", 431),
    "the same header again": (GET[:-2], b"cookie: a=1\r\n", 431),
    "endless empty lines": (b"", b"\r\n", 431),
    "an endless chunk extension": (CHUNKED + b"1;", b"a", 413),
    "endless chunk extensions": (CHUNKED, b"1;" + b"a" * 1_000 + b"\r\nx\r\n", 413),
    "an endless value of an extension": (CHUNKED + b'1;a="', b"a", 413),
    "an endless size of a chunk": (CHUNKED, b"0", 413),
    "an endless trailer": (CHUNKED + b"0\r\nX: ", b"a", 431),
    "an endless name of a trailer": (CHUNKED + b"0\r\n", b"a", 431),
    "endless trailers": (CHUNKED + b"0\r\n", b"a: b\r\n", 431),
    "long trailers": (CHUNKED + b"0\r\n", b"a: " + b"b" * 2_000 + b"\r\n", 431),
    "an endless body": (CHUNKED, b"8\r\n12345678\r\n", 413),
    "an endless body in large chunks": (CHUNKED, b"1000\r\n" + b"x" * 4096 + b"\r\n", 413),
    "nonsense": (b"", b"\x16\x03\x01", 400),
    "a body that nobody reads": (UNREAD, b"2000\r\n" + b"x" * 8192 + b"\r\n", None),
    "a body that nobody reads, in bytes": (UNREAD, b"1\r\nx\r\n", None),
    "requests behind a slow one": (SLOW, GET, None),
    "bodies behind a slow request": (
        SLOW,
        POST + b"Content-Length: 900000\r\n\r\n" + b"x" * 900_000,
        None,
    ),
    "small bodies behind a slow request": (
        SLOW,
        POST + b"Content-Length: 8000\r\n\r\n" + b"x" * 8_000,
        None,
    ),
    "a body in chunks behind a slow request": (SLOW + CHUNKED, b"1\r\nx\r\n", None),
    "an extension behind a slow request": (SLOW + CHUNKED + b"1;", b"a", None),
    "trailers behind a slow request": (SLOW + CHUNKED + b"0\r\n", b"a: b\r\n", None),
    "a WebSocket before it is open": (
        SLOW[:-2] + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        b"\x81\x80\x00\x00\x00\x00",
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("piece", [READ_BYTES, 7_001])
@pytest.mark.parametrize("what", ATTACKS)
def test_no_client_makes_its_connection_hold_much(runtime, open_server, what, piece):
    start, again, status = ATTACKS[what]
    limits = Limits(body_bytes=1_000_000)
    server = open_server(body_bytes=1_000_000)

    async def main():
        client = Client(server)
        await attack(server, client, start, again, piece=piece)
        # What has been read at once, the head that it is a part of, and what may wait.
        most = 2 * READ_BYTES + limits.head_bytes + limits.held_bytes + 2 * SLICE_BYTES
        most += (MOST_WAITING + SLICE_BYTES // len(GET)) * REQUEST_BYTES
        assert client.most <= most
        if status is None:
            assert client.statuses == []
            assert client.taken < ENOUGH or client.line.closed
        else:
            assert client.statuses[-1] == status
            assert client.line.closed
        client.leave()
        await steps(3)

    runtime.run(main())
    assert server.clients == 0


def test_answers_that_nobody_reads_keep_further_ones_from_being_made(runtime, open_server):
    """An endless stream, and pipelined requests: what waits is one answer and the high water."""
    server = open_server()

    async def main():
        client = Client(server, deaf=True)
        left = b"GET /ODD/a/endless HTTP/1.1\r\nHost: localhost\r\n\r\n" + GET * 10_000
        for _ in range(100):
            left = client.say(left)
            await steps(3)
        assert not client.line.reading
        assert client.line.most <= HIGH_WATER + 2 * READ_BYTES
        await well_served(server)
        client.leave()
        await steps(5)

        client = Client(server, deaf=True)
        large = b"GET /ECHO/" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
        left = large * 1_000
        for _ in range(300):
            left = client.say(left)
            await steps(2)
        assert not client.line.reading
        assert client.line.most < 2 * HIGH_WATER
        await well_served(server)
        # It reads after all: everything is answered, in order.
        client.line.deaf = False
        client.line.read()
        while left or client.statuses.count(200) < 1_000:
            left = client.say(left)
            await steps(1)
        client.leave()
        await steps(3)

    runtime.run(main())


# ---------------------------------------------------------------------- both sides of each edge


def chunk(text, extension=b""):
    return b"%x%b\r\n%b\r\n" % (len(text), extension, text)


def framed(size):
    """A body whose bytes besides content are so many, in an extension."""
    return CHUNKED + chunk(b"x", b";" + b"a" * (size - 6)) + b"0\r\n\r\n"


def trailers(count):
    return CHUNKED + b"0\r\n" + b"a: b\r\n" * count + b"\r\n"


def headers(count):
    return b"GET /COUNTER/a HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * (count - 1) + b"\r\n"


def target(size):
    return b"GET /COUNTER/" + b"a" * (size - 9) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"


def query(size):
    return b"GET /COUNTER/a?" + b"a" * (size - 11) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"


def head(size):
    start = b"GET /COUNTER/a HTTP/1.1\r\nHost: localhost\r\nX: "
    return start + b"a" * (size - len(start) - 4) + b"\r\n\r\n"


def name(size):
    start = b"GET /COUNTER/a HTTP/1.1\r\nHost: localhost\r\n"
    return start + b"a" * (size - len(start) - 7) + b": b\r\n\r\n"


def body(size):
    return POST + b"Content-Length: %d\r\n\r\n" % size + b"x" * size


def chunked(size):
    return CHUNKED + chunk(b"x" * size) + b"0\r\n\r\n"


EDGES = {
    "headers": ("headers", headers, 20, 20, 21, 431),
    "trailers": ("headers", trailers, 20, 20, 21, 431),
    "bytes of a head": ("head_bytes", head, 20_000, 20_000, 20_001 + SLICE_BYTES, 431),
    "bytes of a header's name": ("head_bytes", name, 20_000, 20_000, 20_001 + SLICE_BYTES, 431),
    "bytes of a path": ("url_bytes", target, 500, 500, 501, 414),
    "bytes of a query": ("url_bytes", query, 500, 500, 501, 414),
    "bytes of an extension": ("framing_bytes", framed, 20_000, 20_000, 20_001 + 2 * SLICE_BYTES, 413),
    "bytes of a body": ("body_bytes", body, 1_000, 1_000, 1_001, 413),
    "bytes of a body in chunks": ("body_bytes", chunked, 1_000, 1_000, 1_001, 413),
}  # fmt: skip


@pytest.mark.parametrize("piece", [1, 100, READ_BYTES])
@pytest.mark.parametrize("what", EDGES)
def test_a_limit_lets_what_is_allowed_through_and_no_more(runtime, open_server, what, piece):
    limit, make, value, most, more, status = EDGES[what]
    server = open_server(**{limit: value})

    async def ask(data):
        client = Client(server)
        for at in range(0, len(data), piece):
            client.say(data[at : at + piece])
        await steps(20)
        told = client.statuses
        client.leave()
        await steps(3)
        return told

    async def main():
        assert await ask(make(most)) == [200]
        assert await ask(make(more)) == [status]

    runtime.run(main())


def test_a_head_that_comes_byte_by_byte_is_copied_a_few_times_only(
    runtime, open_server, monkeypatch
):
    """The parser copies a header when it gets more of it: it gets pieces that double."""
    import httptools

    fed = []

    class Counting(httptools.HttpRequestParser):
        def feed_data(self, data):
            fed.append(len(data))
            return super().feed_data(data)

    monkeypatch.setattr(httptools, "HttpRequestParser", Counting)
    server = open_server()

    async def main():
        client = Client(server)
        data = head(100_000)
        for byte in data:
            client.say(bytes([byte]))
        await steps(20)
        assert client.statuses == [200]
        assert sum(fed) == len(data)
        assert len(fed) < 14 + len(data) // SLICE_BYTES + 2
        client.leave()
        await steps(3)

    runtime.run(main())


def test_a_request_line_of_a_cached_head_does_not_complete_another(runtime, open_server):
    """What looks like a request that was seen before may be the middle of another one."""
    server = open_server()

    async def main():
        client = Client(server)
        client.say(GET)
        await steps(20)
        client.say(GET + b"POST /ECHO/a HTTP/1.1\r\nHost: localhost\r\nX: ")
        await steps(20)
        client.say(GET)  # a header's value, and then more headers
        await steps(20)
        assert client.statuses in ([200, 200, 400], [200, 200, 200])
        assert client.heard.count(b"\r\n\r\n3") == 0  # the counter was not asked a third time
        client.leave()
        await steps(3)

    runtime.run(main())


def test_what_waits_is_answered_in_order_when_its_turn_comes(runtime, open_server):
    server = open_server(held_bytes=5_000)

    async def main():
        client = Client(server)
        sizes = [0, 10, 100_000, 1, 0, 50_000, 3]
        left = SLOW + b"".join(body(size) for size in sizes)
        left = client.say(left)
        await steps(20)
        assert client.statuses == []
        other = Client(server)
        other.say(b"GET /ODD/slow/goes HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in range(200):
            left = client.say(left)
            await steps(1)
        assert client.statuses == [200] * (1 + len(sizes))
        told = [len(part.partition(b'"')[0]) // 2 for part in client.heard.split(b'"body": "')[1:]]
        assert told == sizes
        for one in (client, other):
            one.leave()
        await steps(3)

    runtime.run(main())


@pytest.mark.parametrize("end", ["keep-alive", "close"])
def test_a_connection_is_read_again_after_a_large_body(runtime, open_server, end):
    """A body that was complete while its reader was behind must not leave the client unread."""
    server = open_server(held_bytes=1_000)

    async def main():
        client = Client(server)
        left = body(20_000) + body(3).replace(
            b"\r\n\r\n", f"\r\nConnection: {end}\r\n\r\n".encode(), 1
        )
        for _ in range(100):
            left = client.say(left)
            await steps(1)
        assert client.statuses == [200, 200]
        assert client.line.closed == (end == "close")
        client.leave()
        await steps(3)

    runtime.run(main())


# ---------------------------------------------------------------------- slow clients


@pytest.mark.parametrize(("size", "alive"), [(1, False), (200, False), (256, True), (1_000, True)])
def test_a_body_has_to_get_on(runtime, open_server, size, alive):
    """256 bytes in 30 seconds are enough; a byte now and then is not."""
    server = open_server()

    async def main():
        server.sweep()
        client = Client(server)
        client.say(POST + b"Content-Length: 100000\r\n\r\n")
        for _ in range(5):
            await swept(server, 29)
            client.say(b"x" * size)
        assert client.line.closed != alive
        if not alive:
            assert client.statuses == [408]
        await well_served(server)
        client.leave()
        await steps(3)

    runtime.run(main())


@pytest.mark.parametrize("declared", [b"Content-Length: 100000", b"Transfer-Encoding: chunked"])
def test_a_body_that_was_announced_and_never_comes_is_not_waited_for(
    runtime, open_server, declared
):
    server = open_server()

    async def main():
        server.sweep()
        client = Client(server)
        client.say(POST + b"Expect: 100-continue\r\n" + declared + b"\r\n\r\n")
        await swept(server, 29)
        assert client.statuses == [100]
        await swept(server, 3)
        assert client.statuses == [100, 408]
        assert client.line.closed
        await steps(3)

    runtime.run(main())


@pytest.mark.parametrize(("size", "alive"), [(1, False), (255, False), (256, True), (5_000, True)])
@pytest.mark.parametrize("closing", [False, True])
def test_an_answer_has_to_be_read(runtime, open_server, size, alive, closing):
    """Whether asyncio has noticed that the client is slow, or it is too little for that."""
    server = open_server()

    async def main():
        server.sweep()
        client = Client(server, deaf=True)
        if closing:
            client.say(body(20_000).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        else:
            client.say(b"GET /ODD/a/endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await steps(20)
        for _ in range(5):
            await swept(server, 29)
            if not client.line.gone:
                client.line.read(size)
        assert client.line.gone != alive
        client.leave()
        await steps(3)

    runtime.run(main())


AFTER = {
    "too much": (chunk(b"x" * 900), True),
    "nonsense": (b"nonsense", True),
    "an extension": (b"1;" + b"a" * 40_000, True),
    "its end": (chunk(b"x") + b"0\r\n\r\n", False),
    "the end of all": (None, True),
}


@pytest.mark.parametrize("what", AFTER)
def test_the_rest_of_a_body_whose_answer_is_there_ends_the_connection_if_it_is_wrong(
    runtime, open_server, what
):
    data, over = AFTER[what]
    server = open_server(body_bytes=1_000)

    async def main():
        client = Client(server)
        client.say(b"POST /ODD/a/unread HTTP/1.1\r\nHost: localhost\r\n")
        client.say(b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"x" * 200))
        await steps(20)
        assert client.statuses == [200]
        if data is not None:
            client.say(data)
        elif not client.line.protocol.eof_received():
            client.line.close()
        await steps(20)
        assert client.statuses == [200]
        assert client.line.closed == over
        if not over:
            client.say(GET)
            await steps(20)
            assert client.statuses == [200, 200]
        client.leave()
        await steps(3)

    runtime.run(main())
    assert server.clients == 0


def test_heads_and_silence_have_an_end(runtime, open_server):
    server = open_server()

    async def main():
        server.sweep()
        new, slow, second, idle = (Client(server) for _ in range(4))
        slow.say(b"GET /")
        second.say(GET + GET[:10])  # the second head begins with the first
        idle.say(GET)
        await swept(server, 9)
        assert not any(one.line.closed for one in (new, slow, second, idle))
        slow.say(b"a")
        await swept(server, 4)
        assert new.line.closed
        assert slow.statuses == [408]
        assert second.statuses == [200, 408]
        await swept(server, 60)
        assert not idle.line.closed
        await swept(server, 5)
        assert idle.line.closed
        await steps(3)

    runtime.run(main())


# ---------------------------------------------------------------------- odd requests


ODD = {
    "an unknown method": (b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "CONNECT": (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400),
    "a length and chunks": (
        POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "a length below zero": (POST + b"Content-Length: -1\r\n\r\n", 400),
    "a length beyond all": (POST + b"Content-Length: 99999999999999999999\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "a bare line feed": (b"GET / HTTP/1.1\nHost: localhost\n\n", 400),
    "a folded header": (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n", 400),
    "a NUL": (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n", 400),
}  # fmt: skip


@pytest.mark.parametrize("what", ODD)
def test_an_odd_request_is_refused(runtime, open_server, what):
    data, status = ODD[what]
    server = open_server()

    async def main():
        client = Client(server)
        client.say(data)
        await steps(20)
        assert client.statuses == [status]
        assert runtime.objects() == []
        client.leave()
        await steps(3)

    runtime.run(main())


def test_a_flood_of_expectations_is_answered_one_by_one(runtime, open_server):
    server = open_server()

    async def main():
        client = Client(server, deaf=True)
        ask = POST + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"
        left = (ask + b"x") * 20_000
        for _ in range(200):
            left = client.say(left)
            await steps(2)
        assert client.line.most < 2 * HIGH_WATER
        assert not client.line.reading
        await well_served(server)
        client.leave()
        await steps(3)

    runtime.run(main())


@pytest.mark.parametrize("end", [b"HTTP/1.0\r\n", b"HTTP/1.1\r\nConnection: close\r\n"])
def test_nothing_is_answered_after_the_last_request(runtime, open_server, end):
    server = open_server()

    async def main():
        client = Client(server)
        client.say(b"GET /COUNTER/a " + end + b"Host: localhost\r\n\r\n" + GET * 100)
        await steps(20)
        assert client.statuses in ([200], [200, 400])
        assert client.line.closed
        assert runtime.objects()[0].requests == 1
        await steps(3)

    runtime.run(main())


def test_no_more_heads_are_kept_than_have_room(runtime, open_server, monkeypatch):
    monkeypatch.setattr("dobook.serve.server.CACHE_BYTES", 50_000)
    server = open_server()

    async def main():
        client = Client(server)
        for n in range(200):
            client.say(GET.replace(b"\r\n\r\n", b"\r\nX: %d\r\n\r\n" % n))
            await steps(10)
            assert sum(3 * len(data) + 1_024 for _, data in server.heads) <= 50_000
        assert client.statuses == [200] * 200
        assert server.heads
        client.leave()
        await steps(3)

    runtime.run(main())


def test_fewer_connections_are_taken_than_files_can_be_opened(runtime, serving, monkeypatch):
    monkeypatch.setattr("dobook.serve.server.open_files", lambda: 1)
    server = serving()

    async def main():
        one, two = Client(server), Client(server)
        await steps(2)
        assert two.statuses == [503]
        one.say(GET)
        await steps(20)
        assert one.statuses == [200]
        one.leave()
        await steps(3)

    runtime.run(main())
