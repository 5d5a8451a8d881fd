"""One run of one workload on dobook, in this process: `python -m benchmarks.one W1 ...`.

Prints one JSON line. `benchmarks.__main__` starts this for every run, each in an empty directory.
"""

import argparse
import cProfile
import gc
import io
import json
import pstats
import sys
import traceback
from typing import Any

import dobook
from benchmarks import driving
from benchmarks.driving import Outcome
from benchmarks.parameters import WORKLOADS as PARAMETERS
from benchmarks.workloads import WORKLOADS, Bench

SYSTEMS = {"power": "dobook", "process": "dobook-process", "memory": "dobook-mem"}


def open_runtime(durability: str, directory: str) -> dobook.Runtime:
    """Open a runtime with the durability of the three systems; "memory" has no directory."""
    if durability == "memory":
        return dobook.Runtime()
    return dobook.Runtime(directory, durability=durability)  # type: ignore[arg-type]


def line_of(system: str, workload: str, out: Outcome) -> dict[str, Any]:
    """Return the fields of a run's line, in their order."""
    parameters = PARAMETERS[workload]
    return {
        "system": system,
        "workload": workload,
        "n": out.n,
        "objects": parameters.objects,
        "seconds": round(out.seconds, 4),
        "ops_per_s": round(out.n / out.seconds),
        "p50_us": driving.percentile_us(out.latencies, 0.5),
        "p99_us": driving.percentile_us(out.latencies, 0.99),
        "rss_mb": round(driving.rss_mb(), 1),
        **out.extra,
    }


def run(workload: str, durability: str, directory: str, *, profile: bool = False) -> dict[str, Any]:
    """Run a workload and return its line."""
    system = SYSTEMS[durability]
    rt = open_runtime(durability, directory)
    profiler = cProfile.Profile()
    try:
        bench = Bench(rt, PARAMETERS[workload])
        gc.collect()
        if profile:
            profiler.enable()
        out = WORKLOADS[workload](bench)
        profiler.disable()
        line = line_of(system, workload, out)
    finally:
        start = driving.perf()
        rt.close()
        closing = driving.perf() - start
    if durability != "memory":
        line["close_seconds"] = round(closing, 3)
    if profile:
        line["profiled"] = True  # a profiler makes Python code slower: no number to compare
        text = io.StringIO()
        stats = pstats.Stats(profiler, stream=text)
        stats.sort_stats("tottime").print_stats(45)
        sys.stderr.write(text.getvalue())
    return line


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--durability", choices=SYSTEMS, default="power")
    parser.add_argument("--directory", required=True, help="empty, on the disk to measure")
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    try:
        line = run(args.workload, args.durability, args.directory, profile=args.profile)
    except Exception as error:
        traceback.print_exc()
        line = {"error": f"{type(error).__name__}: {error}"[:300]}
    if "system" not in line:
        line = {"system": SYSTEMS[args.durability], "workload": args.workload, **line}
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
