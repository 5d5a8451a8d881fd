"""The line that replays a run: which scenario, which classes, which code, which schedule.

`shop:two_buyers STOCK=Stock code=3f9a21c4 | next 3=1; reply STOCK/a 1 lost`
"""

import inspect
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from dobook.errors import UsageError
from dobook.explorer.code import UNKNOWN
from dobook.explorer.run import Case, Scenario
from dobook.explorer.schedule import KINDS, Schedule, parse_schedule
from dobook.runtime.registry import default_binding

_CODE = re.compile(r"code=([0-9a-zA-Z_]{1,64})")
_SEED = re.compile(r"seed=([0-9]{1,19})")
_LOOKS = (
    "It looks like `module:scenario COUNTER=Counter code=3f9a21c4 | next 3=1`; a report has it as "
    "report.line."
)
_MOST_CHARACTERS = 100_000
_NO_LIMIT = 1_000
_WORKER = "@worker"  # among the bindings
_known: dict[tuple[str, str], Case] = {}  # what has been explored in this process, by its name


def remember(case: Case) -> None:
    """Register a scenario under its name, so that a replay finds it."""
    _known[_home(case.scenario)] = case


def write_line(case: Case, schedule: Schedule) -> str:
    """Return the line that replays a schedule."""
    module, name = _home(case.scenario)
    bindings = []
    for binding, cls in case.classes.items():
        where = cls.__qualname__ if cls.__module__ == module else ":".join(_home(cls))
        bindings.append(f" {binding}={where}")
    if case.worker is not None:
        bindings.append(f" {_WORKER}={':'.join(_home(case.worker))}")
    seed = f" seed={case.seed}" if case.seed else ""
    return f"{module}:{name}{''.join(bindings)} code={case.code}{seed} | {schedule}"


def read_line(
    line: str, scenario: Scenario | None, classes: Iterable[type | Mapping[str, type]]
) -> tuple[Case, Schedule, str]:
    """Return the case, the schedule and the code's hash that a line says. Nothing is run.

    A line is text that somebody sent, so it never decides on its own what is run: see `_found`.

    Args:
        line: The line.
        scenario: The scenario that the caller gives.
        classes: The classes that the caller gives.

    Raises:
        UsageError: If it cannot be read, or names what the caller neither gave nor has here.
    """
    module, name, bindings, code, seed, schedule = _split(line)
    known = _known.get((module, name))
    by_name = False  # whether anything is run only because the line names it
    if scenario is None:
        by_name = known is None
        scenario = _found(module, name) if known is None else known.scenario
    found: dict[str, Any] = {}
    for given in classes:
        found |= {default_binding(given.__name__): given} if isinstance(given, type) else given
    for binding, where in bindings.items():
        if binding not in found:
            at, _, qualname = where.rpartition(":")
            same = None if known is None else _parts(known).get(binding)
            if same is not None and _home(same) == (at or module, qualname):
                found[binding] = same
            else:
                by_name = True
                found[binding] = _found(at or module, qualname, cls=True)
    worker = found.pop(_WORKER, None)
    choices = parse_schedule(schedule)
    case = Case(scenario, found, tuple(KINDS), _NO_LIMIT, seed, _NO_LIMIT, worker)
    if by_name and (code != case.code or code == UNKNOWN):
        raise UsageError(
            f"the line is of other code: it says code={code}, and what {module}:{name} is here has "
            f"code={case.code}. Nothing was run. Pass what you want to run with it: "
            "dobook.replay(line, scenario, Class)."
        )
    return case, choices, code


def _split(line: object) -> tuple[str, str, dict[str, str], str, int, str]:
    """Return module, name, bindings, code, seed and schedule of a line."""
    if not isinstance(line, str):
        raise UsageError(f"a line is text, not {type(line).__name__}. {_LOOKS}")
    if len(line) > _MOST_CHARACTERS:
        raise UsageError(f"a line has at most {_MOST_CHARACTERS:,} characters. {_LOOKS}")
    head, bar, schedule = " ".join(line.split()).partition(" |")
    words = head.split(" ")
    module, colon, name = words[0].rpartition(":")
    seed = 0
    if (match := _SEED.fullmatch(words[-1])) is not None:
        seed = int(match[1])
        words.pop()
    code = _CODE.fullmatch(words[-1])
    if not (bar and colon and module and name and code):
        raise UsageError(f"this is not a line that replays a run. {_LOOKS}")
    bindings: dict[str, str] = {}
    for word in words[1:-1]:
        binding, equals, where = word.partition("=")
        if not (binding and equals and where) or binding in bindings:
            raise UsageError(f"cannot read {word[:80]!r} in the line. {_LOOKS}")
        bindings[binding] = where
    return module, name, bindings, code[1], seed, schedule.strip()


def _parts(case: Case) -> dict[str, Any]:
    return {**case.classes, _WORKER: case.worker}


def _home(thing: object) -> tuple[str, str]:
    name = getattr(thing, "__qualname__", type(thing).__name__)
    return getattr(thing, "__module__", None) or "__main__", name.replace(" ", "_")


def _found(module: str, qualname: str, *, cls: bool = False) -> Any:
    """Return a scenario or class that the caller has here already. Nothing is imported or run.

    It must be defined in a module that is imported and is the caller's own: `__main__` (a notebook
    or script) or a file outside of Python's library and of installed packages. Those have functions
    that nobody means to run, such as `os:system`. Attributes are read from the modules' and
    classes' own dictionaries, as a `__getattr__` may run anything.
    """
    kind = "class" if cls else "async function"
    found: Any = sys.modules.get(module)
    if found is not None and not _is_library(module, found):
        for part in qualname.split("."):
            found = vars(found).get(part) if isinstance(found, (ModuleType, type)) else None
        fits = isinstance(found, type) if cls else inspect.iscoroutinefunction(found)
        if fits and _home(found) == (module, qualname):
            return found
    raise UsageError(
        f"the line names the {kind} {qualname[:80]} of {module[:80]}, which is not here as yours. "
        "Nothing was imported or run. Run the cell or import the module that defines it first, or "
        "pass it: dobook.replay(line, scenario, Class)."
    )


def _is_library(name: str, module: ModuleType) -> bool:
    if name == "__main__":
        return False
    file = vars(module).get("__file__")
    if name.partition(".")[0] in sys.stdlib_module_names or not isinstance(file, str):
        return True
    return not {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)
