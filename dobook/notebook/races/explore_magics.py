"""`%%explore`: run a cell under many schedules and crashes, and show the smallest that fails."""

import argparse
import ast
import inspect
from typing import Any

from IPython.core.magic import line_cell_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from dobook.clock import parse_duration
from dobook.errors import UnknownNameError, UsageError
from dobook.explorer.replay import replay
from dobook.explorer.report import Report
from dobook.explorer.schedule import KINDS
from dobook.explorer.search import explore
from dobook.explorer.strategies.table import STRATEGIES
from dobook.notebook.core.arguments import with_names
from dobook.notebook.core.magic import MagicsBase, command
from dobook.notebook.races.exploring import scenario_of

_NAME = "cell"


@magics_class
class ExploreMagics(MagicsBase):
    """The magic that finds races."""

    @line_cell_magic
    @command
    @magic_arguments()
    @argument(
        "name",
        nargs="?",
        help="What to call the cell's scenario; without a cell, the async function to run.",
    )
    @argument("--runs", type=int, metavar="N", help="How many schedules to try (500).")
    @argument("--seconds", metavar="TIME", help="How long to explore, like 30s, instead.")
    @argument(
        "--strategy",
        default="random",
        metavar="HOW",
        help=f"How to look: {', '.join(STRATEGIES)}.",
    )
    @argument(
        "--faults",
        nargs="+",
        default=["all"],
        metavar="KIND",
        help=f"What may happen: all, none, or some of {', '.join(KINDS)}.",
    )
    @argument("--seed", type=int, default=0, metavar="N", help="Try other schedules.")
    @argument("--stop", action="store_true", help="Stop at the first failure.")
    @argument("--jobs", type=int, metavar="N", help="How many processes; as many as cores.")
    @argument(
        "--replay",
        metavar="LINE",
        help="Run only what a report's line says, quoted, or $name of a variable that has it.",
    )
    def explore(self, args: argparse.Namespace, cell: str = "") -> Report:
        """Run a scenario under many orders of events, delays and crashes; show what fails.

        The cell is what clients do, with assertions; it may await. `env` has the notebook's
        classes, but each run has a runtime of its own and begins with empty storage. Faults make
        calls fail: `await dobook.retry(lambda: ...)` tries again as a client would.

        Returns a report: `.story` in words, `.frame` the events, `.line` what repeats it.

        Example::

            %%explore two_at_once --runs 200 --faults none
            import asyncio
            counters = [env.COUNTER.getByName("a"), env.COUNTER.getByName("a")]
            seen = await asyncio.gather(*(c.increment() for c in counters))
            assert sorted(seen) == [1, 2]
        """
        scenario = self._scenario(args, cell)
        classes = {n.binding: n.cls for n in self.session.kernel.namespaces}
        if args.replay is not None:
            return replay(_unquoted(with_names(args.replay, self.names)), scenario, classes)
        return explore(
            scenario,
            classes,
            runs=args.runs,
            seconds=None if args.seconds is None else parse_duration(args.seconds) / 1000,
            strategy=args.strategy,
            faults=" ".join(args.faults),
            seed=args.seed,
            stop=args.stop,
            jobs=args.jobs,
            worker=None if self.session.worker is None else self.session.worker.cls,
        )

    def _scenario(self, args: argparse.Namespace, cell: str) -> Any:
        name = args.name or _NAME
        if cell.strip():
            if not name.isidentifier():
                raise UsageError(f"{name!r} cannot be a scenario's name; write an identifier.")
            scenario = scenario_of(self.shell, f"%%explore {args.line}", cell, name)
            if args.name:
                self.shell.user_ns[name] = scenario
            return scenario
        if args.name is None:
            raise UsageError(
                "write the scenario below %%explore, or name an async function: %explore scenario"
            )
        found = self.names.get(name)
        if found is None:
            known = [n for n, v in self.names.items() if inspect.iscoroutinefunction(v)]
            raise UnknownNameError("async function", name, known)
        return found


def _unquoted(line: str) -> str:
    """Return a line that may have been copied with its quotes or its call."""
    text = line.strip().removeprefix("dobook.replay(").removesuffix(")")
    try:
        return str(ast.literal_eval(text))
    except (SyntaxError, ValueError, MemoryError, RecursionError):  # the last two: nested too deep
        return line
