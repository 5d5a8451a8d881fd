"""`dobook state`: looking at a state directory without a runtime."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from dobook.cli.output import complain, say
from dobook.errors import DobookError


def add_to(commands: Any) -> None:
    """Add the subcommand to the command's parser."""
    state = commands.add_parser("state", help="look at a state directory")
    verbs = state.add_subparsers(title="commands", required=True, metavar="COMMAND")
    check = verbs.add_parser(
        "check",
        help="say whether anything in a state directory is damaged",
        description="Reads every file of a state directory and prints what is right, what is odd and "
        "what is damaged, and what happens to it when the directory is opened. Nothing is changed "
        "and no lock is taken: a runtime may have it open. The exit status is 0 if all is right, 1 "
        "if anything is damaged, 2 if it cannot be looked at.",
    )
    check.add_argument("directory", type=Path, metavar="DIR", help="a state directory")
    check.add_argument("--json", action="store_true", help="print the report as JSON, for programs")
    check.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    from dobook.storage.checking import check_state

    shown = _Count() if sys.stderr.isatty() and not options.json else None
    try:
        report = check_state(options.directory, progress=shown or (lambda _done, _total: None))
    except DobookError as error:
        complain(error)
        return 2
    finally:
        if shown is not None:
            shown.clear()
    say(json.dumps(report.as_dict(), indent=2) if options.json else report)
    return 1 if report.damaged else 0


class _Count:
    """Shows in a terminal how many objects have been looked at, where there are many."""

    STEP = 1_000

    def __init__(self) -> None:
        self._shown = False

    def __call__(self, done: int, total: int) -> None:
        if done % self.STEP == 0:
            self._shown = True
            print(f"\r{done:,} of {total:,} objects", end="", file=sys.stderr, flush=True)  # noqa: T201

    def clear(self) -> None:
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)  # noqa: T201
