"""Closed-loop clients, and what is measured about them and about the process."""

import asyncio
import os
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dobook.runtime.loop import real

Call = Callable[[int], Awaitable[Any]]


def perf() -> float:
    """Return seconds by the real clock, also on a runtime's loop, whose time is virtual."""
    return real.perf_counter()


@dataclass
class Outcome:
    """What a workload measured.

    Attributes:
        n: What it counts.
        seconds: From the first call to the last answer.
        latencies: Of each call as its caller saw it, in seconds; empty if it is one call.
        extra: Further fields of the line.
    """

    n: int
    seconds: float
    latencies: list[float] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


async def drive(n: int, width: int, call: Call) -> Outcome:
    """Make n calls from `width` clients, each of which sends its next when its last is answered."""
    latencies: list[float] = []
    numbers = iter(range(n))

    async def client() -> None:
        for i in numbers:
            start = real.perf_counter()
            await call(i)
            latencies.append(real.perf_counter() - start)

    start = perf()
    await asyncio.gather(*(client() for _ in range(width)))
    return Outcome(n, perf() - start, latencies)


async def sequential(n: int, call: Call) -> Outcome:
    """Make n calls one after another."""
    latencies: list[float] = []
    begin = perf()
    for i in range(n):
        start = real.perf_counter()
        await call(i)
        latencies.append(real.perf_counter() - start)
    return Outcome(n, perf() - begin, latencies)


async def timed(n: int, call: Callable[[], Awaitable[Any]], expected: Any = None) -> Outcome:
    """Make one call that does the whole work; its answer is checked."""
    start = perf()
    answer = await call()
    seconds = perf() - start
    if answer != expected:
        raise AssertionError(f"answered {answer!r}, not {expected!r}")
    return Outcome(n, seconds)


def percentile_us(latencies: list[float], q: float) -> float | None:
    """Return a percentile in microseconds, None without latencies."""
    if not latencies:
        return None
    order = sorted(latencies)
    return round(order[int(q * (len(order) - 1))] * 1e6, 1)


def rss_mb(pid: int | str = "self") -> float:
    """Return the memory that a process has resident, in MiB."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        lines = status.read_text().splitlines()
        kib = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    else:
        ps = ["ps", "-o", "rss=", "-p", str(os.getpid() if pid == "self" else pid)]
        kib = int(subprocess.run(ps, capture_output=True, text=True, check=True).stdout)
    return kib / 1024
