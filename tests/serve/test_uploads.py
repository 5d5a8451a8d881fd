"""Bodies that come slowly: read as they come, by whoever reads them, and not at all if nobody does."""

import contextlib

import pytest

from dobook.runtime.access import kernel_of
from dobook.serve.settings import Limits

HEAD = "POST /ODD/a/{what} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
AGAIN = "GET /ODD/a/unread HTTP/1.1\r\nHost: localhost\r\n\r\n"


def head(what, more=CHUNKED):
    return HEAD.format(what=what, more=more)


def chunk(text):
    return f"{len(text):x}\r\n{text}\r\n"


def heard(connection, text, until=b""):
    """Returns all that was heard until a text was."""
    while text not in until:
        part = connection.hear()
        assert part, until
        until += part
    return until


def test_a_handler_reads_a_body_as_it_comes(raw):
    client = raw().say(head("pieces")).say(chunk("one"))
    until = heard(client, b"<one>")
    client.say(chunk("two"))
    until = heard(client, b"<two>", until)
    client.say(chunk("three") + "0\r\n\r\n")
    assert heard(client, b"0\r\n\r\n", until).count(b"<") == 3
    assert client.say(AGAIN).answer() == (200, b"not interested")


@pytest.mark.parametrize("more", [CHUNKED, "Content-Length: 6\r\n"])
@pytest.mark.parametrize("what", ["unread", "first"])
def test_an_answer_does_not_wait_for_the_rest_and_the_next_request_does(raw, what, more):
    parts = [chunk("one"), chunk("two") + "0\r\n\r\n"] if more == CHUNKED else ["one", "two"]
    client = raw().say(head(what, more)).say(parts[0])
    assert client.answer() == (200, b"one" if what == "first" else b"not interested")
    client.say(parts[1] + AGAIN)
    assert client.answer() == (200, b"not interested")


def test_a_body_is_passed_on_to_another_object_as_it_comes(raw):
    client = raw().say(head("passed_on")).say(chunk("one"))
    client.say(chunk("two") + "0\r\n\r\n")
    assert client.answer() == (200, b"6")


def test_a_client_that_is_faster_than_its_reader_waits(raw, runtime):
    total = 40_000_000
    client = raw().say(head("length", f"Content-Length: {total}\r\nX-Slow: yes\r\n"))
    client.socket.settimeout(0.5)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < total:
            sent += client.socket.send(b"x" * 65536)
    assert sent < total
    client.socket.settimeout(10)
    with kernel_of(runtime).driver.held:
        odd = kernel_of(runtime).actor_of("ODD/a").instance.object
        kernel_of(runtime).loop.call_soon(odd.go_on.set)
    client.say(b"x" * (total - sent))
    assert client.answer() == (200, str(total).encode())


@pytest.mark.parametrize("end", ["hang up", "nonsense"])
def test_a_body_that_breaks_off_fails_where_it_is_read(raw, end):
    client = raw().say(head("pieces")).say(chunk("one"))
    until = heard(client, b"<one>")
    if end == "nonsense":
        client.say("no chunk\r\n")
        assert b"0\r\n\r\n" not in until + client.hear_all()  # it was not whole
    else:
        client.close()
    assert raw().say(AGAIN).answer() == (200, b"not interested")


def test_a_body_without_end_is_refused_at_the_limit(serving, raw):
    server = serving(limits=Limits(body_bytes=1_000))
    client = raw(server).say(head("pieces")).say(chunk("x" * 900))
    until = heard(client, b"x" * 900 + b">")
    client.say(chunk("y" * 900))
    assert b"0\r\n\r\n" not in until + client.hear_all()
    client = raw(server).say(head("length") + chunk("x" * 900) + chunk("x" * 900))
    status, body = client.answer()
    assert (status, b"longer than 1000 bytes" in body) == (413, True)
