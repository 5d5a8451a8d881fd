"""What `storage.list()` gives: a dict whose keys are also JavaScript's iterator.

Cloudflare's own examples take the first key by `found.keys().next().value`.
Source: developers.cloudflare.com/durable-objects/examples/alarms-api/
"""

from collections.abc import Iterator, KeysView
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

    def keys(self) -> Keys:  # type: ignore[override]
        """Return the keys."""
        return Keys(self)
