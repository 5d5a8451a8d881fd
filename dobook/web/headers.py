"""Headers as the platform has them, and their Python face.

Owns the rules of the JavaScript `Headers` class: case-insensitive names, combined values, sorted
iteration, checks. Never reads or writes HTTP itself.
Source: developers.cloudflare.com/workers/runtime-apis/headers/ and cloudflare/workerd
src/workerd/api/headers.c++
"""

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from dobook.errors import PlatformTypeError, misspelt
from dobook.web.text import js_string

if TYPE_CHECKING:
    from http.client import HTTPMessage

HeadersInit: TypeAlias = (
    "Headers | HTTPMessage | Mapping[str, Any] | Iterable[tuple[str, Any]] | None"
)

# The engine refuses control characters and separators, but takes the empty name and, since it
# looks at UTF-8 bytes, every character beyond ASCII.
_BAD_NAME = re.compile(r'[\x00-\x20\x7f()<>@,;:\\"/\[\]?={}]').search
_BAD_VALUE = re.compile(r"[\0\r\n]").search
_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


@functools.lru_cache(512)
def _header_key(name: str) -> str:
    """Return the name in lower case, or raise if it cannot be a header's name."""
    if _BAD_NAME(name):
        raise PlatformTypeError("Invalid header name.")
    return name.lower() if name.isascii() else name.translate(_ASCII_LOWER)


# Names that the engine's HTTP layer knows: with an empty value they do not arrive. Recorded.
# Source: capnproto/capnproto c++/src/kj/compat/http.h (`KJ_HTTP_FOR_EACH_BUILTIN_HEADER`)
# fmt: off
_NEVER_EMPTY: Final = frozenset((
    "accept", "accept-charset", "accept-encoding", "accept-language", "accept-ranges",
    "access-control-allow-origin", "age", "allow", "authorization", "cache-control", "cf-ray",
    "content-disposition", "content-encoding", "content-language", "content-length",
    "content-location", "content-range", "content-type", "connection", "cookie", "date", "etag",
    "expect", "expires", "from", "host", "if-match", "if-modified-since", "if-none-match",
    "if-range", "if-unmodified-since", "keep-alive", "last-modified", "link", "location",
    "max-forwards", "origin", "pragma", "proxy-authenticate", "proxy-authorization", "range",
    "referer", "refresh", "retry-after", "sec-websocket-key", "sec-websocket-version",
    "sec-websocket-accept", "sec-websocket-protocol", "sec-websocket-extensions", "server",
    "set-cookie", "strict-transport-security", "te", "trailer", "transfer-encoding", "upgrade",
    "user-agent", "vary", "via", "www-authenticate", "cf-cache-status",
))
# fmt: on


