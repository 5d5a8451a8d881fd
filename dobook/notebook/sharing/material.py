"""What a running notebook has to export and to check: its cells, its classes, its configuration."""

from collections.abc import Iterator
from dataclasses import dataclass

from dobook.errors import UsageError
from dobook.export import Material
from dobook.export.cells import Cell, read_cell
from dobook.lint import Finding, Findings
from dobook.notebook.core.display import ERROR, box, count, heading, rows_html
from dobook.notebook.core.session import Session


def material_of(session: Session, name: str) -> Material:
    """Return what a session's notebook is made of.

    Args:
        session: The session.
        name: What the Worker is called if its configuration does not say.

    Raises:
        UsageError: If no cell has defined a class.
    """
    if not session.definitions:
        raise UsageError("no cell has defined a class yet. A %%durable_object cell does.")
    return Material(
        name,
        tuple(_cells(session)),
        {deployed: d.cls.__name__ for deployed, d in session.definitions.items()},
        None if session.worker is None else session.worker.cls.__name__,
        session.deployer.configuration,
        tuple(
            d.cls.__name__
            for d in session.entrypoints.values()
            if session.worker is None or d.cls is not session.worker.cls
        ),
    )


def _cells(session: Session) -> list[Cell]:
    """Return the cells that have run; of those that define classes, the ones that succeeded."""
    accepted = {text.strip() for text in session.accepted}
    texts = session.cells.texts
    found = [read_cell(number, text) for number, text in enumerate(texts) if text.strip()]
    return [
        cell
        for cell in found
        if cell.magic not in ("durable_object", "worker") or cell.text.strip() in accepted
    ]


@dataclass(frozen=True, slots=True, repr=False)
class Checked:
    """What a check has found, as a notebook shows it; iterate over it for the findings.

    Attributes:
        findings: The findings.
    """

    findings: Findings

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __repr__(self) -> str:
        if not self.findings:
            return "dobook check  nothing found: these classes would run on Cloudflare"
        return str(self.findings)

    def _repr_html_(self) -> str:
        if not self.findings:
            note = "nothing found: these classes would run on Cloudflare"
            return box(heading("dobook check", note))
        note = f"{count(len(self.findings), 'thing')} that would not run as meant"
        parts = [heading("dobook check", note)]
        for finding in self.findings:
            text = f"{finding.what}\n{finding.why}\n{finding.fix}"
            parts.append(rows_html(((finding.place, text),)))
        return box(*parts, colour=ERROR)
