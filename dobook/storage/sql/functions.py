"""SQL functions that the real engine's SQLite has and older ones lack.

Owns `octet_length`, `concat`, `concat_ws`, `unhex` and `string_agg` for SQLite before 3.44.
The JSONB functions and `timediff` need that SQLite itself.
Source: sqlite.org/lang_corefunc.html, sqlite.org/lang_aggfunc.html
"""

from typing import Any, Final, Protocol

from dobook.storage.connection import SQLITE_VERSION

COMPLETE_SINCE: Final = (3, 44)


class Database(Protocol):
    """The part of `sqlite3.Connection` that takes functions."""

    def create_function(
        self, name: str, narg: int, func: Any, /, *, deterministic: bool = False
    ) -> None:
        """Make a scalar function known."""

    def create_aggregate(self, name: str, n_arg: int, aggregate_class: Any, /) -> None:
        """Make an aggregate function known."""


def add_newer_functions(db: Database) -> None:
    """Make the functions known that this SQLite lacks; none if it is new enough."""
    if SQLITE_VERSION >= COMPLETE_SINCE:
        return
    for name, count, function in (
        ("octet_length", 1, octet_length),
        ("concat", -1, concat),
        ("concat_ws", -1, concat_ws),
        ("unhex", 1, unhex),
        ("unhex", 2, unhex),
    ):
        db.create_function(name, count, function, deterministic=True)
    db.create_aggregate("string_agg", 2, StringAgg)


def text(value: Any) -> str:
    """Return a value cast to TEXT, NULL as the empty text."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else format_number(value)


def format_number(value: float) -> str:
    """Return a number as SQLite writes it: 15 significant digits, always with a point or exponent.

    Example:
        >>> format_number(3), format_number(2.0), format_number(1e300)
        ('3', '2.0', '1.0e+300')
    """
    if isinstance(value, int):
        return str(value)
    if value in (float("inf"), float("-inf")):
        return "Inf" if value > 0 else "-Inf"
    digits, mark, exponent = f"{value:.15g}".partition("e")
    return (digits if "." in digits else digits + ".0") + mark + exponent


def octet_length(value: Any) -> int | None:
    """Return the size of a value in bytes, numbers as text.

    Example:
        >>> octet_length("ž"), octet_length(b"abc"), octet_length(None)
        (2, 3, None)
    """
    if value is None:
        return None
    return len(value) if isinstance(value, bytes) else len(text(value).encode())


def concat(*values: Any) -> str:
    """Join values; NULL counts as the empty text.

    Example:
        >>> concat("a", None, 1)
        'a1'
    """
    if not values:
        raise ValueError("wrong number of arguments to function concat()")
    return "".join(map(text, values))


def concat_ws(separator: Any, *values: Any) -> str | None:
    """Join the values that are not NULL with a separator.

    Example:
        >>> concat_ws("-", 1, None, "x")
        '1-x'
    """
    return None if separator is None else text(separator).join(map(text, only(values)))


def only(values: tuple[Any, ...]) -> list[Any]:
    """Return the values that are not NULL."""
    return [v for v in values if v is not None]


def unhex(value: Any, ignored: Any = "") -> bytes | None:
    r"""Decode hexadecimal digits in pairs; anything else gives NULL.

    Example:
        >>> unhex("ff00"), unhex("ff-00", "-"), unhex("f")
        (b'\xff\x00', b'\xff\x00', None)
    """
    if value is None or ignored is None:
        return None
    pairs = text(value)
    skip = text(ignored)
    found = bytearray()
    at = 0
    while at < len(pairs):
        if pairs[at] in skip:
            at += 1
            continue
        try:
            found.append(int(digits(pairs[at : at + 2]), 16))
        except ValueError:
            return None
        at += 2
    return bytes(found)


def digits(pair: str) -> str:
    """Return a pair of hexadecimal digits.

    Raises:
        ValueError: If it is not one.
    """
    if len(pair) != 2 or not all(c in "0123456789abcdefABCDEF" for c in pair):
        raise ValueError(pair)
    return pair


class StringAgg:
    """`string_agg(value, separator)`: another name of `group_concat`."""

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def step(self, value: Any, separator: Any) -> None:
        """Add one row."""
        if value is None:
            return
        if self.pieces:
            self.pieces.append(text(separator))
        self.pieces.append(text(value))

    def finalize(self) -> str | None:
        """Return the joined text, NULL without rows."""
        return "".join(self.pieces) if self.pieces else None
