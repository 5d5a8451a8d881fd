"""What all magics share: reading the line, and errors of use as one line without a traceback."""

import argparse
import functools
import re
import sys
from collections.abc import Callable
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import MAGIC_NO_VAR_EXPAND_ATTR, Magics, magics_class
from IPython.core.magic_arguments import argument

from dobook.errors import DobookError, suggest
from dobook.notebook.core.arguments import split, unquote, with_braces, with_names
from dobook.notebook.core.session import Session
from dobook.notebook.core.tracebacks import has_users_frames, one_line

target_argument = argument(
    "target", metavar="OBJ", help="The object: BINDING/name; $name takes a variable."
)


def _variable(text: str) -> str:
    if not text.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} cannot be a variable's name")
    return text


def keeping(what: str) -> Any:
    """Return the option that also keeps a magic's result as a variable."""
    return argument(
        "--as",
        dest="variable",
        type=_variable,
        metavar="NAME",
        help=f"Also keep the {what} as a variable.",
    )


@magics_class
class MagicsBase(Magics):
    """A family of magics of one session."""

    shell: InteractiveShell  # never None here

    def __init__(self, shell: InteractiveShell, session: Session) -> None:
        super().__init__(shell)
        self.session = session

    @property
    def names(self) -> dict[str, Any]:
        """The notebook's variables."""
        names: dict[str, Any] = self.shell.user_ns
        return names


def command(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of parsed arguments a magic, below `@magic_arguments()`.

    `args.written` has the line's words as they were written, quotes included; `args.words` with
    variables in place of `{name}`. A `;` at the end keeps the result from being shown. An error that dobook
    raises before user code runs becomes IPython's UsageError, the only class whose traceback
    IPython hides; an error of user code keeps its traceback.
    """

    @functools.wraps(function)
    def magic(self: MagicsBase, line: str = "", *cell: str) -> Any:
        try:
            line, silent = _without_semicolon(line, function.parser.prog)  # type: ignore[attr-defined]
            written = split(line)
            words = [with_braces(word, self.names) for word in written]
            args = parse(function.parser, [unquote(word) for word in words])  # type: ignore[attr-defined]
            args.line, args.written, args.words = line, written, words
            if isinstance(getattr(args, "target", None), str):
                args.target = with_names(args.target, self.names)
            with self.session.kernel.driver.held:  # in real time another thread turns it
                result = function(self, args, *cell)
            if silent:
                _keep_silent(self.shell, result)
            return result
        except DobookError as error:
            if has_users_frames(error) or getattr(error, "handlers_fault", False):
                raise
            raise UsageError(one_line(error)) from error

    # Braces are JSON here, and names are looked up, never evaluated; see `arguments`.
    setattr(magic, MAGIC_NO_VAR_EXPAND_ATTR, True)
    return magic


def _without_semicolon(line: str, magic: str) -> tuple[str, bool]:
    bare = line.rstrip()
    if magic == "sql" or not bare.endswith(";"):  # in SQL it belongs to the statement
        return line, False
    return bare[:-1].rstrip(), True


def _keep_silent(shell: InteractiveShell, result: object) -> None:
    """Keep the shell from showing a result in this cell; it can still be assigned, and used."""
    hook: Any = shell.displayhook
    shown = hook.quiet

    def quiet() -> bool:
        # What the hook is about to show is an argument of the frame that asks.
        return sys._getframe(1).f_locals.get("result") is result or bool(shown())  # noqa: SLF001

    def over(*_: Any) -> None:
        vars(hook).pop("quiet", None)
        shell.events.unregister("post_run_cell", over)

    hook.quiet = quiet
    shell.events.register("post_run_cell", over)


def parse(parser: argparse.ArgumentParser, argv: list[str]) -> argparse.Namespace:
    """Parse a magic's words; a misspelt option is answered with the right one.

    Raises:
        UsageError: If they do not fit.
    """
    try:
        return parser.parse_args(argv)
    except UsageError as error:
        found = re.match(r"unrecognized arguments: (--?\S+)", str(error))
        if found:
            options = [o for a in parser._actions for o in a.option_strings]  # noqa: SLF001
            word = found[1].partition("=")[0]
            if options:
                raise UsageError(f"no option {word!r}. {suggest(word, options)}") from None
        raise UsageError(f"{error}. %{parser.prog}? shows how it is used.") from None
