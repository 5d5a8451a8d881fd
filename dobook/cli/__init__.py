"""The `dobook` command: what can be done without opening a notebook; one file a subcommand.

Each subcommand imports what it needs when it runs, so that `dobook version` starts no kernel.
"""

import argparse
from collections.abc import Sequence

import dobook
from dobook.cli import check, export, quickstart, run, serve, state


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: What follows the command's name; by default what the shell gave.

    Returns:
        The exit status: 0, or another one if it could not be done.

    Example:
        >>> main(["version"])
        dobook 0.1.0
        0
    """
    options = parser().parse_args(arguments)
    return int(options.run(options))


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's line, with every subcommand."""
    parser = argparse.ArgumentParser(prog="dobook", description="Durable Objects in a notebook.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    version = commands.add_parser("version", help="print the version")
    version.set_defaults(run=_version)
    for subcommand in (quickstart, run, serve, export, check, state):
        subcommand.add_to(commands)
    return parser


def _version(_options: argparse.Namespace) -> int:
    print(f"dobook {dobook.__version__}")  # noqa: T201 - a command's answer
    return 0
