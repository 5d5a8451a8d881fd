"""`dobook check`: what would not run on Cloudflare, found by reading the code."""

import argparse
from pathlib import Path
from typing import Any

from dobook.cli.output import complain, say
from dobook.errors import DobookError


def add_to(commands: Any) -> None:
    """Add the subcommand to the command's parser."""
    check = commands.add_parser(
        "check",
        help="find what would not run on Cloudflare",
        description="Reads a project, a module or a notebook, without running it, and prints what "
        "would not run on Cloudflare or not as meant: each with its line, why, and what to do. The "
        "exit status is 1 if there is anything.",
    )
    check.add_argument("path", type=Path, metavar="PATH", help="a project, .py or .ipynb file")
    check.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    from dobook.lint import check_path

    try:
        findings = check_path(options.path)
    except DobookError as error:
        complain(error)
        return 2
    say(findings)
    return 1 if findings else 0
