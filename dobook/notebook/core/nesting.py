"""`asyncio.run(...)` and `run_until_complete` inside a cell, whose loop is running already.

dobook itself needs no nested loop. Where a cell's own code asks for one, nest_asyncio2 is applied
at that moment and not before: on most Pythons it makes every task of the kernel slower.
"""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

from dobook.runtime.loop.loop import RuntimeLoop, running_loop


def install() -> Callable[[], None]:
    """Watch for the first nested run; returns what undoes that (what was applied stays)."""
    original_run = asyncio.run
    loop: Any = running_loop()
    watched = hasattr(loop, "__dict__") and not isinstance(loop, RuntimeLoop)

    @functools.wraps(original_run)
    def run(*args: Any, **options: Any) -> Any:
        if not _nest():
            return original_run(*args, **options)
        return asyncio.run(*args, **options)  # nest_asyncio2's by now

    def run_until_complete(future: object) -> Any:
        _nest()
        return type(loop).run_until_complete(loop, future)

    def undo() -> None:
        if asyncio.run is run:
            asyncio.run = original_run
        if watched:
            vars(loop).pop("run_until_complete", None)

    def _nest() -> bool:
        inside = running_loop()
        if inside is None or isinstance(inside, RuntimeLoop):
            return False  # asyncio's own answer is the right one
        import nest_asyncio2

        undo()
        nest_asyncio2.apply(inside)
        return True

    asyncio.run = run
    if watched:
        loop.run_until_complete = run_until_complete
    return undo
