"""`%load_ext dobook`: registers magics, completion and displays; nothing happens at import time."""

from collections.abc import Callable

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

from dobook.notebook import completion, formatters
from dobook.notebook.core import (
    cell_texts,
    config,
    interrupts,
    nesting,
    redefined,
    sleeping,
    tracebacks,
)
from dobook.notebook.core.session import Session
from dobook.notebook.magics import ALL, MagicsBase

_ATTRIBUTE = "_dobook_session"
LAST_TRACEBACK = "_last_traceback"


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Open a session in a shell and show its card.

    Args:
        shell: The shell that `%load_ext dobook` was typed in.
    """
    if session_of(shell) is not None:
        return
    session = Session(shell)
    setattr(shell, _ATTRIBUTE, session)
    families = session.families = [family(shell, session) for family in ALL]
    for family in families:
        shell.register_magics(family)
    session.undo += [
        completion.install(shell, session, families),
        formatters.install(shell, session),
        tracebacks.install(shell),
        nesting.install(),
        interrupts.install(shell, session),
        config.install(shell, session),
        cell_texts.install(shell, session.cells),
        redefined.install(shell, session),
        sleeping.install(shell, session),
        _following(shell, session),
        _unregistering(shell, families),
        _answering_misplaced(shell, families),
    ]
    # ipykernel 7 reads it after an error in a cell that awaits, and a first UsageError sets none:
    # without it such a cell would never end.
    if not hasattr(shell, LAST_TRACEBACK):
        setattr(shell, LAST_TRACEBACK, None)
    display(session.card())


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Close the session of a shell and take everything back that loading added."""
    session = session_of(shell)
    if session is not None:
        delattr(shell, _ATTRIBUTE)
        session.close()


def session_of(shell: object) -> Session | None:
    """Return the session of a shell, None if dobook is not loaded there."""
    return getattr(shell, _ATTRIBUTE, None)


def _following(shell: InteractiveShell, session: Session) -> Callable[[], None]:
    """Refresh the views after each cell: not all that a cell changes runs the loop."""

    def ran(_result: object) -> None:
        session.views.turned()

    shell.events.register("post_run_cell", ran)
    return lambda: shell.events.unregister("post_run_cell", ran)


def _unregistering(shell: InteractiveShell, families: list[MagicsBase]) -> Callable[[], None]:
    manager = shell.magics_manager

    def undo() -> None:
        for family in families:
            for kind, names in family.magics.items():
                for name in names:
                    manager.magics[kind].pop(name, None)

    return undo


def _answering_misplaced(shell: InteractiveShell, families: list[MagicsBase]) -> Callable[[], None]:
    """Explain the mistake of a `%%name` below other lines, which IPython takes for a line magic."""
    lines = shell.magics_manager.magics["line"]

    def misplaced(name: str) -> Callable[[str], None]:
        def refuse(line: str) -> None:
            raise UsageError(
                f"%%{name} is not the first line of its cell, so it is not a cell magic. Put it, with "
                "all that belongs to it, into a cell of its own."
            )

        return refuse

    names = [f"%{name}" for family in families for name in family.magics["cell"]]
    lines |= {name: misplaced(name[1:]) for name in names}

    def undo() -> None:
        for name in names:
            lines.pop(name, None)

    return undo
