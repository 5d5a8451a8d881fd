"""What a known mistake is made of."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dobook.workers import DurableObject

Scenario = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True)
class Bug:
    """A mistake, and the same without it.

    Attributes:
        name: In a few words.
        lesson: What goes wrong, and what helps.
        scenario: What clients do; it fails when the mistake shows.
        broken: Classes with the mistake, by binding.
        fixed: The same classes without it.
    """

    name: str
    lesson: str
    scenario: Scenario
    broken: Mapping[str, type]
    fixed: Mapping[str, type]


class Sample(DurableObject):
    """An object with its storage at hand."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.storage = ctx.storage
        self.kv = ctx.storage.kv


class Journal(Sample):
    """Something outside that records entries, in order, and returns them."""

    def note(self, entry: Any) -> None:
        """Record an entry."""
        self.kv.put("entries", [*self.entries(), entry])

    def entries(self) -> list[Any]:
        """Return what was noted."""
        return self.kv.get("entries") or []
