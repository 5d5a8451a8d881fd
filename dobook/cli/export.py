"""`dobook export`: a notebook's classes as a project that deploys."""

import argparse
from pathlib import Path
from typing import Any

from dobook.cli.output import complain, say
from dobook.errors import DobookError


def add_to(commands: Any) -> None:
    """Add the subcommand to the command's parser."""
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


def _export(options: argparse.Namespace) -> int:
    from dobook.export import export_notebook

    try:
        report = export_notebook(
            options.notebook, options.folder, name=options.name, force=options.force
        )
    except DobookError as error:
        return complain(error)
    print(report.diff, end="")  # noqa: T201 - a command's answer
    say(report)
    return 0
