"""`URLSearchParams`: the pairs of a query, as JavaScript has them.

Owns parsing and writing of application/x-www-form-urlencoded; knows nothing of whole URLs.
Source: url.spec.whatwg.org/#interface-urlsearchparams
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dobook.errors import PlatformTypeError
from dobook.web.text import js_string


def _decode(text: str) -> str:
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8", "replace")


def _encode(text: str) -> str:
    from urllib.parse import quote_plus

    return quote_plus(text, safe="*").replace("~", "%7E")


def parse_form(text: str) -> list[tuple[str, str]]:
    """Return the pairs of an urlencoded text, in order.

    Example:
        >>> parse_form("a=1&b=x+y%21&&c")
        [('a', '1'), ('b', 'x y!'), ('c', '')]
    """
    pairs = (part.partition("=") for part in text.split("&") if part)
    return [(_decode(name), _decode(value)) for name, _, value in pairs]


class URLSearchParams:
    """Name-value pairs of a query; a name may occur several times.

    Args:
        init: A query (with or without "?"), a mapping, a list of pairs, or another URLSearchParams.

    Raises:
        PlatformTypeError: If an inner sequence is not a pair.

    Example:
        >>> p = URLSearchParams("?q=a+b&q=c")
        >>> p.getAll("q"), p.toString()
        (['a b', 'c'], 'q=a+b&q=c')

    Source: url.spec.whatwg.org/#interface-urlsearchparams
    """

    __slots__ = ("_changed", "_pairs")

    def __init__(self, init: object = None) -> None:
        self._changed: Callable[[str], None] | None = None
        self._pairs: list[tuple[str, str]]
        if init is None:
            self._pairs = []
        elif isinstance(init, URLSearchParams):
            self._pairs = [(name, value) for name, value in init]
        elif isinstance(init, Mapping):
            self._pairs = [(js_string(name), js_string(value)) for name, value in init.items()]
        elif isinstance(init, (list, tuple)):
            if any(isinstance(pair, str) or len(pair) != 2 for pair in init):
                raise PlatformTypeError("Invalid URL search params sequence.")
            self._pairs = [(js_string(name), js_string(value)) for name, value in init]
        else:
            text = js_string(init)
            self._pairs = parse_form(text.removeprefix("?"))

    @classmethod
    def new(cls, init: object = None) -> "URLSearchParams":
        """Return pairs, by Pyodide's name for making some."""
        return cls(init)

    def on_change(self, listener: Callable[[str], None]) -> None:
        """Register a listener that gets the new query after every change; the URL does so."""
        self._changed = listener

    def reset(self, query: str) -> None:
        """Take over another query without reporting it."""
        self._pairs = parse_form(query.removeprefix("?"))

    def get(self, name: str) -> str | None:
        """Return the first value of a name, or None."""
        return next((value for key, value in self._pairs if key == name), None)

    def getAll(self, name: str) -> list[str]:
        """Return all values of a name, in order."""
        return [value for key, value in self._pairs if key == name]

    def has(self, name: str, value: object = None) -> bool:
        """Return whether the name occurs, with this value if one is given."""
        return any(key == name and value in (None, own) for key, own in self._pairs)

    def append(self, name: str, value: object) -> None:
        """Add a pair at the end."""
        self._pairs.append((js_string(name), js_string(value)))
        self._report()

    def set(self, name: str, value: object) -> None:
        """Set a name to this one value, at the place of its first, or at the end."""
        name, text = js_string(name), js_string(value)
        places = [at for at, (key, _) in enumerate(self._pairs) if key == name]
        for at in reversed(places[1:]):
            del self._pairs[at]
        if places:
            self._pairs[places[0]] = (name, text)
        else:
            self._pairs.append((name, text))
        self._report()

    def delete(self, name: str, value: object = None) -> None:
        """Remove all pairs of a name, only those with this value if one is given."""
        self._pairs = [
            (key, own) for key, own in self._pairs if key != name or value not in (None, own)
        ]
        self._report()

    def sort(self) -> None:
        """Sort by name (UTF-16 code units); pairs of one name keep their order."""
        self._pairs.sort(key=lambda pair: pair[0].encode("utf-16-be"))
        self._report()

    @property
    def size(self) -> int:
        """The number of pairs."""
        return len(self._pairs)

    def entries(self) -> Iterator[list[str]]:
        """Iterate over [name, value] in order."""
        return iter([list(pair) for pair in self._pairs])

    def keys(self) -> Iterator[str]:
        """Iterate over the names in order."""
        return iter([name for name, _ in self._pairs])

    def values(self) -> Iterator[str]:
        """Iterate over the values in order."""
        return iter([value for _, value in self._pairs])

    def forEach(self, callback: Callable[..., Any]) -> None:
        """Call `callback(value, name, params)` for every pair."""
        for name, value in self.entries():
            callback(value, name, self)

    def toString(self) -> str:
        """Return the query, without question mark."""
        return "&".join(f"{_encode(name)}={_encode(value)}" for name, value in self._pairs)

    def __str__(self) -> str:
        return self.toString()

    def __iter__(self) -> Iterator[list[str]]:
        return self.entries()

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, name: str) -> str | None:
        return self.get(name)  # None for a missing name, as in Pyodide, where it is null

    def __setitem__(self, name: str, value: object) -> None:
        self.set(name, value)

    def __contains__(self, name: object) -> bool:
        return any(key == name for key, _ in self._pairs)

    def __repr__(self) -> str:
        return f"URLSearchParams({self.toString()!r})"

    def _report(self) -> None:
        if self._changed is not None:
            self._changed(self.toString())
