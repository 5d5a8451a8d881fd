"""The containers that a frozen value consists of.

Owns nothing but the markers: they say by their type how a value is thawed. They are private to
`dobook.codec`; callers treat what `freeze` returns as opaque.
"""

from typing import Any


class FlatDict(dict[Any, Any]):
    """An object or Map whose members are all immutable: thawed by one copy."""

    __slots__ = ()


class DeepDict(dict[Any, Any]):
    """An object or Map with containers among its members."""

    __slots__ = ()


class FlatList(list[Any]):
    """An array whose members are all immutable: thawed by one copy."""

    __slots__ = ()


class DeepList(list[Any]):
    """An array with containers among its members."""

    __slots__ = ()


class FrozenGraph:
    """A value in which a container occurs twice or contains itself."""

    __slots__ = ("root",)

    def __init__(self, root: object) -> None:
        self.root = root

    def __repr__(self) -> str:
        return f"FrozenGraph({self.root!r})"


class FrozenBytes:
    """A value kept as V8 writes it, because a Set or a Map's keys in it are mutable."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"FrozenBytes({self.data!r})"
