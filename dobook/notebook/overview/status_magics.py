"""`%dobook`: the session's state, its settings, and help."""

import argparse
import contextlib
import dataclasses
from pathlib import Path
from typing import Any

from IPython.core.magic import line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from dobook.clock import parse_time
from dobook.errors import UsageError, suggest
from dobook.lint import check_material
from dobook.notebook.core.display import Card
from dobook.notebook.core.frame import Frame
from dobook.notebook.core.magic import MagicsBase, command
from dobook.notebook.inspector.state_frames import report_frame
from dobook.notebook.sharing.material import Checked, material_of
from dobook.progress import Progress
from dobook.storage.checking import check_state

_VERBS = ("help", "reset", "check", "check-state")


@magics_class
class StatusMagics(MagicsBase):
    """The magic named after the package."""

    @line_magic
    @command
    @magic_arguments()
    @argument(
        "verb",
        nargs="?",
        metavar="help|reset|check|check-state",
        help="help: list the magics. reset: begin again with empty storage and the clock at its "
        "start; classes stay. (IPython's own %%reset deletes the notebook's variables.) check: find "
        "what of the classes would not run on Cloudflare. check-state: look for damage in a state "
        "directory, without changing it.",
    )
    @argument(
        "directory",
        nargs="?",
        metavar="DIR",
        help="The directory for check-state; by default the runtime's own.",
    )
    @argument("--state", metavar="PATH", help='Keep state in a directory; "memory" for none.')
    @argument("--seed", type=int, metavar="N", help="Where ids and retry delays are drawn from.")
    @argument(
        "--start", metavar="TIME", help="Where the clock begins, like 2026-01-31T18:00 (UTC)."
    )
    @argument(
        "--durability",
        choices=("power", "process"),
        help="What answers wait for with --state: the disk, or the operating system alone.",
    )
    def dobook(self, args: argparse.Namespace) -> Card | Checked | Frame:
        """Show the session; with options, open its runtime anew with these settings.

        Classes that cells have defined are there again. With a state directory their objects and
        alarms are those of the directory, where the kernel's restart left them.

        Returns the session's card; for `check` the findings; for `check-state` a DataFrame: level
        (damage, note or ok), place, what, then. Its `.attrs` have the counts.

        Example::

            %dobook
            %dobook --state ./state --seed 7
            %dobook reset
            %dobook help
            %dobook check
            %dobook check-state ./state
        """
        session = self.session
        if args.verb == "help":
            return self._help()
        if args.verb == "check":
            return Checked(check_material(material_of(session, "notebook")))
        if args.verb == "check-state":
            return self._check_state(args.directory)
        if args.verb not in (None, "reset"):
            raise UsageError(f"%dobook {args.verb}: {suggest(args.verb, _VERBS)}")
        if args.directory is not None:
            raise UsageError(
                f"{args.directory} is one word too many. %dobook? shows how it is used."
            )
        changes: dict[str, Any] = {}
        if args.state is not None:
            changes["path"] = None if args.state == "memory" else Path(args.state).expanduser()
        if args.seed is not None:
            changes["seed"] = args.seed
        if args.start is not None:
            changes["start"] = parse_time(args.start)
        if args.durability is not None:
            changes["durability"] = args.durability
        if changes:
            session.reopen(dataclasses.replace(session.settings, **changes))
        if args.verb == "reset" and not changes:
            session.reset()
        return session.card(full=True)

    def _check_state(self, directory: str | None) -> Frame:
        path = self.session.kernel.path if directory is None else Path(directory).expanduser()
        if path is None:
            raise UsageError(
                "this runtime keeps its state in memory. Name a directory: %dobook check-state DIR"
            )
        with contextlib.ExitStack() as shown:
            bar: Progress | None = None

            def progress(_done: int, total: int) -> None:
                nonlocal bar
                if bar is None:
                    bar = shown.enter_context(Progress(total, desc=str(path), unit="object"))
                bar.add()

            report = check_state(path, progress=progress)
        return report_frame(report, self.session.runtime.clock.now_ms)

    def _help(self) -> Card:
        found: dict[str, list[str]] = {}
        for family in self.session.families:
            for kind, prefix in (("cell", "%%"), ("line", "%")):
                for name, method in family.magics[kind].items():
                    found.setdefault(name, [_summary(method)]).append(prefix + name)
        rows = tuple((", ".join(reversed(names)), text) for text, *names in found.values())
        return Card("dobook's magics", rows, "%name? explains one")


def _summary(method: Any) -> str:
    # The parser keeps the docstring as it was before IPython put the usage on top.
    return str(method.parser.description.strip().splitlines()[0])
