"""What the parts of a runtime ask of one another: types only, which nothing needs to run.

The parts refer to each other in circles: a call knows its object, the object its calls, and both
know their runtime. So each part names what it is handed by a protocol of this module rather than by
a class that stands beside or above it. `Kernel` (kernel.py) puts the classes together, and there the
type checker proves that each of them keeps its protocol. Whatever else is to run as an object, a
class in another language for instance, has to offer what `Instance` and `Actor` list, and no more.

A member that is only read is a property, so that a class may offer a narrower type.
Source: docs.python.org/3/library/typing.html#typing.Protocol
"""

# ruff: noqa: D102 - the classes that keep these protocols document their members

from typing import Protocol


class Chain(Protocol):
    """What led to a piece of code; see `livelock`."""

    @property
    def depth(self) -> int: ...
    @property
    def links(self) -> int: ...
    @property
    def at(self) -> float: ...
