"""Nonsense from clients: the server answers or hangs up, blames no object, and keeps nothing."""

import asyncio
import contextlib
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dobook import Runtime
from dobook.serve import Server

from .objects import Counter, Echo, Hall
from .speaking import HANDSHAKE, frame

GOOD = b"GET /COUNTER/good HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
OWN = {501, 503}  # what the server says by itself


@pytest.fixture(scope="module")
def served():
    with Runtime() as runtime:
        for cls in (Counter, Echo, Hall):
            runtime.register(cls)
        with Server(runtime, port=0) as server:
            yield server


def ask(server, data, *, cuts=()):
    """Sends bytes, says that no more will come, and returns what is answered."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        at = 0
        try:
            for cut in (*cuts, len(data)):
                client.sendall(data[at : at + cut])
                at += cut
            with contextlib.suppress(OSError):  # the server has hung up already
                client.shutdown(socket.SHUT_WR)
            parts = []
            while part := client.recv(65_536):
                parts.append(part)
        except (ConnectionResetError, BrokenPipeError):  # a timeout is a server that hangs
            return b""
    return b"".join(parts)


def check(server, told):
    for line in told.split(b"\r\n"):
        if line.startswith(b"HTTP/1.1 "):
            status = int(line.split()[1])
            assert status < 500 or status in OWN, line
    assert ask(server, GOOD).startswith(b"HTTP/1.1 200")


@pytest.fixture(autouse=True)
def _nothing_is_kept(served):
    yield

    async def gone():
        async with asyncio.timeout(5):
            while served.clients:  # noqa: ASYNC110 - a test looks from outside
                await asyncio.sleep(0.002)

    served.runtime.run(gone())


token = st.text("abcXYZ0123456789-_!#$%&'*+.^`|~", min_size=1, max_size=12)
value = st.one_of(
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=30),
    st.sampled_from(["chunked", "close", "keep-alive", "100-continue", "websocket", "h2c", "0", "5",
                     "-1", "99999999999999999999", "localhost", "gzip, chunked", "Upgrade"]),
)  # fmt: skip
name = st.one_of(
    token,
    st.sampled_from(["Content-Length", "Transfer-Encoding", "Connection", "Host", "Upgrade",
                     "Expect", "Cookie", "Origin", *HANDSHAKE]),
)  # fmt: skip
target = st.one_of(
    st.text(st.characters(codec="latin-1"), max_size=30).map(lambda t: "/ECHO/" + t),
    st.sampled_from(["/", "*", "", "//", "/ECHO/a", "/HALL/a", "/COUNTER/%00", "/ECHO/%zz",
                     "http://localhost/ECHO/a", "http://[", "/_dobook/chat/x/y", "/ECHO/a?\u00ff",
                     "/ECHO/a#b", "/ECHO/../COUNTER/a", "localhost:80"]),
)  # fmt: skip
method = st.one_of(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE", "CONNECT", "TRACE", "PRI"]),
    token,
)
requests = st.builds(
    lambda method, target, version, headers, end, body: (
        (
            f"{method} {target} HTTP/{version}\r\n"
            + "".join(f"{n}: {v}\r\n" for n, v in headers)
            + f"{end}\r\n"
        ).encode("latin-1", "replace")
        + body
    ),
    method,
    target,
    st.sampled_from(["1.1", "1.0", "2.0", "0.9", "9"]),
    st.lists(st.tuples(name, value), max_size=6).map(lambda h: [("Host", "localhost"), *h]),
    st.sampled_from(["", "", "", " folded\r\n", "no colon\r\n", ": no name\r\n"]),
    st.binary(max_size=60),
)
FUZZ = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.slow
@pytest.mark.timeout(120)
@FUZZ
@given(st.lists(requests, min_size=1, max_size=3), st.lists(st.integers(1, 40), max_size=4))
def test_requests_that_are_nearly_right(served, several, cuts):
    check(served, ask(served, b"".join(several), cuts=cuts))


@pytest.mark.slow
@pytest.mark.timeout(120)
@FUZZ
@given(st.binary(max_size=200))
def test_bytes_that_are_no_requests(served, data):
    check(served, ask(served, data))


@pytest.mark.slow
@pytest.mark.timeout(120)
@FUZZ
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.builds(
                frame,
                st.integers(0, 15),
                st.binary(max_size=150),
                fin=st.booleans(),
                rsv=st.sampled_from([0, 0, 0, 0, 1, 4]),
                masked=st.sampled_from([True, True, True, False]),
            ),
        ),
        max_size=6,
    )
)
def test_frames_that_are_nearly_right(served, frames):
    lines = [f"{n}: {v}" for n, v in HANDSHAKE.items()]
    shake = ("\r\n".join(["GET /HALL/a HTTP/1.1", *lines]) + "\r\n\r\n").encode()
    told = ask(served, shake + b"".join(frames))
    assert told.startswith(b"HTTP/1.1 101") or told == b""
    check(served, b"")
