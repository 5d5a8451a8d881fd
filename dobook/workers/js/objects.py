"""JavaScript's containers as Python has them: objects, arrays, Maps and Sets.

Each is a Python container with the methods of a `JsProxy` (`to_py`, `object_values`) and those of
JavaScript besides, so that it can be used either way and stored or sent like any other.
Source: pyodide.org/en/stable/usage/api/python-api/ffi.html#pyodide.ffi.JsProxy
"""

import functools
from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping
from typing import Any

from dobook.codec import JsDict
from dobook.web.text import js_string


class Constructor:
    """What `value.constructor` gives: the name of JavaScript's class."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"[Function: {self.name}]"


class JsIterator(Iterator[Any]):
    """An iterator as JavaScript has it: `next()` gives `value` and `done`."""

    __slots__ = ("_rest",)

    def __init__(self, items: Iterable[Any]) -> None:
        self._rest = iter(items)

    def next(self) -> "JsObject":
        """Return the next value, or `done`."""
        for value in self._rest:
            return JsObject(done=False, value=value)
        return JsObject(done=True, value=None)

    def __iter__(self) -> Iterator[Any]:
        return self._rest

    def __next__(self) -> Any:
        return next(self._rest)


class JsObject(JsDict):
    """A plain JavaScript object: its members are attributes and keys.

    Example:
        >>> point = JsObject(x=1, y=2)
        >>> point.x, point.object_keys(), point.to_py()
        (1, ['x', 'y'], {'x': 1, 'y': 2})
    """

    __slots__ = ()

    constructor = Constructor("Object")

    def object_keys(self) -> "JsArray":
        """Return the names of the members, as `Object.keys` does."""
        return JsArray(self)

    def object_values(self) -> "JsArray":
        """Return the members, as `Object.values` does."""
        return JsArray(dict.values(self))

    def object_entries(self) -> "JsArray":
        """Return the members with their names, as `Object.entries` does."""
        return JsArray(JsArray(pair) for pair in dict.items(self))

    def as_object_map(self, *, hereditary: bool = False) -> "JsObject":
        """Return the object as a mapping, which it is."""
        return self

    def as_py_json(self) -> "JsObject":
        """Return the object as dicts and lists, which it is."""
        return self

    def to_py(self, *, depth: int = -1, default_converter: Any = None) -> dict[str, Any]:
        """Return the object as a dict, and what is in it converted too."""
        return to_plain(self, depth)  # type: ignore[no-any-return]

    def toString(self) -> str:
        """Return JavaScript's text for an object."""
        return "[object Object]"


class JsArray(list[Any]):
    """A JavaScript array: a list with JavaScript's methods.

    Example:
        >>> JsArray([3, 1]).map(lambda n: n * 2).join("-")
        '6-2'
    """

    __slots__ = ()

    constructor = Constructor("Array")

    @property
    def length(self) -> int:
        """The number of elements."""
        return len(self)

    def object_keys(self) -> "JsArray":
        """Return the indices, as texts."""
        return JsArray(map(str, range(len(self))))

    def object_values(self) -> "JsArray":
        """Return the elements."""
        return JsArray(self)

    def object_entries(self) -> "JsArray":
        """Return pairs of index and element."""
        return JsArray(JsArray([str(at), value]) for at, value in enumerate(self))

    entries, keys, values = object_entries, object_keys, object_values

    def to_py(self, *, depth: int = -1, default_converter: Any = None) -> list[Any]:
        """Return the array as a list, and what is in it converted too."""
        return to_plain(self, depth)  # type: ignore[no-any-return]

    def push(self, *values: Any) -> int:
        """Add elements at the end; returns the new length."""
        self.extend(values)
        return len(self)

    def unshift(self, *values: Any) -> int:
        """Add elements in front; returns the new length."""
        self[:0] = values
        return len(self)

    def shift(self) -> Any:
        """Take the first element away and return it, None from an empty array."""
        return self.pop(0) if self else None

    def slice(self, start: int | None = None, end: int | None = None) -> "JsArray":
        """Return a part of the array."""
        return JsArray(self[start:end])

    def concat(self, *others: Any) -> "JsArray":
        """Return this array followed by others."""
        joined = JsArray(self)
        for other in others:
            joined.extend(other if isinstance(other, list) else [other])
        return joined

    def at(self, index: int) -> Any:
        """Return an element, counted from the end if negative; None beyond."""
        return self[index] if -len(self) <= index < len(self) else None

    def includes(self, value: Any) -> bool:
        """Return whether the array has an element of this value."""
        return value in self

    def indexOf(self, value: Any) -> int:
        """Return where a value is first, -1 if nowhere."""
        return self.index(value) if value in self else -1

    def join(self, separator: str = ",") -> str:
        """Return the elements' texts with a separator between them."""
        return separator.join("" if value is None else js_string(value) for value in self)

    def map(self, function: Callable[..., Any]) -> "JsArray":
        """Return what a function makes of each element."""
        return JsArray(relaxed(function, value, at, self) for at, value in enumerate(self))

    def filter(self, function: Callable[..., Any]) -> "JsArray":
        """Return the elements of which a function is true."""
        return JsArray(v for at, v in enumerate(self) if relaxed(function, v, at, self))

    def find(self, function: Callable[..., Any]) -> Any:
        """Return the first element of which a function is true, None without one."""
        return next((v for at, v in enumerate(self) if relaxed(function, v, at, self)), None)

    def some(self, function: Callable[..., Any]) -> bool:
        """Return whether a function is true of one element."""
        return any(relaxed(function, v, at, self) for at, v in enumerate(self))

    def every(self, function: Callable[..., Any]) -> bool:
        """Return whether a function is true of all elements."""
        return all(relaxed(function, v, at, self) for at, v in enumerate(self))

    def forEach(self, function: Callable[..., Any]) -> None:
        """Call a function with each element."""
        for at, value in enumerate(self):
            relaxed(function, value, at, self)

    def reduce(self, function: Callable[..., Any], *initial: Any) -> Any:
        """Return what a function makes of the elements, one after the other."""
        return functools.reduce(function, self, *initial)


