"""`dobook quickstart`: the first notebook, executed without a browser."""

import argparse
from pathlib import Path
from typing import Any

import dobook
from dobook.cli.output import complain, say

QUICKSTART = Path("notebooks") / "01_quickstart.ipynb"


def add_to(commands: Any) -> None:
    """Add the subcommand to the command's parser."""
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
    quickstart.set_defaults(run=_quickstart)


def _quickstart(options: argparse.Namespace) -> int:
    notebook, folder = options.notebook, options.output
    if notebook is None:
        # Notebooks are not part of the installed package: they are beside it in a clone.
        clone = Path(dobook.__file__).parent.parent
        notebook = next((p for p in (QUICKSTART, clone / QUICKSTART) if p.exists()), None)
        if notebook is None:
            return complain(
                f"{QUICKSTART.as_posix()} is not here: the lessons come with a clone of dobook. "
                "Run this in one, or name a notebook with --notebook."
            )
    if not notebook.exists():
        return complain(f"{notebook} does not exist. Name another notebook with --notebook.")
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError
        from nbconvert import HTMLExporter
    except ModuleNotFoundError as error:
        return complain(f"{error.name} is not installed. Run: pip install 'dobook[notebook]'")
    say(f"executing {notebook} ...")
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
        return complain(str(error))
    page, _ = HTMLExporter().from_notebook_node(document, {"metadata": {"name": notebook.stem}})
    from dobook.storage.foreign_files import replace_users_file

    folder.mkdir(parents=True, exist_ok=True)
    target = folder / (notebook.stem.lstrip("0123456789_") + ".html")
    replace_users_file(target, page.encode())
    cells = sum(cell.cell_type == "code" for cell in document.cells)
    say(f"{cells} cells ran. Look at {target.resolve()}")
    return 0
