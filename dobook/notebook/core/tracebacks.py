"""Tracebacks that show the user's lines and leave dobook's own frames out.

`%xmode Verbose` shows everything, for those who look for the fault in dobook itself.
"""

import linecache
import sys
import sysconfig
from collections import Counter
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from dobook.errors import DobookError
from dobook.notebook.core.hints import add_hint
from dobook.runtime.reports.uncaught import headline

# Raised on purpose by what the user called; anything else that comes from inside is our own fault,
# and then the frames are wanted.
_INTENDED = (
    DobookError,
    AttributeError,
    ImportError,
    KeyboardInterrupt,
    OSError,
    TypeError,
    ValueError,
)
_MOST_TIMES = 3  # that one error is shown below a cell
_LIBRARIES = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "platlib", "purelib"))
_MACHINERY = ("dobook", "asyncio", "contextlib", "IPython", "ipykernel", "runpy")


def install(shell: InteractiveShell) -> Callable[[], None]:
    """Trim a shell's tracebacks; returns what undoes it."""
    formatter: Any = shell.InteractiveTB
    original = formatter.format_exception_as_a_whole

    def trimmed(
        etype: type, evalue: BaseException | None, etb: TracebackType | None, *rest: Any
    ) -> Any:
        if evalue is not None:
            add_hint(evalue)
        if formatter.mode != "Verbose" and evalue is not None:
            etb = users_traceback(evalue, etb)
        return original(etype, evalue, etb, *rest)

    formatter.format_exception_as_a_whole = trimmed
    syntax: Any = shell.SyntaxTB
    whole = syntax.structured_traceback

    def only_the_line(
        etype: type,
        evalue: BaseException | None,
        entries: object = None,
        *rest: Any,
        **options: Any,
    ) -> Any:
        if getattr(evalue, "of_a_cell", False):
            entries = []
        return whole(etype, evalue, entries, *rest, **options)

    syntax.structured_traceback = only_the_line

    def undo() -> None:
        del formatter.format_exception_as_a_whole
        del syntax.structured_traceback

    return undo


def users_traceback(error: BaseException, traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames of dobook, as far as that hides no fault of dobook.

    Args:
        error: What was raised.
        traceback: Its traceback, which stays as it is.
    """
    entries = list(_entries(traceback))
    if isinstance(error, KeyboardInterrupt):
        kept = [entry for entry in entries if _is_users(entry)]
    else:
        kept = [entry for entry in entries if not is_ours(entry)]
    if not kept or len(kept) == len(entries):
        return traceback
    if is_ours(entries[-1]) and not isinstance(error, _INTENDED):
        kept.append(entries[-1])
    following: TracebackType | None = None
    for entry in reversed(kept):
        following = TracebackType(following, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return following


def has_users_frames(error: BaseException) -> bool:
    """Return whether user code was running when an error was raised below a magic."""
    return any(_root(entry) not in _MACHINERY for entry in _entries(error.__traceback__))


def users_lines(error: BaseException, shell: InteractiveShell) -> list[str]:
    """Return where an error was raised in the user's code: a place and the line; empty if nowhere.

    Args:
        error: What was raised.
        shell: The shell, which knows the cells' file names.
    """
    places = [e for e in _entries(error.__traceback__) if _root(e) not in _MACHINERY]
    if not places:
        return []
    label = shell.compile.format_code_name
    cells = [e for e in places if label(e.tb_frame.f_code.co_filename) is not None]
    last = (cells or places)[-1]
    code = last.tb_frame.f_code
    # Not the cell's number: it depends on how often cells have run.
    place = "its cell" if cells else code.co_filename
    line = linecache.getline(code.co_filename, last.tb_lineno).strip()
    return [f"raised in {code.co_qualname}, line {last.tb_lineno} of {place}:", f"    {line}"]


def below_the_cell(shell: InteractiveShell) -> Callable[[Any, dict[str, Any]], None]:
    """Return what tells errors that nobody awaits where a cell's output is, each three times at most.

    Args:
        shell: The shell, which knows the cells' file names.
    """
    told: Counter[tuple[int, str]] = Counter()

    def tell(loop: Any, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if "unheard" in context:
            text = str(context["message"])
        elif error is None:
            loop.default_exception_handler(context)
            return
        else:
            what = f"{type(error).__name__}: {one_line(error)}"
            text = "\n  ".join([f"{headline(context)}. {what}", *users_lines(error, shell)])
        times = told[shell.execution_count, text] = told[shell.execution_count, text] + 1
        if times <= _MOST_TIMES:
            sys.stderr.write(f"{text}\n")
        elif times == _MOST_TIMES + 1:
            sys.stderr.write(f"{headline(context)} again, and so on.\n")

    return tell


def is_ours(entry: TracebackType) -> bool:
    """Return whether a frame is one of dobook's own code."""
    return _root(entry) == "dobook"


def _is_users(entry: TracebackType) -> bool:
    """Return whether a frame is of neither dobook nor a library: where the user was interrupted."""
    file = entry.tb_frame.f_code.co_filename
    return (
        not is_ours(entry) and not file.startswith("<frozen ") and not file.startswith(_LIBRARIES)
    )


def _root(entry: TracebackType) -> str:
    return str(entry.tb_frame.f_globals.get("__name__", "")).partition(".")[0]


def _entries(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def one_line(error: BaseException) -> str:
    """Return an error's message with its notes, on one line."""
    notes = getattr(error, "__notes__", [])
    return " ".join(" ".join([str(error), *notes]).split())
