"""What the lines of a run come to: medians, ratios against the targets, a table for people."""

# ruff: noqa: RUF001 - dashes and signs of a table that people read
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dobook
from benchmarks.targets import LIKE, Target, target

Line = dict[str, Any]
PERCENTILES = ("p50_us", "p99_us", "rss_mb")


def environment(directory: Path, peer_versions: dict[str, str]) -> Line:
    """Return what a later reader has to know about the machine and the versions."""
    load = [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else None
    return {
        "environment": {
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "machine": f"{_processor()}, {os.cpu_count()} cores",
            "system": platform.platform(),
            "file_system": _file_system(directory),
            "load": load,
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "dobook": dobook.__version__,
            "commit": _commit(),
            **peer_versions,
        }
    }


def _commit() -> str | None:
    here = Path(__file__).parent
    git = ["git", "-C", str(here), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _file_system(directory: Path) -> str | None:
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return None
    best, kind = "", ""
    for line in mounts.read_text().splitlines():
        _, point, found = line.split()[:3]
        if directory.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, found
    return kind


def median(lines: Iterable[Line], key: str) -> float | None:
    """Return the median of a field over the runs that have it, None if none has."""
    values = [line[key] for line in lines if line.get(key) is not None]
    return statistics.median(values) if values else None


def compare(workload: str, ours: list[Line], theirs: list[Line]) -> Line:
    """Return the line of a workload's ratio.

    Its `ratio` is dobook's median rate by the peer's; of W10 it is that of the bytes an evicted
    object takes, and `target` is in bytes. `met` is null where no target is set for this pair.
    """
    system, peer = ours[0]["system"], theirs[0]["system"]
    goal = target(workload, system, peer)
    of = _compared(goal, ours)
    mine, its = median(ours, of), median(theirs, of)
    line: Line = {
        "workload": workload,
        "ratio": None if not mine or not its else round(mine / its, 3),
        "target": None if goal is None else goal.reach,
        "aim": None if goal is None else goal.aim,
        "met": _met(goal and goal.reach, of, mine, its),
        "aim_met": _met(goal and goal.aim, of, mine, its),
        "of": of,
        system: mine,
        peer: its,
    }
    for name, lines, value in ((system, ours, mine), (peer, theirs, its)):
        if value is None:
            line[name] = next((reason(x) for x in lines if reason(x)), None)
    return line


def _compared(goal: Target | None, ours: list[Line]) -> str:
    if goal is not None:
        return goal.of
    return "bytes_per_evicted_object" if "bytes_per_evicted_object" in ours[0] else "ops_per_s"


def _met(goal: float | None, of: str, mine: float | None, its: float | None) -> bool | None:
    if goal is None or mine is None:
        return None
    if of != "ops_per_s":
        return mine <= goal
    return mine / its >= goal if its else None


def reason(line: Line) -> str | None:
    """Return why a line has no numbers, None if it has."""
    return line.get("error")


def table(lines: list[Line], comparisons: list[Line]) -> str:
    """Return the medians, one row for each workload and system, and the ratios, as Markdown."""
    runs: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        runs.setdefault((line["workload"], line["system"]), []).append(line)
    ratios = {line["workload"]: line for line in comparisons}
    rows = [
        "| workload | system | runs | ops/s (median) | min–max | p50 µs | p99 µs | RSS MiB | other |",
        "| --- | --- | --: | --: | --: | --: | --: | --: | --- |",
    ]
    for (workload, system), found in runs.items():
        done = [line for line in found if "ops_per_s" in line]
        if not done:
            rows.append(f"| {workload} | {system} | 0 | {reason(found[0])} | | | | | |")
            continue
        rates = [line["ops_per_s"] for line in done]
        cells = [workload, system, str(len(done)), _number(median(done, "ops_per_s"))]
        cells.append(f"{min(rates):,}–{max(rates):,}")
        cells += [_number(median(done, key)) for key in PERCENTILES]
        other = [key for key in done[0] if key.startswith("bytes_") or key == "errors"]
        cells.append(", ".join(f"{key} {_number(median(done, key))}" for key in other))
        rows.append("| " + " | ".join(cells) + " |")
    if ratios:
        rows += ["", "| workload | dobook / its peer | must reach | aim for | |"]
        rows.append("| --- | --: | --: | --: | --- |")
        for workload, line in ratios.items():
            rows.append(_ratio_row(workload, line))
    return "\n".join(rows)


def _ratio_row(workload: str, line: Line) -> str:
    unit = " ×" if line["of"] == "ops_per_s" else " bytes"
    goals = ["–" if line[k] is None else f"{line[k]:,g}{unit}" for k in ("target", "aim")]
    ratio = "–" if line["ratio"] is None else f"{line['ratio']:.2f} ×"
    if line["of"] != "ops_per_s":
        system = next(name for name in LIKE if name in line)
        ratio = f"{_number(line[system])} bytes ({ratio})"
    verdict = {None: "", True: "reached", False: "**missed**"}[line["met"]]
    if line["aim_met"]:
        verdict = "reached, the aim too"
    return f"| {workload} | {ratio} | {goals[0]} | {goals[1]} | {verdict} |"


def _number(value: Any) -> str:
    return f"{value:,.0f}" if isinstance(value, int | float) else "–"


def say(text: str) -> None:
    """Tell people, not the file of lines."""
    print(text, file=sys.stderr, flush=True)
