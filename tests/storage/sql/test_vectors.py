"""The recorded answers of the real engine, replayed against `SqlStorage` alone.

Only scenarios that use nothing but SQL in one object are played here; the conformance runner
plays all of them against the whole runtime.
"""

import base64
import itertools
import json
import os
import re
from pathlib import Path

import pytest

from dobook.errors import js_name
from dobook.storage.connection import Connection
from dobook.storage.sql.storage import SqlStorage

VECTORS = Path(
    os.environ.get("DOBOOK_VECTORS", Path(__file__).parents[2] / "conformance" / "vectors")
)
SQL_OPS = {"sql", "sql.open", "cursor", "sql.size", "transactionSync", "throw", "sleep"}
SKIPPED_SCOPES = {"js", "sqlite"}


class Host:
    """The least that SqlStorage needs of an object."""

    def __init__(self, *, unsafe_limits=False):
        self.unsafe_limits = unsafe_limits
        self.owner = None
        self.database = Connection(None)
        self.depth = 0

    def connection(self):
        return self.database

    def will_write(self):
        if not self.database.in_transaction:
            self.database.begin()

    def settle_schema(self):
        pass

    def check(self):
        pass


def ops_of(steps):
    for step in steps:
        for op in step.get("ops", [["?"]]):
            yield op
            if op[0] == "transactionSync":
                yield from ops_of([{"ops": op[1]}])


def scenarios():
    for name in ("sql", "fuzz-sql"):
        path = VECTORS / f"{name}.json"
        if not path.exists():
            continue
        for scenario in json.loads(path.read_text(encoding="utf-8")):
            usable = all(op[0] in SQL_OPS for op in ops_of(scenario["steps"]))
            if usable and scenario.get("scope") not in SKIPPED_SCOPES:
                yield pytest.param(scenario, id=f"{name}/{scenario['name']}")


def value_in(value):
    if isinstance(value, dict):
        if "$bytes" in value:
            return base64.b64decode(value["$bytes"])
        if "$num" in value:
            return float(value["$num"].replace("Infinity", "inf"))
        if "$undefined" in value:
            return None
    return value


def value_out(value):
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return {"$num": {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}[str(value)]}
    if isinstance(value, dict):
        return {k: value_out(v) for k, v in value.items()}
    if isinstance(value, list):
        return [value_out(v) for v in value]
    return value


class Player:
    def __init__(self, host):
        self.host = host
        self.sql = SqlStorage(host)
        self.vars = {}
        self.raw = {}

    def play(self, op):
        try:
            value = self.run(op)
        except Exception as error:
            return {"error": {"name": js_name(error), "message": str(error)}}
        return {} if value is None else {"ok": value_out(value)}

    def run(self, op):
        name, *args = op
        if name == "sql":
            return self.sql.exec(*map(value_in, args)).toArray()
        if name == "sql.open":
            self.vars[args[0]] = self.sql.exec(*map(value_in, args[1:]))
            return None
        if name == "sql.size":
            size = self.sql.databaseSize
            return size > 0 and size % 4096 == 0
        if name == "sleep":
            if self.host.database.in_transaction:
                self.host.database.commit()
            return None
        if name == "throw":
            raise Stop(args[1])
        if name == "transactionSync":
            return self.transaction(args[0])
        return self.cursor(args[0]["$var"], *args[1:])

    def transaction(self, ops):
        database = self.host.database
        self.host.will_write()
        self.host.depth += 1
        point = f"point_{self.host.depth}"
        database.savepoint(point)
        try:
            found = []
            for op in ops:
                if op[0] == "throw":
                    self.run(op)
                found.append(self.play(op))
            return found
        except Stop:
            database.rollback_to(point)
            raise
        finally:
            database.release(point)
            self.host.depth -= 1

    def cursor(self, var, method, *args):
        cursor = self.vars[var]
        if method == "raw":
            return list(cursor.raw())
        if method == "rawNext":
            return self.raw.setdefault(var, cursor.raw()).next()
        if method == "take":
            return list(itertools.islice(cursor, args[0]))
        found = getattr(cursor, method)
        return found() if callable(found) else found


class Stop(Exception):
    """The scenario's own error."""


def comparable(result):
    result = json.loads(json.dumps(result))
    error = result.get("error")
    if error:
        error["message"] = re.sub(r" at offset \d+", "", error["message"])
    if isinstance(result.get("ok"), list):
        result["ok"] = [comparable(r) if isinstance(r, dict) else r for r in result["ok"]]
    if result.get("ok", 0) == {"$num": "-0"}:
        result["ok"] = 0
    return result


def plain(value):
    """-0 may be taken for 0."""
    return json.loads(json.dumps(value).replace('{"$num": "-0"}', "0"))


@pytest.mark.parametrize("scenario", list(scenarios()))
def test_the_recorded_scenario_has_the_same_outcome(scenario):
    host = Host(unsafe_limits=scenario.get("scope") == "limits")
    player = Player(host)
    for step, expected in zip(scenario["steps"], scenario["expect"], strict=True):
        if "results" in expected:
            found = [player.play(op) for op in step["ops"]]
            assert [plain(comparable(f)) for f in found] == [
                plain(comparable(e)) for e in expected["results"]
            ]
        else:
            for op in step["ops"]:
                if op[0] == "throw":
                    break
                player.play(op)
        if host.database.in_transaction:
            host.database.commit()
    host.database.close()
