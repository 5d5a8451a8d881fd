"""The strategies by name."""

from dobook.errors import UsageError, suggest
from dobook.explorer.strategies.base import Strategy
from dobook.explorer.strategies.coverage import Coverage
from dobook.explorer.strategies.exhaustive import Exhaustive
from dobook.explorer.strategies.pct import Pct
from dobook.explorer.strategies.walk import RandomWalk

STRATEGIES: dict[str, type[Strategy]] = {
    strategy.name: strategy for strategy in (RandomWalk, Pct, Exhaustive, Coverage)
}


def strategy_named(name: str) -> type[Strategy]:
    """Return a strategy.

    Raises:
        UsageError: If there is no strategy of that name.
    """
    if name not in STRATEGIES:
        raise UsageError(f"no strategy named {name!r}. {suggest(name, STRATEGIES)}")
    return STRATEGIES[name]
