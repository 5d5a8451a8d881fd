"""Run the tests of Cloudflare's Python SDK, unmodified, against dobook.

    python -m benchmarks.sdk_tests FOLDER

FOLDER is a clone of github.com/cloudflare/workers-py, or its `packages/runtime-sdk`; nothing of it
is part of this project. Each test runs as the code of a Worker, in a runtime of its own. The exit
status is 1 if a test fails that `KNOWN` does not list.
"""

import argparse
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import workers

import dobook
from dobook.runtime.access import kernel_of
from dobook.runtime.worker.services import Fetcher
from dobook.runtime.worker.worker import Worker


@dataclass(frozen=True)
class Suite:
    """One file of tests, and the Workers and objects that it is written for."""

    tests: str
    entry: str | None = None  # the file of the Worker at env.SELF
    internet: str | None = None  # the module whose Worker answers for every host
    objects: tuple[str, str, str] | None = None  # module, class and binding


SUITES: Final = {
    "Durable Objects": Suite(
        "bindings-test/src/test_do.py",
        objects=("worker_durable_object", "TestDurableObject", "TEST_DO"),
    ),
    "asgi": Suite("workerd-test/asgi/tests/test_asgi.py", "workerd-test/asgi/worker.py"),
    "asgi sockets": Suite(
        "workerd-test/asgi-ws-disconnect/tests/test_ws_disconnect.py",
        "workerd-test/asgi-ws-disconnect/worker.py",
    ),
    "wsgi": Suite("workerd-test/wsgi/tests/test_wsgi.py", "workerd-test/wsgi/worker.py"),
    "sdk": Suite(
        "workerd-test/sdk/tests/test_sdk.py", "workerd-test/sdk/worker.py", internet="server"
    ),
    "object": Suite(
        "workerd-test/durable-object/worker.py", objects=("worker", "DurableObjectExample", "ns")
    ),
    "abort": Suite(
        "workerd-test/durable-object-abort/worker.py",
        objects=("worker", "AbortingDurableObject", "ABORTER"),
    ),
}
KNOWN: Final = {
    "asgi/test_legacy_asgi_module_is_canonical_module": "looks at a private name of the SDK",
    "asgi/test_background_task_error_is_logged": "calls an internal of the SDK, run_in_background",
    "sdk/test_request_unit_tests": "wants OSError by its name; BodyUsedError is an OSError too",
    "sdk/test_response_unit_tests": "wants the status text that older engines gave a new response",
    "abort/test": "wants the engine's inMemory storage, which goes with an object that is aborted",
}


class Bound(Fetcher):
    """A service binding with the SDK's own name for the engine's binding inside it."""

    @property
    def _binding(self) -> "Bound":
        return self


# Names inside the SDK that a file imports before its first test, and what they are here.
INSIDE: Final = {("workers.rpc", "_EnvWrapper"): type(workers.env)}


@contextmanager
def importing(*folders: Path) -> Iterator[None]:
    """Let the modules of some folders be imported, and forget them afterwards."""
    before, path = set(sys.modules), sys.path[:]
    sys.path[:0] = [str(folder) for folder in folders]
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and any(Path(file).is_relative_to(folder) for folder in folders):
                del sys.modules[name]


def bind_worker(runtime: dobook.Runtime, name: str, entry: type) -> Worker:
    """Make a Worker that other code reaches by a service binding."""
    worker = kernel_of(runtime).workers[name] = Worker(kernel_of(runtime), entry, name=name)
    runtime.env.bind(name, Bound(runtime, name))
    return worker


def run(suite: Suite, test: Callable[..., Any]) -> BaseException | None:
    """Run one test as the handler of a Worker; return what it raised."""
    raised: list[BaseException] = []

    class Tests(workers.WorkerEntrypoint):  # type: ignore[misc]
        async def fetch(self, request: Any) -> Any:
            try:
                wanted = inspect.signature(test).parameters
                outcome = test(**({"env": workers.env} if "env" in wanted else {}))
                if inspect.isawaitable(outcome):
                    await outcome
            except BaseException as error:
                raised.append(error)
            return workers.Response("")

    with dobook.Runtime() as runtime:
        if suite.objects:
            module, class_name, binding = suite.objects
            made = importlib.import_module(module)
            runtime.register(getattr(made, class_name), binding=binding)
        if suite.entry:
            bind_worker(runtime, "SELF", importlib.import_module("worker").Default)
        if suite.internet:
            server = importlib.import_module(suite.internet).Default
            runtime.network.real = bind_worker(runtime, "INTERNET", server).respond
        runtime.serve_worker(Tests)
        runtime.run(runtime.fetch("/"))
    return raised[0] if raised else None


def tests_of(module: Any) -> dict[str, Callable[..., Any]]:
    """Return the tests of a file by name: its functions, or its Worker's own `test`."""
    found = {name: test for name, test in vars(module).items() if name.startswith("test_")}
    if found or not hasattr(module, "Default"):
        return found

    async def test(env: Any) -> None:
        entry = module.Default(None, env)
        await entry.test(*[None for _ in inspect.signature(entry.test).parameters])

    return {"test": test}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sdk_tests", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", metavar="TEXT", help="tests with this in their name")
    chosen = parser.parse_args()
    places = (chosen.folder / "packages/runtime-sdk/tests", chosen.folder / "tests")
    root = next((place for place in places if place.is_dir()), None)
    if root is None:
        parser.error(f"{chosen.folder} has no packages/runtime-sdk/tests. Clone workers-py there.")
    for (module_name, name), stand_in in INSIDE.items():
        setattr(importlib.import_module(module_name), name, stand_in)
    status = 0
    for title, suite in SUITES.items():
        file = root / suite.tests
        folders = [file.parent, *([(root / suite.entry).parent] if suite.entry else [])]
        failed: dict[str, BaseException] = {}
        with importing(*folders):
            found = tests_of(importlib.import_module(file.stem))
            chosen_tests = {n: test for n, test in found.items() if chosen.only in n}
            for name, test in chosen_tests.items():
                if (error := run(suite, test)) is not None:
                    failed[name] = error
        print(f"{title}: {len(chosen_tests) - len(failed)} of {len(chosen_tests)}")
        for name, error in failed.items():
            reason = KNOWN.get(f"{title}/{name}")
            print(f"  {name}: {reason or f'{type(error).__name__}: {error}'}")
            if reason is None:
                status = 1
            if chosen.only:
                traceback.print_exception(error)
    return status


if __name__ == "__main__":
    sys.exit(main())
