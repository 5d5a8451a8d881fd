"""The exercises by name: one file a lesson, in `lessons/`, found when one is asked for.

A lesson's file is named as its exercises begin: `identity-1` is in `lessons/identity.py`, in a
function with `@exercise`. It yields a `Point` for each thing asked for, and simply continues as if
all were well: what is missing raises, and ends the check there.
"""

import contextlib
import importlib
import io
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dobook.errors import UnknownNameError, UsageError
from dobook.notebook.core.display import Card
from dobook.notebook.exercises import lessons
from dobook.notebook.exercises.verdict import Point, Verdict
from dobook.notebook.exercises.work import Missing, Work

Check = Callable[[Work], Iterator[Point]]


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise.

    Attributes:
        name: As `dobook.check` takes it.
        task: What is asked for, in a line.
        check: Yields what was found.
    """

    name: str
    task: str
    check: Check


_known: dict[str, Exercise] = {}


def exercise(name: str, task: str) -> Callable[[Check], Check]:
    """Register a check under a name.

    Args:
        name: The lesson's file and a number: "identity-1".
        task: What is asked for, in a line.
    """

    def register(check: Check) -> Check:
        _known[name] = Exercise(name, task, check)
        return check

    return register


def exercises() -> dict[str, Exercise]:
    """Return all exercises, by name."""
    for module in pkgutil.iter_modules(lessons.__path__, f"{lessons.__name__}."):
        importlib.import_module(module.name)
    return dict(sorted(_known.items()))


def check(name: str | None = None) -> Verdict | Card:
    """Check what a notebook has for an exercise: what holds, and what is still missing.

    The classes are tried in a runtime of their own: nothing in the notebook's changes.

    Args:
        name: The exercise, "identity-1"; None to list them.

    Returns:
        A verdict: `passed`, and `points` with what was found.

    Raises:
        UnknownNameError: If there is no such exercise; the message names the nearest.
        UsageError: If this is not a notebook with dobook loaded.
    """
    if name is None:
        rows = tuple((e.name, e.task) for e in exercises().values())
        return Card("exercises", rows, 'dobook.check("…") looks at one')
    if name not in _known:
        everything = exercises()
        if name not in everything:
            raise UnknownNameError("exercise", name, everything)
    return examine(name, work_here())


def examine(name: str, work: Work) -> Verdict:
    """Return the verdict on one exercise.

    Args:
        name: The exercise, one of `exercises()`.
        work: What there is.
    """
    return Verdict(name, tuple(_points(_known[name], work)))


def _points(found: Exercise, work: Work) -> Iterator[Point]:
    checking = found.check(work)
    while True:
        # What the learner's code prints while it is tried belongs to no cell.
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                point = next(checking)
            except StopIteration:
                return
            except Missing as missing:
                point = Point(holds=False, text=str(missing))
        yield point


def work_here() -> Work:
    """Return what the notebook that this runs in has.

    Raises:
        UsageError: If this is not a notebook with dobook loaded.
    """
    from IPython.core.getipython import get_ipython

    from dobook.notebook.extension import session_of

    shell = get_ipython()
    session = session_of(shell)
    if shell is None or session is None:
        raise UsageError("exercises are looked at in a notebook: run %load_ext dobook first.")
    return Work(session, shell.user_ns)
