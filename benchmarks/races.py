"""How many schedules each strategy needs to find the known mistakes, and whether twins stay clean.

`python -m benchmarks.races` prints the table; `--write` puts it into docs/finding-races.md. Each
strategy looks with several seeds; the median counts. The exhaustive strategy has no seed.
"""

import argparse
import platform
import statistics
import sys
import time
from pathlib import Path

import dobook
from dobook.explorer.bugs import BUGS
from dobook.explorer.strategies.table import STRATEGIES

PAGE = Path(__file__).parent.parent / "docs" / "finding-races.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"


def needed(bug, strategy, seeds, budget):
    """Return in which run the mistake showed, for each seed; the budget plus one if never."""
    found = []
    for seed in range(1 if strategy == "exhaustive" else seeds):
        report = dobook.explore(
            bug.scenario,
            bug.broken,
            strategy=strategy,
            runs=budget,
            seed=seed,
            stop=True,
            jobs=1,
            progress=False,
        )
        found.append(report.first_failure or budget + 1)
    return found


def clean(bug, strategy, runs):
    """Return how many schedules of the twin failed."""
    report = dobook.explore(
        bug.scenario, bug.fixed, strategy=strategy, runs=runs, seed=99, jobs=1, progress=False
    )
    return report.runs, report.failed


def shown(found, budget):
    """Return the median and the worst as text."""
    worst = max(found)
    median = round(statistics.median(found))
    text = f"{median}" if worst == median else f"{median} ({worst})"
    return text if worst <= budget else f"{text.replace(str(budget + 1), f'>{budget}')}"


def table(args):
    """Return the table as Markdown."""
    lines = [
        "| mistake | " + " | ".join(STRATEGIES) + " | twins: schedules, failed |",
        "| --- |" + " ---: |" * len(STRATEGIES) + " ---: |",
    ]
    began = time.monotonic()
    every = {strategy: [] for strategy in STRATEGIES}
    twins = failed = 0
    for bug in BUGS.values():
        cells = []
        runs_of_twin = failures_of_twin = 0
        for strategy in STRATEGIES:
            found = needed(bug, strategy, args.seeds, args.budget)
            every[strategy].append(statistics.median(found))
            cells.append(shown(found, args.budget))
            runs, failures = clean(bug, strategy, args.twin)
            runs_of_twin += runs
            failures_of_twin += failures
        twins += runs_of_twin
        failed += failures_of_twin
        lines.append(
            f"| {bug.name} | " + " | ".join(cells) + f" | {runs_of_twin:,}, {failures_of_twin} |"
        )
        print(lines[-1], flush=True)
    medians = [f"**{round(statistics.median(found))}**" for found in every.values()]
    lines.append("| **median** | " + " | ".join(medians) + f" | **{twins:,}, {failed}** |")
    note = (
        f"{args.seeds} seeds, a budget of {args.budget} schedules each; in brackets the worst seed. "
        f"Python {platform.python_version()}, {time.monotonic() - began:.0f} s in all. "
        "Made by `python -m benchmarks.races --write`."
    )
    return "\n".join(lines) + "\n\n" + note + "\n"


def main():
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=7)
    parser.add_argument("--budget", type=int, default=1000)
    parser.add_argument("--twin", type=int, default=250, help="schedules of each twin, a strategy")
    parser.add_argument("--write", action="store_true", help=f"put it into docs/{PAGE.name}")
    args = parser.parse_args()
    made = table(args)
    print("\n" + made)
    if args.write:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        PAGE.write_text(before + BEGIN + made + END + rest.partition(END)[2], "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
