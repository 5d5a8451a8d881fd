"""`%config DoMagics`: what a notebook may set about dobook's displays and hints.

IPython finds it by the shell's list of configurables; `%config DoMagics` shows the values and what
each means, `%config DoMagics.views = "never"` sets one.
"""

from collections.abc import Callable
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets import Bool, Enum, Int, TraitError
from traitlets.config import Configurable

from dobook.notebook.core.frame import Frame


class DoMagics(Configurable):
    """How dobook's magics show what they return."""

    views = Enum(
        ("auto", "always", "never"),
        default_value="auto",
        help="Live views beside static displays: where a front end is likely (auto), always, never.",
    ).tag(config=True)
    rows = Int(20, min=2, help="Rows of a table on the screen; a frame has them all.").tag(
        config=True
    )
    hints = Bool(
        default_value=True, help="Point out what was probably meant, after a 404 for instance."
    ).tag(config=True)


def install(shell: InteractiveShell, session: Any) -> Callable[[], None]:
    """Add the configuration to a shell; returns what undoes it."""
    try:
        config = DoMagics(parent=shell)
    except TraitError:  # the shell remembers what `%config` was given, also what it refused
        shell.config.pop("DoMagics", None)
        config = DoMagics(parent=shell)
    before = Frame.most_rows

    def follow(_change: Any) -> None:
        session.live, session.hints = config.views, config.hints
        Frame.most_rows = config.rows

    config.observe(follow, ["views", "rows", "hints"])
    follow(None)
    configurables: list[Any] = shell.configurables
    configurables.append(config)

    def undo() -> None:
        configurables.remove(config)
        Frame.most_rows = before

    return undo
