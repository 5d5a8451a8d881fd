"""The line that replays a run: which scenario, which classes, which code, which schedule.

`shop:two_buyers STOCK=Stock code=3f9a21c4 | next 3=1; reply STOCK/a 1 lost`
"""

import importlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from dobook.errors import UsageError
from dobook.explorer.run import Case, Scenario
from dobook.explorer.schedule import KINDS, Schedule, parse_schedule
from dobook.runtime.registry import default_binding

_LINE = re.compile(r"(\S+):(\S+)((?: \S+=\S+)*) code=(\w+)(?: seed=(\d+))? \| (.*)")
_NO_LIMIT = 1_000
_WORKER = "@worker"  # among the bindings
_known: dict[tuple[str, str], Case] = {}  # what has been explored in this process, by its name


def remember(case: Case) -> None:
    """Have a scenario found by its name."""
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
    """Return the case, the schedule and the code's hash that a line says.

    Raises:
        UsageError: If it cannot be read, or names what cannot be found.
    """
    match = _LINE.fullmatch(" ".join(line.split()))
    if match is None:
        raise UsageError(
            "this is no line that replays a run. It looks like `module:scenario COUNTER=Counter "
            "code=3f9a21c4 | next 3=1`; a report has it as report.line."
        )
    module, name, bindings, code, seed, schedule = match.groups()
    known = _known.get((module, name))
    if scenario is None:
        scenario = _find(module, name) if known is None else known.scenario
    found: dict[str, Any] = {}
    for given in classes:
        found |= {default_binding(given.__name__): given} if isinstance(given, type) else given
    for binding, _, where in (item.partition("=") for item in bindings.split()):
        if binding not in found:
            at, _, qualname = where.rpartition(":")
            same = None if known is None else _parts(known).get(binding)
            if same is not None and _home(same) == (at or module, qualname):
                found[binding] = same
            else:
                found[binding] = _find(at or module, qualname)
    worker = found.pop(_WORKER, None)
    case = Case(scenario, found, tuple(KINDS), _NO_LIMIT, int(seed or 0), _NO_LIMIT, worker)
    return case, parse_schedule(schedule), code


def _parts(case: Case) -> dict[str, Any]:
    return {**case.classes, _WORKER: case.worker}


def _home(thing: Any) -> tuple[str, str]:
    name = getattr(thing, "__qualname__", type(thing).__name__)
    return getattr(thing, "__module__", None) or "__main__", name.replace(" ", "_")


def _find(module: str, qualname: str) -> Any:
    try:
        found: Any = importlib.import_module(module)
        for part in qualname.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError):
        raise UsageError(
            f"{qualname} of {module} is not here. Run the cell or import the module that defines "
            "it first, or pass it: dobook.replay(line, scenario, Class)."
        ) from None
    return found
