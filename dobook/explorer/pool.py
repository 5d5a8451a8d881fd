"""Processes of this machine that make runs, and what to do with somebody else's.

A `Pool` is a `concurrent.futures.Executor` for batches. It starts fresh interpreters rather than
copies of this one: a copy of a notebook's kernel would have its threads and sockets, and a script
would be run again.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from itertools import islice
from pathlib import Path
from typing import Any

from dobook.errors import UsageError
from dobook.explorer.batch import run_batch
from dobook.explorer.tally import Result

BATCH = 40  # runs
Batch = tuple[int, int]
_ENDED = "a worker process ended in the middle of a run"
_ALONE = "Explore with jobs=1 to see where."


class Pool(Executor):
    """Worker processes.

    Args:
        packed: The case, from `batch.pack`.
        jobs: How many.
    """

    def __init__(self, packed: bytes, jobs: int) -> None:
        self._packed = packed
        self._work: queue.SimpleQueue[tuple[Future[Any], Batch] | None] = queue.SimpleQueue()
        self._processes: list[subprocess.Popen[bytes]] = []
        path = os.pathsep.join([*filter(None, sys.path), str(Path.cwd())])
        for _ in range(jobs):
            process = subprocess.Popen(
                [sys.executable, "-m", "dobook.explorer.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
            )
            self._processes.append(process)
        self._threads = [
            threading.Thread(target=self._serve, args=(process,), daemon=True)
            for process in self._processes
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Have a batch run; `fn` is `run_batch` and the case is the one of this pool."""
        future: Future[Any] = Future()
        self._work.put((future, (args[1], args[2])))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """End the processes."""
        if cancel_futures:
            for process in self._processes:
                process.kill()
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def _serve(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        begun = False
        while (item := self._work.get()) is not None:
            future, (first, last) = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                if not begun:
                    process.stdin.write(b"%d\n" % len(self._packed) + self._packed)
                    begun = True
                process.stdin.write(b"%d %d\n" % (first, last))
                process.stdin.flush()
                line = process.stdout.readline()
                if not line:
                    raise UsageError(f"{_ENDED} with exit status {process.wait()}. {_ALONE}")
                answer = json.loads(line)
                if "error" in answer:
                    raise UsageError(f"a worker process failed: {answer['error']}. {_ALONE}")
                future.set_result(answer["results"])
            except (OSError, ValueError, UsageError) as error:
                future.set_exception(error)
        process.kill()
        with contextlib.suppress(OSError):
            process.stdin.close()
        process.stdout.close()
        process.wait()


def spread(
    executor: Any, packed: bytes, batches: Iterable[Batch], at_once: int
) -> Iterator[list[Result]]:
    """Yield the results of batches that somebody else makes, as they come in.

    Args:
        executor: A `concurrent.futures.Executor` (also of Dask or Ray), or a `joblib.Parallel`.
        packed: The case.
        batches: First and last numbers; taken from as there is room.
        at_once: How many batches to have under way.

    Raises:
        UsageError: If the executor is neither.
    """
    waiting = iter(batches)
    if not hasattr(executor, "submit"):
        if not callable(executor):
            raise UsageError(
                f"an executor has submit(), or is a joblib.Parallel; not {executor!r:.80}"
            )
        while chunk := list(islice(waiting, at_once)):
            # What joblib.delayed makes: a function, its arguments, its keywords.
            for rows in executor([(run_batch, (packed, *batch), {}) for batch in chunk]):
                yield [Result(*row) for row in rows]
        return
    under_way: set[Future[Any]] = set()
    try:
        while True:
            while len(under_way) < at_once and (batch := next(waiting, None)) is not None:
                under_way.add(executor.submit(run_batch, packed, *batch))
            if not under_way:
                return
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                yield [Result(*row) for row in future.result()]
    finally:
        for future in under_way:
            future.cancel()
