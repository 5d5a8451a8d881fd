"""URLs by the WHATWG standard: `URL`, `URLSearchParams` and the normal form requests use.

Owns the JavaScript attributes and the shortcut for URLs that are in normal form already. Parsing
itself is Ada's, the parser inside the real engine, loaded when the first other URL comes along.
Source: url.spec.whatwg.org and cloudflare/workerd src/workerd/api/url-standard.c++
"""

import functools
import re
import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dobook.errors import PlatformTypeError, misspelt
from dobook.web.search_params import URLSearchParams
from dobook.web.text import js_string, usv

if TYPE_CHECKING:
    import ada_url

# http and ws URLs that the parser would return unchanged: lower-case host whose last label is not
# # a number and that has no punycode, no default port, no dot segment, nothing to escape, no
# # credentials and no fragment. Everything else takes the long way.
_SIMPLE: Final = re.compile(
    r"(?!.*(?:xn--|/\.))"
    r"(?:https?|wss?)://(?:[a-z0-9_-]+\.)*[a-z][a-z0-9_-]*"
    r"(?::(?!(?:80|443)(?:/|$))[1-9][0-9]{0,3})?"
    r"/[A-Za-z0-9_.~!$&'()*+,;=:@/-]*"
    r"(?:\?[A-Za-z0-9_.~!$&()*+,;=:@/?%-]*)?"
).fullmatch
_MOST_REMEMBERED: Final = 2_048  # characters
_T = TypeVar("_T")
HAS_HOST: Final = re.compile(r"[a-z][a-z0-9+.-]*://").match
_STRIPPED: Final = re.compile(r"([a-z][a-z0-9+.-]*://)(?:[^/?#@]*@)?([^#]*)").match


def _parse(url: str, base: str | None = None) -> "ada_url.URL | None":
    if sys.platform == "emscripten":
        return _parse_in_browser(url, base)
    from ada_url import URL as AdaURL

    try:
        return AdaURL(usv(url), None if base is None else usv(base))
    except ValueError:
        return None


def _parse_in_browser(url: str, base: str | None) -> Any:
    """Parse with JavaScript's own URL, under Pyodide: the standard and the attributes are the same."""
    js, ffi = import_module("js"), import_module("pyodide.ffi")
    try:
        return js.URL.new(usv(url), js.undefined if base is None else usv(base))
    except ffi.JsException:
        return None


def _remembered(function: Callable[[str], _T]) -> Callable[[str], _T]:
    """Cache a function of URLs, but not for long ones: clients choose them, and they add up."""
    cached = functools.lru_cache(1024)(function)

    @functools.wraps(function)
    def call(url: str) -> _T:
        return cached(url) if len(url) <= _MOST_REMEMBERED else function(url)

    call.cache_info = cached.cache_info  # type: ignore[attr-defined]
    return call


@_remembered
def normalise(url: str) -> str | None:
    """Return an absolute URL in normal form, or None if it is not an absolute URL.

    Example:
        >>> normalise("HTTP://OBJECT:80/a/../b c#d")
        'http://object/b%20c#d'
    """
    if _SIMPLE(url):
        return url
    parsed = _parse(url)
    return None if parsed is None else parsed.href


@_remembered
def request_url(url: str) -> str:
    """Return the `url` a Request of this URL has.

    Raises:
        PlatformTypeError: If it is not an absolute URL.
    """
    normal = normalise(url)
    if normal is None:
        raise PlatformTypeError(f"Invalid URL: {url}")
    return normal


@_remembered
def delivered_url(url: str) -> str:
    """Return the URL the receiving object sees: without credentials and fragment.

    Raises:
        PlatformTypeError: If it is not an absolute URL, or its scheme is neither http nor https.

    Example:
        >>> delivered_url("http://user:pw@object:80/x#top")
        'http://object/x'
    """
    normal = request_url(url)
    if not normal.startswith(("http:", "https:")):
        raise PlatformTypeError(f"Fetch API cannot load: {normal}")
    return bare_url(normal)


def bare_url(normal: str) -> str:
    """Return a URL in normal form without credentials and fragment."""
    parts = _STRIPPED(normal)
    return normal if parts is None else parts[1] + parts[2]


def resolve(url: str, base: str) -> str | None:
    """Return a URL relative to another, or None if that makes none.

    Example:
        >>> resolve("../b?c", "http://x/a/d")
        'http://x/b?c'
    """
    parsed = _parse(url, base)
    return None if parsed is None else parsed.href


