"""From a notebook to a project that deploys: `%export DIR`, `dobook export NOTEBOOK DIR`.

The project's `src/entry.py` is made of the cells' own source, comments included: the classes of
objects, the Worker, and what they need from other cells. Nothing is run, and nothing that was
edited by hand is ever replaced unasked.
"""

from pathlib import Path

from dobook.export.material import Material, read_notebook
from dobook.export.project import Project, make_project
from dobook.export.writing import FileReport, Report, write_project

__all__ = [
    "FileReport",
    "Material",
    "Project",
    "Report",
    "export_notebook",
    "make_project",
    "read_notebook",
    "write_project",
]


def export_notebook(
    notebook: str | Path, folder: str | Path, *, name: str | None = None, force: bool = False
) -> Report:
    """Write the project of a notebook's file.

    Args:
        notebook: The `.ipynb` file.
        folder: Where the project goes.
        name: What the Worker is called; by default as the notebook.
        force: Also replace files that were edited by hand.

    Raises:
        UsageError: If the notebook cannot be read, defines no class of objects, or the folder
            cannot be written.
        ConfigurationError: If its `%%wrangler` cell cannot be used.
    """
    project = make_project(read_notebook(Path(notebook)), name)
    return write_project(project, Path(folder), force=force)
