"""The real engine on a state directory, and values to exchange with it."""

import json
import os
import random
import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.npm import node_modules

PACKAGES = ("miniflare@4.20260426.0", "workerd@1.20261117.1")
HERE = Path(__file__).parent

KEYS = ["a", "b", "key:1", "key:2", "é", "日本", "\U0001f600", "a\u0000b", "", "Z" * 200]
TEXTS = ["", "x", "žluťoučký", "日本語", "\U0001f600", "\ud800 alone", "a\u0000b", "long " * 70]
NUMBERS: list[Any] = [
    *(0, 1, -1, 2**30, -(2**31), 2**31, 2**53 - 1, 0.5, -1e-300, 1.5e300, 5e-324),
    *({"$num": n} for n in ("NaN", "Infinity", "-Infinity", "-0")),
]


def engine(
    calls: list[dict[str, Any]],
    *,
    persist: Path | None = None,
    root: Path | None = None,
    kill: bool = False,
) -> list[list[Any]]:
    """Have the real engine run operations on objects; returns their results.

    Args:
        calls: `{"class": "SqliteBox" or "KvBox", "name": …, "ops": […]}`, see `engine.mjs`.
        persist: A folder as Miniflare's `durableObjectsPersist` names it.
        root: A folder as wrangler makes it of `--persist-to`.
        kill: End it without a chance to close its files.
    """
    request = {
        "persist": None if persist is None else str(persist),
        "root": None if root is None else str(root),
        "calls": calls,
        "kill": kill,
    }
    modules = node_modules(*PACKAGES)
    with subprocess.Popen(
        ["node", str(HERE / "engine.mjs")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NODE_MODULES": str(modules)},
        start_new_session=True,  # so that the engine ends with the program that started it
    ) as node:
        assert node.stdin is not None
        assert node.stdout is not None
        assert node.stderr is not None
        node.stdin.write(json.dumps(request))
        node.stdin.close()
        answer = node.stdout.readline()
        if kill:
            os.killpg(node.pid, signal.SIGKILL)
        assert answer, node.stderr.read()[-3000:]
        results: list[list[Any]] = json.loads(answer)
    return results


def random_value(rng: random.Random, depth: int = 0, *, largest_set: int = 4) -> Any:
    """Return a value as tagged JSON, of any type that Python and JavaScript both have."""

    def inner() -> Any:
        return random_value(rng, depth + 1, largest_set=largest_set)

    kind = rng.randrange(14 if depth < 3 else 8)
    if kind < 2:
        return rng.choice(NUMBERS)
    if kind == 2:
        return rng.randint(-(2**53) + 1, 2**53 - 1)
    if kind == 3:
        return rng.choice(TEXTS)
    if kind == 4:
        return rng.choice([None, True, False])
    if kind == 5:
        return {"$date": rng.randint(-(10**12), 4 * 10**12)}
    if kind == 6:
        return {"$bytes": rng.choice(["", "AA==", "AAEC/w==", "/" * 400])}
    if kind == 7:
        return {"$bigint": str(rng.choice([-1, 1]) * rng.randint(2**53, 2**200))}
    size = rng.randrange(5)
    if kind < 11:
        return [inner() for _ in range(size)]
    names = rng.sample(["p", "q", "0", "17", "é", "日", "constructor"], size)
    if kind == 11:
        scalars = rng.sample([3, 2.5, "x", "日", True, {"$date": 0}], min(size, largest_set))
        return {"$set": scalars}
    if kind == 12:
        keys = rng.sample([7.5, "x", "7", False, {"$date": 1}, {"$bigint": str(2**60)}], size)
        return {"$map": [[-3, None], *([key, inner()] for key in keys)]}
    return {name: inner() for name in names}


def normal(value: Any) -> Any:
    """Return tagged JSON such that what means the same is equal."""
    if isinstance(value, list):
        return [normal(v) for v in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if not isinstance(value, dict):
        return value
    if "$set" in value:
        return {"$set": sorted(json.dumps(normal(v)) for v in value["$set"])}
    if "$map" in value:
        return {"$map": [[normal(k), normal(v)] for k, v in value["$map"]]}
    return {k: normal(v) for k, v in value.items()}
