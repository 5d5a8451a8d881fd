"""What cannot be stored or sent is refused with the platform's words and a way out."""

import asyncio
import dataclasses
import decimal
import enum
import pathlib
import re
import uuid
from collections import UserDict
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, NamedTuple

import pytest

from dobook.codec import clone, deserialize, freeze, serialize
from dobook.errors import DataCloneError, PlatformTypeError, js_name

FUNCTIONS = [serialize, clone, freeze]


class Point(NamedTuple):
    x: int


class Color(enum.Enum):
    RED = 1


@dataclasses.dataclass
class User:
    name: str


class Counter:
    async def count(self) -> int:
        return 1

    def __repr__(self) -> str:
        return "<Counter>"


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError


class Table:
    def tolist(self) -> list[int]:
        return []

    def __repr__(self) -> str:
        return "Table"


def refusal(function: Callable[[Any], Any], value: object) -> str:
    with pytest.raises(DataCloneError) as caught:
        function(value)
    return str(caught.value)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: [v], lambda v: {"a": [{1: v}]}])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ((1, 2), "<class 'tuple'> cannot be sent over RPC."),
        (bytearray(b"a"), "<class 'bytearray'> cannot be sent over RPC."),
        (Point(1), f"{Point} cannot be sent over RPC."),
    ],
)
def test_tuples_and_bytearrays_are_refused_as_the_sdk_does(
    function: Callable[[Any], Any], wrap: Callable[[Any], Any], value: Any, message: str
) -> None:
    with pytest.raises(PlatformTypeError) as caught:
        function(wrap(value))
    first, cure = str(caught.value).splitlines()
    assert first == message
    assert cure.startswith("  Keep or send it as ")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_tuple_is_refused_as_key_and_as_member_of_a_set(function: Callable[[Any], Any]) -> None:
    for value in ({(1, 2): 3}, {(1, 2)}):
        with pytest.raises(TypeError, match="cannot be sent over RPC"):
            function(value)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (len, "<built-in function len> could not be cloned.\n  A function is not a value"),
        (User, f"{User!r} could not be cloned.\n  A class is not a value"),
        (User("Ada"), "User(name='Ada') could not be cloned.\n  Turn the User into a dict: dat"),
        (Counter(), "<Counter> could not be cloned.\n  Keep its data as a dict of plain values."),
        (Color.RED, "<Color.RED: 1> could not be cloned.\n  Keep its .value, or derive"),
        (timedelta(1), "datetime.timedelta(days=1) could not be cloned.\n  Keep its .total_sec"),
        (date(2026, 1, 1), "datetime.date(2026, 1, 1) could not be cloned.\n  Keep its .isofo"),
        (decimal.Decimal("1.5"), "Decimal('1.5') could not be cloned.\n  Keep the Decimal as te"),
        (uuid.UUID(int=0), "UUID('00000000-0000-0000-0000-000000000000') could not be cloned."),
        (pathlib.PurePosixPath("a"), "PurePosixPath('a') could not be cloned.\n  Keep the Pure"),
        (re.compile(b"a"), "re.compile(b'a') could not be cloned.\n  A pattern of bytes has no"),
        (range(3), "range(0, 3) could not be cloned.\n  Turn the range into a list: list(…)."),
        (UserDict(a=1), "{'a': 1} could not be cloned.\n  Turn the UserDict into a dict: dict("),
        (Table(), "Table could not be cloned.\n  Turn the Table into plain values first: .tol"),
        (1j, "1j could not be cloned.\n"),
        (Ellipsis, "Ellipsis could not be cloned.\n"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_first_line_is_the_platforms_and_the_second_says_what_to_do(
    function: Callable[[Any], Any], value: object, message: str
) -> None:
    assert refusal(function, value).startswith(message)
    assert refusal(function, {"a": [value]}).startswith(message)


def test_generators_and_iterators_are_refused() -> None:
    assert "into a list: list(…)" in refusal(serialize, (n for n in range(3)))
    assert "into a list: list(…)" in refusal(serialize, {"a": 1}.items())


def test_what_cannot_be_shown_is_refused_all_the_same() -> None:
    assert re.match(r"<.*Rude object> could not be cloned\.", refusal(serialize, Rude()))
    assert len(refusal(serialize, range).splitlines()[0]) < 230
    first_line = refusal(serialize, UserDict({"a": "x" * 5000})).splitlines()[0]
    assert first_line.endswith("x… could not be cloned.")
    assert len(first_line) < 230


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_forgotten_await_gets_its_lesson(function: Callable[[Any], Any]) -> None:
    coroutine = Counter().count()
    try:
        assert refusal(function, {"n": coroutine}) == (
            "Awaitable <class 'coroutine'> cannot be sent over RPC.\n"
            "  It was not awaited. Write:  await self.count()"
        )
    finally:
        coroutine.close()


async def test_a_future_is_refused_too() -> None:
    future = asyncio.get_running_loop().create_future()
    assert refusal(serialize, future) == (
        "Awaitable <class '_asyncio.Future'> cannot be sent over RPC.\n"
        "  It was not awaited. Write:  await …"
    )


def test_the_error_goes_by_the_platforms_name() -> None:
    with pytest.raises(TypeError) as caught:
        serialize(len)
    assert js_name(caught.value) == "DataCloneError"
    with pytest.raises(TypeError) as caught:
        serialize((1,))
    assert js_name(caught.value) == "TypeError"


def test_an_error_whose_text_fails_is_stored_without_it() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert str(deserialize(serialize(Mute()))) == ""


def test_a_refused_value_leaves_nothing_behind() -> None:
    value: dict[str, Any] = {"10": 1, "a": {"b": len}}
    with pytest.raises(DataCloneError):
        serialize(value)
    value["a"]["b"] = 2
    assert deserialize(serialize(value)) == value
