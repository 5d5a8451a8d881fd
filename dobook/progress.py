"""A bar that says how far something is, once it has taken a second."""

import contextlib
import time
from typing import Any

AFTER_S = 1.0  # nobody needs a bar for less


class Progress(contextlib.AbstractContextManager["Progress"]):
    """How far something is.

    Args:
        total: When it is done.
        after_s: From how many seconds on there is a bar; AFTER_S by default.
        options: How tqdm's bar looks.
    """

    def __init__(self, total: int, *, after_s: float | None = None, **options: Any) -> None:
        self._total = total
        self._after_s = AFTER_S if after_s is None else after_s
        self._options = options
        self._done = 0
        self._began = time.monotonic()
        self._bar: Any = None

    def add(self, more: int = 1, note: str = "") -> None:
        """Advance the bar.

        Args:
            more: By how much.
            note: What to say beside the bar.
        """
        self._done += more
        if self._bar is not None:
            self._bar.update(more)
        elif self._done < self._total and time.monotonic() - self._began > self._after_s:
            from tqdm.auto import tqdm  # brings widgets along: only when there is something to show

            self._bar = tqdm(total=self._total, initial=self._done, leave=False, **self._options)
        if self._bar is not None and note:
            self._bar.set_postfix_str(note)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
