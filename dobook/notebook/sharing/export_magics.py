"""`%export`: the notebook's classes as a project that deploys."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from IPython.core.magic import line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from dobook.export import Report, make_project, write_project
from dobook.notebook.core.display import Card, box, heading, pre, rows_html
from dobook.notebook.core.magic import MagicsBase, command
from dobook.notebook.sharing.material import material_of

_ORDER = {
    "new": "written",
    "updated": "updated",
    "overwritten": "overwritten",
    "unchanged": "unchanged",
    "edited": "left alone",
}


@dataclass(frozen=True, slots=True, repr=False)
class Exported:
    """What an export has done, with the differences to what was there.

    Attributes:
        report: The files.
    """

    report: Report

    @property
    def path(self) -> Path:
        """The project's folder."""
        return self.report.folder

    @property
    def rows(self) -> tuple[tuple[str, str], ...]:
        """What happened to which files."""
        found: dict[str, list[str]] = {}
        for file in self.report.files:
            found.setdefault(_ORDER[file.status], []).append(file.path)
        rows = [(word, ", ".join(found[word])) for word in _ORDER.values() if word in found]
        if self.report.kept:
            rows.append(("", "edited by hand since; %export --force replaces them"))
        rows += [("warning", text) for text in self.report.warnings]
        return tuple(rows)

    def __repr__(self) -> str:
        card = repr(Card(str(self.path), self.rows, "a project for Cloudflare"))
        return f"{card}\n\n{self.report.diff}".rstrip()

    def _repr_html_(self) -> str:
        parts = [heading(str(self.path), "a project for Cloudflare"), rows_html(self.rows)]
        if self.report.diff:
            parts.append(pre(self.report.diff.rstrip()))
        return box(*parts)


@magics_class
class ShipMagics(MagicsBase):
    """The magic that leaves the notebook."""

    @line_magic
    @command
    @magic_arguments()
    @argument("folder", metavar="DIR", help="Where the project goes.")
    @argument(
        "--name", metavar="NAME", help="The Worker's name; by default the configuration's or DIR's."
    )
    @argument("--force", action="store_true", help="Replace files that were edited by hand too.")
    def export(self, args: argparse.Namespace) -> Exported:
        """Write the notebook's classes as a project for Cloudflare Workers.

        The entry module is made of the cells' own source: the classes, the Worker, and the
        functions and constants they use from other cells, with their comments. With it come the
        configuration with its migrations, a test and a README. Files that were edited by hand are
        left alone, and the difference is shown.

        Returns what was written; `.path` is the project's folder.

        Example::

            %export ./chat
            %export ./chat --name chat-room --force
        """
        folder = Path(args.folder).expanduser()
        project = make_project(material_of(self.session, folder.resolve().name), args.name)
        return Exported(write_project(project, folder, force=args.force))
