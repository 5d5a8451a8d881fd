"""The public surface as text: every public name with its signature, one a line.

    python -m tests.public_api > tests/public_api.txt

A change of the file is a change of the contract, and is reviewed as such.
"""

import enum
import importlib
import inspect
import sys
from collections.abc import Iterator
from typing import Any

from docs.site.surface import HELD, MODULES


def lines() -> Iterator[str]:
    """Yield the public names, in order, each class with its members below it."""
    described: set[int] = set()
    for module in MODULES:
        names = importlib.import_module(module).__all__
        yield f"[{module}]"
        for name in names:
            yield from _of(name, getattr(importlib.import_module(module), name), described)
        yield ""
    for page, (_, classes) in HELD.items():
        yield f"[{page}]"
        for path in classes:
            module, _, name = path.rpartition(".")
            yield from _of(name, getattr(importlib.import_module(module), name), described)
        yield ""


def _of(name: str, value: Any, described: set[int]) -> Iterator[str]:
    if not inspect.isclass(value):
        yield name + (
            _signature(value) if inspect.isroutine(value) else f": {type(value).__name__}"
        )
        return
    if id(value) in described:
        yield f"class {name}: see above"
        return
    described.add(id(value))
    if issubclass(value, enum.Enum):
        yield f"enum {name}: {', '.join(value.__members__)}"
        return
    yield f"class {name}{_signature(value)}"
    for member in sorted(n for n in dir(value) if not n.startswith("_")):
        owner = next(cls for cls in value.__mro__ if member in vars(cls))
        if not owner.__module__.startswith(("dobook", "workers")):
            continue
        found = inspect.getattr_static(value, member)
        if isinstance(found, property):
            yield f"    {member}: {'read and set' if found.fset else 'read'}"
        elif isinstance(found, classmethod | staticmethod):
            yield f"    {type(found).__name__} {member}{_signature(getattr(value, member))}"
        elif inspect.isroutine(found):
            yield f"    {member}{_signature(found)}"
        else:
            yield f"    {member}"


def _signature(value: Any) -> str:
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return "(...)"
    # Without annotations, which Python's versions spell differently.
    plain = [
        p.replace(
            annotation=inspect.Parameter.empty,
            default=p.default if p.default is p.empty else _Default(p.default),
        )
        for p in parameters
        if p.name != "self"
    ]
    return str(inspect.Signature(plain))


class _Default:
    """A default value as text that is the same in every process."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __repr__(self) -> str:
        plain = self._value is None or type(self._value) in (bool, int, float, str, tuple)
        return repr(self._value) if plain else "..."


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines()) + "\n")
