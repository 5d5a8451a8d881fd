"""`python -m benchmarks W1 W2 ...`: each run in a fresh process and an empty directory.

Prints one JSON line for each run; with `--vs` the real engine runs in turn with dobook, and a line
with the ratio of the medians follows for each workload. README.md says how to read them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.one import SYSTEMS
from benchmarks.parameters import FROM_OUTSIDE, RUN_LIMIT_S, WORKLOADS
from benchmarks.peer import SYSTEMS as PEERS
from benchmarks.peer import Peer, PeerError
from benchmarks.report import Line, compare, environment, reason, say, table
from benchmarks.server import serving
from benchmarks.targets import LIKE

REPOSITORY = Path(__file__).parent.parent
SETUP_S = 60


def run_dobook(workload: str, args: argparse.Namespace, peer: Peer | None) -> Line:
    """Run a workload once on dobook, in a fresh process; returns its line."""
    system = SYSTEMS[args.durability]
    with tempfile.TemporaryDirectory(dir=args.directory, prefix="dobench-") as directory:
        if workload in FROM_OUTSIDE:
            return run_served(workload, args.durability, Path(directory), peer)
        command = [sys.executable, "-m", "benchmarks.one", workload]
        command += ["--durability", args.durability, "--directory", directory]
        command += ["--profile"] if args.profile else []
        try:
            done = subprocess.run(
                command,
                cwd=REPOSITORY,
                stdout=subprocess.PIPE,
                text=True,
                timeout=RUN_LIMIT_S + SETUP_S,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            error = f"no answer within {late.timeout} s"
            return {"system": system, "workload": workload, "error": error}
    lines = [text for text in done.stdout.splitlines() if text.startswith("{")]
    if not lines:
        error = f"the process ended with {done.returncode} and no line"
        return {"system": system, "workload": workload, "error": error}
    line: Line = json.loads(lines[-1])
    return line


def run_served(workload: str, durability: str, directory: Path, peer: Peer | None) -> Line:
    """Run a workload whose clients are in another process."""
    system = SYSTEMS[durability]
    try:
        with serving(durability, directory) as (port, pid):
            assert peer is not None
            return peer.outside(system, workload, port, pid)
    except RuntimeError as error:
        return {"system": system, "workload": workload, "error": str(error)}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "workloads", nargs="*", metavar="W", help=f"by default {' '.join(WORKLOADS)}"
    )
    parser.add_argument("--durability", choices=SYSTEMS, default="power")
    parser.add_argument("--repeat", type=int, default=1, metavar="N")
    parser.add_argument(
        "--minutes",
        type=float,
        default=float("inf"),
        metavar="N",
        help="begin no run after so long, the first round's excepted",
    )
    parser.add_argument("--directory", type=Path, help="on the disk to measure; default: temporary")
    parser.add_argument("--vs", choices=PEERS, help="the real engine, run in turn with dobook")
    parser.add_argument(
        "--peers",
        type=Path,
        default=REPOSITORY / "scratch" / "benchmark-peers",
        help="where npm puts the real engine (ignored by git)",
    )
    parser.add_argument("--table", action="store_true", help="print a table for people at the end")
    parser.add_argument("--output", type=Path, metavar="FILE", help="append the lines here as well")
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    args = parser.parse_args()
    unknown = [name for name in args.workloads if name not in WORKLOADS]
    if unknown:
        parser.error(f"no workload {' '.join(unknown)}; there are {' '.join(WORKLOADS)}")
    args.workloads = args.workloads or list(WORKLOADS)
    args.directory = (args.directory or Path(tempfile.gettempdir())).resolve()
    args.directory.mkdir(parents=True, exist_ok=True)
    return args


def main() -> int:
    args = parse()
    peer = None
    if args.vs or any(name in FROM_OUTSIDE for name in args.workloads):
        try:
            peer = Peer(args.peers.resolve())
        except PeerError as error:
            say(f"benchmarks: {error}")
            return 2
    system = SYSTEMS[args.durability]
    if args.vs and LIKE[system][0] != args.vs:
        say(f"{system} beside {args.vs} is not like against like: no target is set for it.")
    output = args.output.open("a") if args.output else None

    def emit(line: Line) -> None:
        text = json.dumps(line)
        print(text, flush=True)
        if output is not None:
            output.write(text + "\n")
            output.flush()

    about = environment(args.directory, peer.versions() if peer else {})
    say(json.dumps(about))
    if output is not None:
        output.write(json.dumps(about) + "\n")
    lines: list[Line] = []
    until = time.monotonic() + args.minutes * 60
    for number in range(args.repeat):
        for workload in args.workloads:
            if number and time.monotonic() > until:
                break
            lines.append(run_dobook(workload, args, peer))
            emit(lines[-1])
            if args.vs and peer is not None:
                lines.append(peer.run(args.vs, workload, args.directory))
                emit(lines[-1])
    comparisons: list[Line] = []
    if args.vs:
        for workload in args.workloads:
            ours, theirs = (
                [x for x in lines if x["workload"] == workload and x["system"] == name]
                for name in (system, args.vs)
            )
            comparisons.append(compare(workload, ours, theirs))
            emit(comparisons[-1])
    if args.table:
        print("\n" + table(lines, comparisons))
    if output is not None:
        output.close()
    failed = [x for x in lines if x["system"] == system and reason(x)]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
