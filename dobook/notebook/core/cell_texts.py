"""The texts of the cells that have run, kept whether or not the front end keeps a history."""

from collections.abc import Callable
from typing import Any

from IPython.core.interactiveshell import InteractiveShell


class CellHistory:
    """What has run in a shell, oldest first, the running cell included.

    Args:
        shell: The shell; what it remembers of the time before is taken over.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        manager = shell.history_manager
        self.texts: list[str] = [] if manager is None else list(manager.input_hist_raw)

    def note(self, info: Any) -> None:
        """Keep the text of a cell that is about to run."""
        self.texts.append(info.raw_cell)


def install(shell: InteractiveShell, history: CellHistory) -> Callable[[], None]:
    """Start keeping the cells that run; returns what undoes it."""
    shell.events.register("pre_run_cell", history.note)
    return lambda: shell.events.unregister("pre_run_cell", history.note)