class Headers:
    """The headers of a request or response, with the methods JavaScript has.

    Names are case-insensitive and come back in lower case. Several values of one name are joined
    with ", " by `get` and by iteration, except that each Set-Cookie is an item of its own.

    Args:
        init: A mapping, a list of pairs, another Headers or an `http.client.HTTPMessage`.

    Raises:
        PlatformTypeError: If a name or value is not allowed, or `init` is something else.

    Example:
        >>> h = Headers({"X-Custom": "1", "Accept": "text/html"})
        >>> h.append("x-custom", "2")
        >>> list(h)
        [['accept', 'text/html'], ['x-custom', '1, 2']]

    Source: developers.cloudflare.com/workers/runtime-apis/headers/
    """

    __slots__ = ("_immutable", "_values")

    _values: dict[str, tuple[str, ...]]
    _immutable: bool

    def __init__(self, init: HeadersInit = None) -> None:
        self._immutable = False
        self._values = {}
        if init is None:
            return
        if isinstance(init, Headers):
            self._values = init._values.copy()  # noqa: SLF001 - the same class
            return
        values = self._values
        for name, value in _pairs(init):
            text = self._checked(value)
            key = _header_key(name if type(name) is str else js_string(name))
            values[key] = (*values[key], text) if key in values else (text,)

    @classmethod
    def new(cls, init: HeadersInit = None) -> "Headers":
        """Return headers, by Pyodide's name for making one."""
        return cls(init)

    def copy(self, *, immutable: bool = False) -> "Headers":
        """Return independent headers of the same content, refusing changes if `immutable`."""
        new = Headers.__new__(Headers)
        new._values = self._values.copy()  # noqa: SLF001 - the same class
        new._immutable = immutable  # noqa: SLF001 - the same class
        return new

    def _drop_empty(self) -> None:
        """Leave out what does not survive the way from one object to another."""
        values = self._values
        for name in [n for n, each in values.items() if "" in each and n in _NEVER_EMPTY]:
            kept = tuple(value for value in values.pop(name) if value)
            if kept:
                values[name] = kept

    def get(self, name: str) -> str | None:
        """Return the values of a name joined with ", ", or None without any."""
        values = self._values.get(_header_key(js_string(name)))
        return None if values is None else ", ".join(values)

    def getSetCookie(self) -> list[str]:
        """Return the values of all Set-Cookie headers, one by one."""
        return list(self._values.get("set-cookie", ()))

    def getAll(self, name: str) -> list[str]:
        """Return the Set-Cookie values; the platform offers this for no other name."""
        if name.lower() != "set-cookie":
            raise PlatformTypeError('getAll() can only be used with the header name "Set-Cookie".')
        return self.getSetCookie()

    def has(self, name: str) -> bool:
        """Return whether the name has a value."""
        return _header_key(js_string(name)) in self._values

    def set(self, name: str, value: object) -> None:
        """Replace all values of a name by this one."""
        text = self._checked(value)
        self._values[_header_key(js_string(name))] = (text,)

    def append(self, name: str, value: object) -> None:
        """Add a value to a name."""
        text = self._checked(value)
        key = _header_key(js_string(name))
        self._values[key] = (*self._values.get(key, ()), text)

    def delete(self, name: str) -> None:
        """Remove all values of a name; without any, do nothing."""
        self._check_guard()
        self._values.pop(_header_key(js_string(name)), None)

    def entries(self) -> Iterator[list[str]]:
        """Iterate over [name, value], sorted by name. Later changes do not show."""
        return iter(self._displayed())

    def items(self) -> Iterator[list[str]]:
        """Return the same as `entries`, by the name of Python's mappings."""
        return self.entries()

    def keys(self) -> Iterator[str]:
        """Iterate over the names, sorted."""
        return iter([name for name, _ in self._displayed()])

    def values(self) -> Iterator[str]:
        """Iterate over the values, in the order of their names."""
        return iter([value for _, value in self._displayed()])

    def forEach(self, callback: Callable[..., Any]) -> None:
        """Call `callback(value, name, headers)` for every entry, sorted by name."""
        for name, value in self._displayed():
            callback(value, name, self)

    def __iter__(self) -> Iterator[list[str]]:
        return iter(self._displayed())

    def __getitem__(self, name: str) -> str | None:
        return self.get(name)  # None for a missing name, as in Pyodide, where it is null

    def __setitem__(self, name: str, value: object) -> None:
        self.set(name, value)

    def __delitem__(self, name: str) -> None:
        self.delete(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.has(name)

    def __len__(self) -> int:
        return len(self._displayed())

    def __eq__(self, other: object) -> bool:
        return self._values == other._values if isinstance(other, Headers) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    if not TYPE_CHECKING:  # a type checker is to find a misspelt name itself

        def __getattr__(self, name: str) -> Any:
            raise misspelt(self, name)

    def __repr__(self) -> str:
        return f"Headers({[tuple(pair) for pair in self._displayed()]!r})"

    def _check_guard(self) -> None:
        if self._immutable:
            raise PlatformTypeError("Can't modify immutable headers.")

    def _checked(self, value: Any) -> str:
        if self._immutable:
            raise PlatformTypeError("Can't modify immutable headers.")
        plain = type(value) is str and value.isascii()
        text: str = (value if plain else js_string(value)).strip("\t\r\n ")
        if _BAD_VALUE(text):
            raise PlatformTypeError("Invalid header value.")
        return text

    def _displayed(self) -> list[list[str]]:
        displayed = []
        for name, values in sorted(self._values.items()):
            if name == "set-cookie":
                displayed += [[name, value] for value in values]
            else:
                displayed.append([name, ", ".join(values)])
        return displayed


def _pairs(init: object) -> Iterable[tuple[str, Any]]:
    """Return the pairs of whatever headers may be made from."""
    if isinstance(init, Mapping):
        return init.items()
    if isinstance(init, (list, tuple)):
        for pair in init:
            if isinstance(pair, str) or len(pair) != 2:
                raise PlatformTypeError(
                    "To initialize a Headers object from a sequence, each inner sequence "
                    "must have exactly two elements."
                )
        return cast("Iterable[tuple[str, Any]]", init)
    items = getattr(init, "items", None)  # an HTTPMessage, or ItemsView as the SDK passes it
    if callable(items):
        return cast("Iterable[tuple[str, Any]]", items())
    if isinstance(init, Iterable) and not isinstance(init, (str, bytes)):
        return _pairs(list(init))
    raise PlatformTypeError("Received unexpected type for headers argument")


@functools.cache
def _message_class() -> "type[HTTPMessage]":
    # http.client pulls in email and socket: tens of milliseconds that no import of dobook may cost.
    from http.client import HTTPMessage

    class ReadableMessage(HTTPMessage):
        """An `http.client.HTTPMessage` whose repr shows its headers."""

        def __repr__(self) -> str:
            return f"HTTPMessage({self.items()!r})"

    ReadableMessage.__name__ = ReadableMessage.__qualname__ = "HTTPMessage"
    return ReadableMessage


def to_http_message(headers: Headers) -> "HTTPMessage":
    """Return a copy as the `http.client.HTTPMessage` that Cloudflare's SDK gives to Python code.

    Cookies come first, one header each, everything else sorted and combined. Changing the copy
    changes nothing else.

    Example:
        >>> to_http_message(Headers({"X-A": "1"}))["x-a"]
        '1'

    Source: cloudflare/workers-py packages/runtime-sdk/src/workers/utils.py
    """
    message = _message_class()()
    for value in headers.getSetCookie():
        message.add_header("Set-Cookie", value)
    for name, value in headers:
        if name != "set-cookie":
            message.add_header(name, value)
    return message
