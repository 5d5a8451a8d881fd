"""Running all rules over sources, and putting what they find in order."""

import ast
from collections.abc import Iterator, Sequence

from dobook.lint.classes import check_classes
from dobook.lint.findings import Finding, Findings, gather, silenced
from dobook.lint.rules import check_code
from dobook.lint.sdk import check_sdk
from dobook.lint.sources import Names, Source


def check_text(text: str, name: str) -> Findings:
    """Return what is wrong in a module's text.

    Args:
        text: The text.
        name: What findings call it.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        what = f"this is not Python: {error.msg}"
        why = "Nothing in the file can be used."
        return gather([Finding(name, error.lineno, "syntax", what, why, "Correct it.")], [name])
    return check_sources([Source(name, tree.body, text.splitlines())])


def check_sources(sources: Sequence[Source]) -> Findings:
    """Return what is wrong in sources that see each other's names."""
    return gather(_found(sources), [s.name for s in sources])


def _found(sources: Sequence[Source]) -> Iterator[Finding]:
    names = Names(sources)
    for source in sources:
        for check in (check_code, check_classes, check_sdk):
            for node, rule, what, why, fix in check(source, names):
                line = getattr(node, "lineno", 0)
                if not silenced(source.lines, line):
                    reason = f"{why[0].upper()}{why[1:]}."
                    yield Finding(source.name, line + source.shift, rule, what, reason, fix)
