"""How far a search has come: a bar when it takes long, and when to stop."""

import time
from collections.abc import Callable
from typing import Any

QUIET_S = 5.0  # nobody needs a bar for less


class Progress:
    """Shows how far a search has come, and knows when its time is up.

    Args:
        show: Whether there is a bar; or a function, called with how much is done, from 0 to 1.
        runs: How many runs there will be, None for as many as there is time for.
        seconds: How long it may take, None for as long as it takes.
    """

    def __init__(
        self,
        *,
        show: bool | Callable[[float], None],
        runs: int | None,
        seconds: float | None,
    ) -> None:
        self._show = show
        self._runs = runs
        self._seconds = seconds
        self._began = time.monotonic()
        self._bar: Any = None

    def advance(self, runs: int) -> bool:
        """Note how many runs there have been; returns whether it is time to stop."""
        elapsed = time.monotonic() - self._began
        done = max(
            runs / self._runs if self._runs else 0.0,
            elapsed / self._seconds if self._seconds else 0.0,
        )
        if callable(self._show):
            self._show(min(done, 1.0))
        elif self._show:
            self._draw(done, elapsed, runs)
        return done >= 1

    def _draw(self, done: float, elapsed: float, runs: int) -> None:
        if self._bar is None:
            if elapsed < QUIET_S:
                return
            from tqdm.auto import tqdm

            form = "{percentage:3.0f}%|{bar}| {postfix} [{elapsed}]"
            self._bar = tqdm(total=1000, leave=False, bar_format=form)
        self._bar.set_postfix_str(f"{runs:,} schedules", refresh=False)
        self._bar.update(min(1000, int(done * 1000)) - self._bar.n)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
