"""The page that says how dobook answers what the real engine was recorded to answer.

Made by playing the scenarios of `tests/conformance`, each time the site is built.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from dobook import Runtime
from tests.conformance.compare import compare
from tests.conformance.steps import Scenario, load, play

VECTORS = Path(__file__).parent.parent.parent / "tests" / "conformance" / "vectors"
SCOPES = {
    "js": "JavaScript itself: conversions of arguments, values that Python lacks, and the texts of "
    "JavaScript's own errors",
    "limits": "limits of the hosted service, which dobook enforces and the local engine does not",
    "billing": "exact counts of rows read and written",
    "sqlite": "functions of a recent SQLite",
    "quirk": "something that the engine does on one's own machine only",
}


def page() -> str:
    """Return the page, after playing every recorded scenario in memory."""
    passed: Counter[str] = Counter()
    total: Counter[str] = Counter()
    others: dict[str, list[str]] = {}
    for scenario in load(VECTORS):
        difference = difference_of(scenario)
        if scenario.scope is None:
            total[scenario.category] += 1
            passed[scenario.category] += difference is None
        elif difference is not None:
            about = f"- `{scenario.key}` {scenario.data['about']}\n  `{difference}`"
            others.setdefault(scenario.scope, []).append(about)
    lines = [
        "# Recorded answers\n",
        "Scenarios were played to Cloudflare's own engine and its answers written down. This page "
        "was made by playing the same scenarios to dobook; "
        "[what differs on purpose](differences.md) explains the reasons.\n",
        "| category | equal | of |",
        "| --- | --: | --: |",
        *[f"| {name} | {passed[name]} | {total[name]} |" for name in sorted(total)],
        f"| **all** | **{passed.total()}** | **{total.total()}** |",
        "\n## Where dobook answers otherwise\n",
        "These scenarios depend on something other than the platform's promises, and dobook's "
        "answer differs. The first difference of each is shown.\n",
    ]
    for scope, items in sorted(others.items()):
        lines += [f"\n### {scope}: {SCOPES[scope]}\n", *items]
    return "\n".join(lines) + "\n"


def difference_of(scenario: Scenario) -> str | None:
    """Return the first difference between the recorded and dobook's answer, None if equal."""
    try:
        with Runtime() as runtime:
            actual: Any = play(runtime, scenario)
    except Exception as error:
        return f"{type(error).__name__}: {error}".replace("`", "'")
    differences = compare(scenario.expect, actual).differences
    return str(differences[0]).replace("`", "'")[:240] if differences else None
