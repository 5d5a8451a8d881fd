"""What `storage.list()` gives: a dict that is also JavaScript's Map, as examples use it.

Cloudflare's own take the first key by `found.keys().next().value`.
Source: developers.cloudflare.com/durable-objects/examples/alarms-api/
"""

from collections.abc import Callable, Iterator, KeysView
from typing import Any

from dobook.codec import JsDict


class Keys(KeysView[str]):
    """The keys: a view, with JavaScript's `next()` besides."""

    _rest: Iterator[str] | None = None

    def next(self) -> JsDict:
        """Return the next key as `value`, or `done`."""
        if self._rest is None:
            self._rest = iter(self)
        for key in self._rest:
            return JsDict(done=False, value=key)
        return JsDict(done=True, value=None)

    def __repr__(self) -> str:
        return f"dict_keys({list(self)!r})"


class Listed(dict[str, Any]):
    """Keys and values, in the order of the keys.

    Example:
        >>> found = Listed({"a": 1, "b": 2})
        >>> found, list(found), found.keys().next().value
        ({'a': 1, 'b': 2}, ['a', 'b'], 'a')
    """

    __slots__ = ()

    @property
    def size(self) -> int:
        """The number of keys, as a JavaScript Map has it."""
        return len(self)

    def has(self, key: str) -> bool:
        """Return whether there is such a key."""
        return key in self

    def entries(self) -> Iterator[list[Any]]:
        """Iterate over `[key, value]`."""
        return iter([[key, value] for key, value in self.items()])

    def forEach(self, callback: Callable[[Any, str, "Listed"], Any]) -> None:
        """Call `callback(value, key, this)` for each key."""
        for key, value in list(self.items()):
            callback(value, key, self)

    def to_py(self, *, depth: int = -1, default_converter: object = None) -> dict[str, Any]:
        """Return a plain dict, with plain values."""
        return JsDict(self).to_py()

    def keys(self) -> Keys:  # type: ignore[override]
        """Return the keys."""
        return Keys(self)
