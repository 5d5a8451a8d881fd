"""`dobook export` and `dobook check`: from a notebook to a project, and what would not deploy."""

import argparse
import sys
from pathlib import Path
from typing import Any

from dobook.errors import DobookError


def add_to(commands: Any) -> None:
    """Add the subcommands to the command's parser."""
    export = commands.add_parser(
        "export",
        help="write a notebook's classes as a project for Cloudflare",
        description="Writes a deployable project: src/entry.py from the cells' own source, "
        "wrangler.jsonc with bindings and migrations, pyproject.toml, a test and a README. The "
        "notebook is read, not run. Files that were edited by hand are left alone, and the "
        "difference is shown.",
    )
    export.add_argument("notebook", type=Path, metavar="NOTEBOOK.ipynb")
    export.add_argument("folder", type=Path, metavar="FOLDER")
    export.add_argument("--name", help="the Worker's name (default: the notebook's)")
    export.add_argument("--force", action="store_true", help="replace files edited by hand too")
    export.set_defaults(run=_export)
    check = commands.add_parser(
        "check",
        help="find what would not run on Cloudflare",
        description="Reads a project, a module or a notebook, without running it, and prints what "
        "would not run on Cloudflare or not as meant: each with its line, why, and what to do. The "
        "exit status is 1 if there is anything.",
    )
    check.add_argument("path", type=Path, metavar="PATH", help="a project, .py or .ipynb file")
    check.set_defaults(run=_check)


def _export(options: argparse.Namespace) -> int:
    from dobook.export import export_notebook

    try:
        report = export_notebook(
            options.notebook, options.folder, name=options.name, force=options.force
        )
    except DobookError as error:
        return _fail(error)
    print(report.diff, end="")  # noqa: T201 - a command's answer
    print(report)  # noqa: T201 - a command's answer
    return 0


def _check(options: argparse.Namespace) -> int:
    from dobook.lint import check_path

    try:
        findings = check_path(options.path)
    except DobookError as error:
        _fail(error)
        return 2
    print(findings)  # noqa: T201 - a command's answer
    return 1 if findings else 0


def _fail(error: BaseException) -> int:
    notes = getattr(error, "__notes__", [])
    print("dobook:", *[str(error), *notes], file=sys.stderr)  # noqa: T201 - a command's answer
    return 1
