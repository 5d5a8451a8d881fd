"""Playing a scenario: its world, and what each step does from outside."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dobook import Runtime
from dobook.runtime.access import kernel_of
from dobook.runtime.worker.exports import configure_exports

from .entrypoints import Default, Greeter
from .interpreter import Program
from .objects import Bare, Full
from .ops_calls import describe_response
from .ops_sockets import listen
from .values import Moment, decode, describe_error

UNIQUE_KEYS = {
    "sqlite": "conformance-sqlite",
    "kv": "conformance-kv",
    "sqlite-bare": "conformance-sqlite-bare",
    "kv-bare": "conformance-kv-bare",
}


@dataclass(frozen=True)
class Scenario:
    """One scenario of the vectors."""

    category: str
    data: dict[str, Any]

    @property
    def key(self) -> str:
        return f"{self.category}/{self.data['name']}"

    @property
    def scope(self) -> str | None:
        return self.data.get("scope")

    @property
    def expect(self) -> list[dict[str, Any]]:
        return self.data["expect"]


def load(folder: Path) -> list[Scenario]:
    """Return the scenarios of a folder, by file name and in the order of each file."""
    return [
        Scenario(path.stem, data)
        for path in sorted(folder.glob("*.json"))
        for data in json.loads(path.read_text(encoding="utf-8"))
    ]


class World:
    """A running scenario: the runtime, who is called what, and what has been reported."""

    def __init__(self, runtime: Runtime, scenario: Scenario) -> None:
        data = scenario.data
        self.runtime = runtime
        self.key = scenario.key
        self.backend: str = data["backend"]
        self.handlers: dict[str, dict[str, list[Program]]] = data.get("handlers", {})
        self.t0: int = runtime.clock.now_ms
        self.labels: dict[str, str] = {}  # hex id -> label
        self.unique: set[str] = set()  # hex ids of newUniqueId()
        self.sockets: dict[str, Any] = {}  # the clients
        self._runs: dict[tuple[str, str], int] = {}
        self._events: dict[str, list[Any]] = {}
        bare = data.get("class") == "bare"
        self._namespaces = {
            backend: self._register(backend, bare=bare) for backend in ("sqlite", "kv")
        }
        runtime.serve_worker(Default, entrypoints=[Greeter])
        configure_exports(kernel_of(runtime), runtime.env, stateless=["Stateless"])

    def _register(self, backend: str, *, bare: bool) -> Any:
        name = f"{backend.capitalize()}{'Bare' if bare else ''}Object"
        return self.runtime.register(
            type(name, (Bare if bare else Full,), {"_world": self}),
            backend,
            name=name,
            sqlite=backend == "sqlite",
            unique_key=UNIQUE_KEYS[backend + ("-bare" if bare else "")],
        )

    @property
    def now_ms(self) -> int:
        return self.runtime.clock.now_ms

    def moment(self, at_ms: int) -> Moment:
        return Moment(at_ms, at_ms - self.t0)

    def full_name(self, label: str) -> str:
        return f"{self.key}/{label}"

    def namespace(self, backend: str) -> Any:
        return self._namespaces[backend]

    def stub(self, label: str, backend: str | None = None) -> Any:
        """Return a new stub for the object with a label."""
        namespace = self.namespace(backend or self.backend)
        identity = namespace.idFromName(self.full_name(label))
        self.answers_to(identity, label)
        return namespace.get(identity)

    def answers_to(self, identity: Any, label: str | None) -> None:
        """Let an object answer to a label, if it has none yet."""
        if label is not None:
            self.labels.setdefault(identity.toString(), label)

    def note(self, source: str, *event: Any) -> None:
        """Take down what an object or a client reports."""
        self._events.setdefault(source, []).append(list(event))

    def drain(self) -> dict[str, list[Any]]:
        """Return what was reported since the last time."""
        events, self._events = self._events, {}
        return events

    def program(self, label: str, kind: str) -> Program | None:
        """Return the program for the next run of a handler."""
        programs = self.handlers.get(label, {}).get(kind)
        if not programs:
            return None
        run = self._runs[label, kind] = self._runs.get((label, kind), 0) + 1
        return programs[min(run, len(programs)) - 1]


def play(runtime: Runtime, scenario: Scenario) -> list[dict[str, Any]]:
    """Play a scenario; returns the outcome of each step."""
    world = World(runtime, scenario)
    outcomes = []
    for step in scenario.data["steps"]:
        outcome = _play_step(world, step)
        runtime.settle()
        if events := world.drain():
            outcome["events"] = events
        outcomes.append(json.loads(json.dumps(outcome)))
    return outcomes


def _play_step(world: World, step: dict[str, Any]) -> dict[str, Any]:
    if "advance_ms" in step:
        world.runtime.advance(step["advance_ms"])
        return {}
    try:
        return world.runtime.run(_play_async(world, step))
    except Exception as error:  # nothing could go on, or the loop itself failed
        return {"error": describe_error(error)}


async def _play_async(world: World, step: dict[str, Any]) -> dict[str, Any]:
    if "concurrent" not in step:
        return await _begin(world, step, world.stub)
    stubs: dict[str, Any] = {}

    def shared(label: str) -> Any:
        if label not in stubs:
            stubs[label] = world.stub(label)
        return stubs[label]

    begun = [_begin(world, inner, shared) for inner in step["concurrent"]]
    return {"outcomes": [await outcome for outcome in begun]}


def _begin(
    world: World, step: dict[str, Any], stub: Callable[[str], Any]
) -> Awaitable[dict[str, Any]]:
    """Put a step on its way at once; awaiting the result waits for its outcome."""
    if "connect" in step:
        return _outcome(_connect(world, step, stub))
    if "websocket" in step:
        return _done(_used(world.sockets[step["websocket"]], step))
    if "evict" in step:
        options = {"websockets": step["webSockets"]} if "webSockets" in step else {}
        return _outcome(world.runtime.evict(stub(step["evict"]), **options), _evicted)
    if "fetch" in step:
        return _outcome(stub(step["object"]).fetch(*decode(step["fetch"])), _response)
    return _outcome(stub(step["object"]).run(json.dumps(step["ops"])), _results)


async def _outcome(
    awaitable: Awaitable[Any], show: Callable[[Any], Awaitable[dict[str, Any]]] | None = None
) -> dict[str, Any]:
    try:
        answer = await awaitable
        return answer if show is None else await show(answer)
    except Exception as error:
        return {"error": describe_error(error)}


async def _results(text: str) -> dict[str, Any]:
    return {"results": json.loads(text)}


async def _response(response: Any) -> dict[str, Any]:
    return {"response": await describe_response(response)}


async def _evicted(_answer: Any) -> dict[str, Any]:
    return {"evicted": True}


async def _connect(
    world: World, step: dict[str, Any], stub: Callable[[str], Any]
) -> dict[str, Any]:
    name = step["websocket"]
    headers = {"Upgrade": "websocket", **step.get("headers", {})}
    url = step.get("url", "http://object/")
    response = await stub(step["connect"]).fetch(url, {"headers": headers})
    ws = response.web_socket
    if ws is not None:
        world.sockets[name] = ws
        listen(ws, lambda kind, shown, _event: world.note(name, kind, *shown))
        ws.accept()
    return {"response": await describe_response(response)}


def _used(ws: Any, step: dict[str, Any]) -> dict[str, Any]:
    """Use a client; an error is the outcome of this step alone, also inside `concurrent`."""
    try:
        return _use(ws, step)
    except Exception as error:
        return {"error": describe_error(error)}


def _use(ws: Any, step: dict[str, Any]) -> dict[str, Any]:
    if "send" in step:
        ws.send(decode(step["send"]))
    elif "close" in step:
        ws.close(*step["close"])
    else:
        return {"state": int(ws.readyState)}
    return {}


async def _done(outcome: dict[str, Any]) -> dict[str, Any]:
    return outcome
