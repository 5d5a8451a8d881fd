"""What a check finds: where, what, why, and what to do."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_SILENCED = "dobook: ok"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that would not run on Cloudflare, or not as meant.

    Attributes:
        file: The file, or the cell.
        line: Its line, from 1; None where no line is at fault.
        rule: The name of the rule.
        what: What was found.
        why: Why it does not work there.
        fix: What to do.
    """

    file: str
    line: int | None
    rule: str
    what: str
    why: str
    fix: str

    @property
    def place(self) -> str:
        """The file with the line, as editors take it."""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def __str__(self) -> str:
        return f"{self.place}: {self.what}  [{self.rule}]\n    {self.why}\n    {self.fix}"


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a check has found, by file and line.

    Attributes:
        items: The findings.
        checked: What was looked at.
    """

    items: tuple[Finding, ...]
    checked: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.items)

    def __getitem__(self, index: int) -> Finding:
        return self.items[index]

    @property
    def rules(self) -> list[str]:
        """The rules that were broken, each once."""
        return list(dict.fromkeys(f.rule for f in self.items))

    def __str__(self) -> str:
        if not self.items:
            return f"nothing found in {', '.join(self.checked)}"
        return "\n\n".join(map(str, self.items))


def gather(findings: Iterable[Finding], checked: Iterable[str]) -> Findings:
    """Return findings in order, each once."""
    unique = dict.fromkeys(findings)
    order = {name: index for index, name in enumerate(checked)}
    found = sorted(unique, key=lambda f: (order.get(f.file, len(order)), f.line or 0, f.rule))
    return Findings(tuple(found), tuple(order))


def silenced(lines: list[str], line: int) -> bool:
    """Return whether a line says that it is meant so: `# dobook: ok`."""
    return 0 < line <= len(lines) and _SILENCED in lines[line - 1].partition("#")[2]