def origin(url: str) -> str:
    """Return scheme, host and port of an absolute URL, or "null" where there is no such thing."""
    return URL(url).origin


def _component(name: str, doc: str) -> property:
    """Return the attribute of that name; assigning what does not fit changes nothing."""

    def get(self: "URL") -> str:
        value: str = getattr(self._ada, name)
        return value

    def set_(self: "URL", value: object) -> None:
        try:
            setattr(self._ada, name, js_string(value))
        except ValueError:
            return  # the standard: setters other than href ignore what they cannot use
        if name == "search":
            self._reset_params()

    return property(get, set_, doc=doc)


class URL:
    """A URL with the attributes JavaScript gives it.

    Args:
        url: An absolute URL, or one relative to `base`.
        base: What a relative URL starts from.

    Raises:
        PlatformTypeError: If that is not a URL.

    Example:
        >>> u = URL("../search?q=1", "https://Example.com:443/a/b")
        >>> u.searchParams.append("page", "2")
        >>> u.href
        'https://example.com/search?q=1&page=2'

    Source: url.spec.whatwg.org/#url-class
    """

    __slots__ = ("__weakref__", "_ada", "_params")

    _ada: "ada_url.URL"
    _params: URLSearchParams | None

    def __init__(self, url: object, base: object = None) -> None:
        parsed = _parse(js_string(url), None if base is None else js_string(base))
        if parsed is None:
            raise PlatformTypeError("Invalid URL string.")
        self._ada = parsed
        self._params = None

    @classmethod
    def new(cls, url: object, base: object = None) -> "URL":
        """Return a URL, by Pyodide's name for making one."""
        return cls(url, base)

    @staticmethod
    def canParse(url: object, base: object = None) -> bool:
        """Return whether `URL(url, base)` would succeed."""
        return URL.parse(url, base) is not None

    @staticmethod
    def parse(url: object, base: object = None) -> "URL | None":
        """Return `URL(url, base)`, or None where that would fail."""
        try:
            return URL(url, base)
        except PlatformTypeError:
            return None

    protocol = _component("protocol", 'The scheme with its colon: "https:".')
    username = _component("username", "The user's name, percent-encoded.")
    password = _component("password", "The password, percent-encoded.")
    host = _component("host", 'Host and, unless it is the default, port: "example.com:8080".')
    hostname = _component("hostname", 'The host without port: "example.com".')
    port = _component("port", 'The port as text, "" for the scheme\'s default.')
    pathname = _component("pathname", 'The path: "/a/b".')
    search = _component("search", 'The query with its question mark, or "".')
    hash = _component("hash", 'The fragment with its "#", or "".')

    @property
    def href(self) -> str:
        """The whole URL."""
        return self._ada.href

    @href.setter
    def href(self, value: object) -> None:
        parsed = _parse(js_string(value))
        if parsed is None:
            raise PlatformTypeError(
                "Failed to set the 'href' property on 'URL': the provided value is not of type "
                "'valid URL string'."
            )
        self._ada = parsed
        self._reset_params()

    @property
    def origin(self) -> str:
        """Scheme, host and port; "null" for schemes without such a thing."""
        return self._ada.origin

    @property
    def searchParams(self) -> URLSearchParams:
        """The query as name-value pairs, linked: changing either changes the other."""
        if self._params is None:
            self._params = URLSearchParams(self.search)
            self._params.on_change(self._write_search)
        return self._params

    def toString(self) -> str:
        """Return `href`."""
        return self._ada.href

    def toJSON(self) -> str:
        """Return `href`."""
        return self._ada.href

    def __str__(self) -> str:
        return self._ada.href

    if not TYPE_CHECKING:  # a type checker is to find a misspelt name itself

        def __getattr__(self, name: str) -> Any:
            raise misspelt(self, name)

    def __repr__(self) -> str:
        return f"URL({self._ada.href!r})"

    def __eq__(self, other: object) -> bool:
        return self.href == other.href if isinstance(other, URL) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.href)

    def _write_search(self, query: str) -> None:
        self._ada.search = query

    def _reset_params(self) -> None:
        if self._params is not None:
            self._params.reset(self.search)


__all__ = [
    "URL",
    "URLSearchParams",
    "delivered_url",
    "normalise",
    "origin",
    "request_url",
    "resolve",
]
