"""Frames as bytes: what a client may send, in whatever pieces it comes, and what it may not."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dobook.runtime.sockets.transport import Close
from dobook.serve.frames import (
    FrameError,
    FrameReader,
    Ping,
    Pong,
    close_frame,
    message_frame,
    ping_frame,
    pong_frame,
)

from .speaking import frame

LIMIT = 1_000


def read(*pieces, limit=LIMIT):
    reader = FrameReader(limit)
    return [item for piece in pieces for item in reader.feed(piece)]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536])
@pytest.mark.parametrize("kind", [str, bytes])
def test_a_message_of_every_length_form_is_read(size, kind):
    message = "x" * size if kind is str else b"\x00" * size
    payload = message.encode() if kind is str else message
    assert read(frame(1 if kind is str else 2, payload), limit=70_000) == [message]


FRAMES = st.lists(
    st.one_of(
        st.text(max_size=40).map(lambda t: ([frame(1, t.encode())], t)),
        st.binary(max_size=200).map(lambda b: ([frame(2, b)], b)),
        st.binary(max_size=125).map(lambda b: ([frame(9, b)], Ping(b))),
        st.binary(max_size=125).map(lambda b: ([frame(10, b)], Pong(b))),
        st.tuples(st.text(max_size=20), st.text(max_size=20), st.binary(max_size=9)).map(
            lambda t: (
                [
                    frame(1, t[0].encode(), fin=False),
                    frame(9, t[2]),
                    frame(0, t[1].encode()),
                ],
                [Ping(t[2]), t[0] + t[1]],
            )
        ),
    ),
    max_size=6,
)


@given(FRAMES, st.lists(st.integers(1, 50), max_size=30))
def test_frames_are_the_same_in_whatever_pieces_they_come(frames, cuts):
    data = b"".join(part for parts, _ in frames for part in parts)
    expected = []
    for _, items in frames:
        expected += items if isinstance(items, list) else [items]
    reader, got, at = FrameReader(LIMIT), [], 0
    for size in cuts:
        got += reader.feed(data[at : at + size])
        at += size
    got += reader.feed(data[at:])
    assert got == expected


@given(st.binary(max_size=300))
def test_no_bytes_do_more_harm_than_an_error(data):
    with contextlib.suppress(FrameError):
        FrameReader(LIMIT).feed(data)


def test_a_character_may_be_cut_in_two_by_fragments():
    half, rest = "ü".encode()[:1], "ü".encode()[1:]
    assert read(frame(1, half, fin=False), frame(0, rest)) == ["ü"]


BROKEN = {
    "a reserved bit": (frame(1, b"x", rsv=1), 1002),
    "compression that was not agreed on": (frame(1, b"x", rsv=4), 1002),
    "no mask": (frame(1, b"x", masked=False), 1002),
    "an unknown opcode": (frame(3, b"x"), 1002),
    "an unknown control opcode": (frame(11, b"x"), 1002),
    "a ping in fragments": (frame(9, b"x", fin=False), 1002),
    "a long ping": (frame(9, b"x" * 126), 1002),
    "an end without a beginning": (frame(0, b"x"), 1002),
    "a second beginning": (frame(1, b"x", fin=False) + frame(1, b"y"), 1002),
    "text that is no UTF-8": (frame(1, b"\xff"), 1007),
    "a surrogate": (frame(1, b"\xed\xa0\x80"), 1007),
    "text that ends in a character": (frame(1, "ü".encode()[:1]), 1007),
    "a fragment that is no UTF-8": (frame(1, b"ok", fin=False) + frame(0, b"\xc0\x80"), 1007),
    "a message that is too large": (frame(2, b"x" * (LIMIT + 1)), 1009),
    "fragments that are too large": (
        frame(2, b"x" * 600, fin=False) + frame(0, b"x" * 401),
        1009,
    ),
    "a close with half a code": (frame(8, b"\x03"), 1002),
    "a close with a code of nobody": (frame(8, (999).to_bytes(2, "big")), 1002),
    "a close with a code that is never sent": (frame(8, (1006).to_bytes(2, "big")), 1002),
    "a close whose reason is no UTF-8": (frame(8, (1000).to_bytes(2, "big") + b"\xff"), 1007),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_no_client_may_send_is_refused(what):
    data, code = BROKEN[what]
    with pytest.raises(FrameError) as caught:
        read(data)
    assert caught.value.code == code
    assert caught.value.text


def test_what_came_in_good_order_before_an_error_is_not_lost():
    with pytest.raises(FrameError) as caught:
        read(frame(1, b"one") + frame(9, b"two") + frame(3, b""))
    assert caught.value.items == ["one", Ping(b"two")]


def test_a_size_is_refused_before_its_bytes_have_come():
    with pytest.raises(FrameError, match=r"too large: 4294967296 > 1000"):
        read(frame(2, b"x" * 10)[:1] + b"\xff" + (1 << 32).to_bytes(8, "big"))


def test_nothing_counts_after_a_close():
    assert read(frame(8, (4000).to_bytes(2, "big") + b"bye") + frame(1, b"x")) == [
        Close(4000, "bye")
    ]
    assert read(frame(8, b"")) == [Close(1005, "")]


def test_frames_of_the_server_are_not_masked():
    assert message_frame("hi") == b"\x81\x02hi"
    assert message_frame(b"\x00" * 200)[:4] == b"\x82\x7e\x00\xc8"
    assert message_frame("x" * 70_000)[:10] == b"\x81\x7f" + (70_000).to_bytes(8, "big")
    assert ping_frame(b"a") == b"\x89\x01a"
    assert pong_frame(b"a") == b"\x8a\x01a"
    assert close_frame(Close(1005, "")) == b"\x88\x00"
    assert close_frame(Close(4000, "ü" * 100))[1] <= 125
