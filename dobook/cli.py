"""The `dobook` command: what can be done without opening a notebook.

Owns the arguments and what is printed; each subcommand imports what it needs when it runs, so that
`dobook version` starts no kernel. Never knows the engine's inside.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import dobook
from dobook import cli_run, cli_serve, cli_ship

QUICKSTART = Path("notebooks") / "01_quickstart.ipynb"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: What follows the command's name; by default what the shell gave.

    Returns:
        The exit status: 0, or 1 if it could not be done.

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
    version.set_defaults(run=lambda _options: _say(f"dobook {dobook.__version__}"))
    quickstart = commands.add_parser(
        "quickstart",
        help="execute the quickstart notebook and leave an HTML page",
        description="Executes the quickstart notebook from top to bottom, without a browser, and "
        "leaves it as an HTML page with all outputs.",
    )
    quickstart.add_argument(
        "--notebook",
        type=Path,
        default=None,
        help=f"another notebook to execute (default: {QUICKSTART.as_posix()} of this clone)",
    )
    quickstart.add_argument(
        "--output",
        type=Path,
        default=Path("out"),
        metavar="FOLDER",
        help="where the page goes (default: out)",
    )
    quickstart.set_defaults(run=lambda options: _quickstart(options.notebook, options.output))
    cli_run.add_to(commands)
    cli_serve.add_to(commands)
    cli_ship.add_to(commands)
    return parser


def _quickstart(notebook: Path | None, folder: Path) -> int:
    if notebook is None:
        # Notebooks are not part of the installed package: they are beside it in a clone.
        beside = Path(dobook.__file__).parent.parent / QUICKSTART
        notebook = QUICKSTART if QUICKSTART.exists() else beside
    if not notebook.exists():
        return _fail(
            f"{notebook} does not exist. Run this in a clone of dobook, or name a notebook with "
            "--notebook."
        )
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError
        from nbconvert import HTMLExporter
    except ModuleNotFoundError as error:
        return _fail(f"{error.name} is not installed. Run: pip install 'dobook[notebook]'")
    _say(f"executing {notebook} ...")
    document = nbformat.reads(notebook.read_text("utf-8"), as_version=4)
    client = NotebookClient(
        document,
        timeout=120,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(notebook.parent)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        return _fail(str(error))
    page, _ = HTMLExporter().from_notebook_node(document, {"metadata": {"name": notebook.stem}})
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / (notebook.stem.lstrip("0123456789_") + ".html")
    target.write_text(page, encoding="utf-8")
    cells = sum(cell.cell_type == "code" for cell in document.cells)
    return _say(f"{cells} cells ran. Look at {target.resolve()}")


def _say(text: str) -> int:
    print(text)  # noqa: T201 - a command's answer
    return 0


def _fail(text: str) -> int:
    print(f"dobook: {text}", file=sys.stderr)  # noqa: T201 - a command's answer
    return 1
