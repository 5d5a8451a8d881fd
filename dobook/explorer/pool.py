"""Processes of this machine that make runs, and what to do with somebody else's.

A `Pool` is a `concurrent.futures.Executor` for batches. It starts fresh interpreters rather than
copies of this one: a copy of a notebook's kernel would share its sockets and threads, and a script
would be run again.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from itertools import islice
from pathlib import Path
from typing import Any, Final

from dobook.errors import UsageError
from dobook.explorer.batch import run_batch
from dobook.explorer.results import Result

BATCH = 40  # runs
Batch = tuple[int, int]
WORKER: Final = ("-m", "dobook.explorer.worker")  # what the interpreter is started with
LAST_BREATH_S = 5.0  # for a worker that has closed its output to end, before it is killed
_ALONE = "Explore with jobs=1 to see where."


class Pool(Executor):
    """Worker processes.

    A worker can die at any moment: before it is written to, with half of a message written or
    half of an answer read, between two batches. The first failure ends the pool: it stops the
    other workers, and every batch that is not done fails with that same error.

    Args:
        packed: The case, from `batch.pack`.
        jobs: How many.

    Raises:
        UsageError: If a process or thread cannot be started; those that were have ended.
    """

    def __init__(self, packed: bytes, jobs: int) -> None:
        self._packed = packed
        self._work: queue.SimpleQueue[tuple[Future[Any], Batch] | None] = queue.SimpleQueue()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()  # of the next two
        self._failure = ""  # what the first failure said; once there is one, nothing is run
        self._stopped = False  # workers that end from now on were killed
        try:
            for _ in range(jobs):
                self._start()
        except BaseException as error:
            self.shutdown(cancel_futures=True)
            if isinstance(error, OSError | RuntimeError):
                raise UsageError(
                    f"a worker process cannot be started: {error}. {_ALONE}"
                ) from error
            raise

    def _start(self) -> None:
        path = os.pathsep.join([*filter(None, sys.path), str(Path.cwd())])
        process = subprocess.Popen(
            [sys.executable, *WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            process_group=0,  # Ctrl-C in a terminal is for this process, which ends the others
        )
        self._processes.append(process)
        thread = threading.Thread(target=self._serve, args=(process,), daemon=True)
        thread.start()
        self._threads.append(thread)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Queue a batch; `fn` is `run_batch` and the case is the one of this pool."""
        future: Future[Any] = Future()
        self._work.put((future, (args[1], args[2])))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """End the processes."""
        if cancel_futures:
            self._stop()
        for _ in self._threads:
            self._work.put(None)
        for process in self._processes[len(self._threads) :]:  # whose thread never started
            _end(process)
        for thread in self._threads if wait else ():
            thread.join()

    def _serve(self, process: "subprocess.Popen[bytes]") -> None:
        """Give one worker its batches, until the pool is shut down; then end it."""
        begun = False
        try:
            while (item := self._work.get()) is not None:
                future, batch = item
                if self._stopped and not self._failure:
                    future.cancel()
                if not future.set_running_or_notify_cancel():
                    continue
                if not self._failure:
                    try:
                        answer = _ask(process, batch, None if begun else self._packed)
                    except Exception as error:
                        known = isinstance(error, UsageError)
                        self._fail(str(error) if known else f"{error!r}. {_ALONE}")
                    else:
                        begun = True
                        future.set_result(answer)
                        continue
                future.set_exception(UsageError(self._failure))
        finally:
            _end(process)

    def _fail(self, why: str) -> None:
        with self._lock:
            if not self._failure:
                # A worker that was killed by `shutdown` says nothing of the scenario.
                self._failure = "the search was stopped" if self._stopped else why
        self._stop()

    def _stop(self) -> None:
        with self._lock:
            self._stopped = True
        for process in self._processes:
            process.kill()


def _ask(process: "subprocess.Popen[bytes]", batch: Batch, packed: bytes | None) -> Any:
    """Return a worker's answer to a batch.

    Args:
        process: The worker.
        batch: First and last number.
        packed: The case, if this is the worker's first batch.

    Raises:
        UsageError: If the worker ends first, fails, or answers something else.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if packed is not None:
            process.stdin.write(b"%d\n" % len(packed) + packed)
        process.stdin.write(b"%d %d\n" % batch)
        process.stdin.flush()
        line = process.stdout.readline()
    except OSError:  # it has ended, or has closed its input and cannot be used either
        line = b""
    if not line.endswith(b"\n"):
        raise UsageError(
            f"a worker process ended in the middle of a run {_status(process)}. {_ALONE}"
        )
    try:
        answer = json.loads(line)
        if "error" not in answer:
            return answer["results"]
        problem = f"failed: {answer['error']}"
    except (ValueError, TypeError, KeyError):
        problem = f"answered with something else than results: {line!r:.80}"
    raise UsageError(f"a worker process {problem}. {_ALONE}")


def _status(process: "subprocess.Popen[bytes]") -> str:
    """Return how a worker ended, in words; one that only closed its pipes is killed."""
    try:
        status = process.wait(LAST_BREATH_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return "because it closed its output"
    if status >= 0:
        return f"with exit status {status}"
    with contextlib.suppress(ValueError):
        return f"with exit status {status} ({signal.Signals(-status).name})"
    return f"with exit status {status}"


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill a worker if it still runs, and free what this process has of it."""
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # what was not written yet cannot be any more
                pipe.close()
    process.wait()


def spread(
    executor: object, packed: bytes, batches: Iterable[Batch], at_once: int
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
