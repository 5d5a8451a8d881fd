"""The containers that values read back as.

Owns `JsDict`, the dict a JavaScript object reads as, and the two containers that may stand where
Python wants a hashable value. Never looks at bytes.
Implements the conversions of developers.cloudflare.com/workers/languages/python/ffi/.
"""

from typing import Any


class JsDict(dict[Any, Any]):
    """A dict whose string keys are attributes too, as Cloudflare's Python SDK has it.

    A key that is also the name of a dict method (`items`, `get`, …) is reached by `d["items"]` only.

    Example:
        >>> user = JsDict(name="Ada")
        >>> user.name, user["name"]
        ('Ada', 'Ada')
        >>> user.age = 36
        >>> user
        {'name': 'Ada', 'age': 36}

    Source: developers.cloudflare.com/workers/languages/python/ffi/
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: object) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(name) from None

    def copy(self) -> "JsDict":
        """Return a shallow copy, again a `JsDict`.

        Example:
            >>> JsDict(a=1).copy().a
            1
        """
        return JsDict(self)

    def to_py(self, *, depth: int = -1, default_converter: object = None) -> dict[Any, Any]:
        """Return plain dicts and lists; code for an older SDK, which gave proxies, asks for it.

        Example:
            >>> type(JsDict(a=JsDict(b=1)).to_py()["a"])
            <class 'dict'>
        """
        return {key: _plain(value) for key, value in dict.items(self)}


class JsList(list[Any]):
    """A list that also answers to an array proxy's names, as code for an older SDK uses them.

    Example:
        >>> rows = JsList([JsDict(n=1)])
        >>> rows.length, rows.to_py()
        (1, [{'n': 1}])
    """

    __slots__ = ()

    @property
    def length(self) -> int:
        """The number of elements."""
        return len(self)

    def to_py(self, *, depth: int = -1, default_converter: object = None) -> list[Any]:
        """Return plain dicts and lists."""
        return [_plain(value) for value in self]


def _plain(value: object) -> Any:
    return value.to_py() if isinstance(value, JsDict | JsList) else value


class HashableDict(JsDict):
    """A JavaScript object or Map that is a member of a Set or a key of a Map.

    It is hashed by identity, as JavaScript does, and still compares as a dict does.
    """

    __slots__ = ()
    __hash__ = object.__hash__  # type: ignore[assignment]


class HashableList(list[Any]):
    """A JavaScript array that is a member of a Set or a key of a Map; hashed by identity."""

    __slots__ = ()
    __hash__ = object.__hash__  # type: ignore[assignment]