class _Keys(KeysView[Any]):
    """The keys of a Map: a view, which is also JavaScript's iterator."""

    def next(self) -> JsObject:
        """Return the next key, or `done`."""
        if not hasattr(self, "_iterator"):
            self._iterator = JsIterator(list(self))
        return self._iterator.next()


class JsMap(dict[Any, Any]):
    """A JavaScript Map: a dict with JavaScript's methods.

    Example:
        >>> seen = JsMap({"a": 1})
        >>> seen.set("b", 2).size, seen.has("c"), seen.keys().next().value
        (2, False, 'a')
    """

    __slots__ = ()

    constructor = Constructor("Map")

    @property
    def size(self) -> int:
        """The number of entries."""
        return len(self)

    def set(self, key: Any, value: Any) -> "JsMap":
        """Set an entry; returns the Map."""
        self[key] = value
        return self

    def has(self, key: Any) -> bool:
        """Return whether there is an entry of this key."""
        return key in self

    def delete(self, key: Any) -> bool:
        """Remove an entry; returns whether there was one."""
        return dict.pop(self, key, self) is not self

    def entries(self) -> JsIterator:
        """Iterate over pairs of key and value."""
        return JsIterator(JsArray(pair) for pair in self.items())

    def keys(self) -> Any:
        """Return the keys: a view, which also has JavaScript's `next()`."""
        return _Keys(self)

    def forEach(self, function: Callable[..., Any]) -> None:
        """Call a function with each value and its key."""
        for key, value in list(self.items()):
            relaxed(function, value, key, self)

    def to_py(self, *, depth: int = -1, default_converter: Any = None) -> dict[Any, Any]:
        """Return the Map as a dict, and what is in it converted too."""
        return to_plain(self, depth)  # type: ignore[no-any-return]

    def object_keys(self) -> JsArray:
        """Return nothing: a Map's entries are not members of it."""
        return JsArray()

    object_values = object_entries = object_keys


class JsSet(set[Any]):
    """A JavaScript Set: a set with JavaScript's methods."""

    __slots__ = ()

    constructor = Constructor("Set")

    @property
    def size(self) -> int:
        """The number of members."""
        return len(self)

    def has(self, value: Any) -> bool:
        """Return whether this is a member."""
        return value in self

    def delete(self, value: Any) -> bool:
        """Remove a member; returns whether it was one."""
        present = value in self
        self.discard(value)
        return present

    def to_py(self, *, depth: int = -1, default_converter: Any = None) -> set[Any]:
        """Return the Set as a set."""
        return set(self)


def to_plain(value: Any, depth: int = -1) -> Any:
    """Return a JavaScript value as Python's own containers, down to a depth; -1 for all of it."""
    return _plain(value, depth, {})


def _plain(value: Any, depth: int, seen: dict[int, Any]) -> Any:
    if depth == 0 or not isinstance(value, dict | list | set):
        return value
    if id(value) in seen:
        return seen[id(value)]
    if isinstance(value, dict):
        entries: dict[Any, Any] = {}
        seen[id(value)] = entries
        for key, member in dict.items(value):
            entries[key] = _plain(member, depth - 1, seen)
        return entries
    if isinstance(value, list):
        items: list[Any] = []
        seen[id(value)] = items
        items.extend(_plain(member, depth - 1, seen) for member in value)
        return items
    return set(value)


def to_js_value(value: Any) -> Any:
    """Return plain Python containers as JavaScript's: dicts as objects, lists as arrays."""
    if isinstance(value, Mapping):
        return JsObject((key, to_js_value(member)) for key, member in value.items())
    if isinstance(value, list | tuple):
        return JsArray(map(to_js_value, value))
    return value


def relaxed(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function with as many of the arguments as it takes, as JavaScript does."""
    from dobook.runtime.calls.arity import relaxed_call

    return relaxed_call(function, *args)
