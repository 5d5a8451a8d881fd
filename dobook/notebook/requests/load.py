"""Many requests: so many at once, or at a rate, in virtual time; and what came back.

With a rate each request leaves when it is due, whatever became of the ones before, as independent
clients send them. A wait for a free place (`concurrency`) counts as latency.
"""

import asyncio
import math
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from dobook.clock import UNIT_MS
from dobook.errors import UsageError
from dobook.notebook.core.display import shorten
from dobook.notebook.requests.responses import body_text
from dobook.progress import Progress
from dobook.runtime.runtime import Runtime

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(ms|s|m|h|d|w)", re.IGNORECASE)
PERCENTILES = (50, 90, 95, 99)


def parse_rate(text: str) -> float:
    """Return the milliseconds from one request to the next.

    Raises:
        UsageError: If it cannot be read.

    Example:
        >>> parse_rate("20/s"), parse_rate("6/m")
        (50.0, 10000.0)
    """
    found = _RATE.fullmatch(text.strip())
    if not found or not float(found[1]):
        raise UsageError(f"cannot read {text!r} as a rate. Write it like 20/s, 5/m or 0.5/s.")
    return UNIT_MS[found[2].lower()] / float(found[1])


def ask_many(
    runtime: Runtime,
    send: Callable[[], Awaitable[Any]],
    repeat: int,
    *,
    concurrency: int | None = None,
    every_ms: float | None = None,
) -> list[dict[str, Any]]:
    """Send a request many times; returns what came back, in the order they were due.

    Args:
        runtime: Its loop is turned until all have been answered. An interrupt ends that.
        send: Sends one.
        repeat: How many.
        concurrency: How many may be under way at once; by default one, with a rate any number.
        every_ms: Virtual time from one to the next; None to send as soon as there is a free place.

    Raises:
        UsageError: If a number is below 1.
    """
    if concurrency is None:
        concurrency = repeat if every_ms is not None else 1
    if repeat < 1 or concurrency < 1:
        raise UsageError("--repeat and --concurrency are 1 or more.")
    answers: list[dict[str, Any]] = [{} for _ in range(repeat)]
    places = asyncio.Semaphore(concurrency)

    async def ask(number: int, due_ms: float) -> None:
        async with places:
            answers[number] = await _asked(runtime, send, due_ms)
        progress.add()

    async def ask_all() -> None:
        began_ms = runtime.clock.now_ms
        async with asyncio.TaskGroup() as group:
            for number in range(repeat):
                if every_ms is None:
                    await places.acquire()
                    places.release()
                    due_ms: float = runtime.clock.now_ms
                else:
                    due_ms = began_ms + number * every_ms
                    wait_ms = due_ms - runtime.clock.now_ms
                    if wait_ms > 0:
                        await asyncio.sleep(wait_ms / 1000)
                group.create_task(ask(number, due_ms))
                if every_ms is None:
                    await asyncio.sleep(
                        0
                    )  # let the request take its place before the next one is made

    with Progress(repeat, unit="request") as progress:
        runtime.run(ask_all())
    return answers


async def _asked(
    runtime: Runtime, send: Callable[[], Awaitable[Any]], due_ms: float
) -> dict[str, Any]:
    answer: dict[str, Any] = dict.fromkeys(("status", "retry_after", "body"))
    try:
        response = await send()
    except Exception as error:
        answer |= {"error": f"{type(error).__name__}: {error}"}
    else:
        answer |= {
            "status": response.status,
            "retry_after": response.js_headers.get("retry-after"),
            "body": shorten(body_text(response)),
            "error": "",
        }
    now_ms = runtime.clock.now_ms
    return answer | {"sent": round(due_ms), "took_ms": float(max(now_ms - round(due_ms), 0))}


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that so many percent of the values do not exceed; NaN without values.

    Example:
        >>> percentile([1.0, 2.0, 3.0, 4.0], 50), percentile([5.0], 99)
        (2.0, 5.0)
    """
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)]
