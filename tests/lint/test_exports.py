"""Uses of `ctx.exports`: what check finds in a project, and what it leaves."""

import json
import textwrap

import pytest

from dobook.lint import check_path, check_text

ENTRY = """
from workers import DurableObject, Response, WorkerEntrypoint, python_from_rpc, python_to_rpc

class Room(DurableObject):
    async def enter(self, who):
        return who

class Greeter(WorkerEntrypoint):
    async def greet(self, who):
        return who

class Default(WorkerEntrypoint):
    async def fetch(self, request):
{body}
        return Response("")
"""
STORED = {"migrations": [{"tag": "v1", "new_sqlite_classes": ["Room"]}]}
CALL = 'await self.ctx.exports.Room.getByName("a").enter("ada")'


@pytest.fixture
def check(tmp_path):
    def check(body, **configuration):
        values = {
            "name": "w", "main": "entry.py", "compatibility_date": "2026-03-15",
            "compatibility_flags": ["python_workers"], **STORED, **configuration,
        }  # fmt: skip
        (tmp_path / "wrangler.json").write_text(json.dumps(values), "utf-8")
        (tmp_path / "entry.py").write_text(_entry(body), "utf-8")
        return [(f.rule, f.what, f.fix) for f in check_path(tmp_path)]

    return check


def _entry(body):
    return ENTRY.format(body=textwrap.indent(body, " " * 8))


@pytest.mark.parametrize(
    "body",
    [
        CALL,
        "await self.ctx.exports.Greeter.greet('x')",
        "await self.ctx.exports.default.fetch('http://x/')",
        "x = self.ctx.exports\nawait x.Room.getByName('a').enter(python_to_rpc({'a': 1}))",
        "r = python_from_rpc(await self.ctx.exports.Room.getByName('a').enter('x'))['a']",
        "await self.ctx.exports.Greeter(props=python_to_rpc({'a': 1})).greet('x')",
        "await self.ctx.exports.Room.getByName('a').fetch('http://x/', {'method': 'POST'})",
    ],
)
def test_what_runs_there_is_left_alone(check, body):
    assert check(body) == []


@pytest.mark.parametrize(
    ("body", "configuration", "fix"),
    [
        ("self.ctx.exports.Rom", {}, "Did you mean 'Room'?"),
        ("self.ctx.exports.Default", {}, "Did you mean 'default'?"),
        (CALL, {"migrations": []}, 'Add a migration: "new_sqlite_classes": ["Room"]'),
        (
            CALL,
            {"compatibility_date": "2025-11-16"},
            "Set a later compatibility_date, or the flag enable_ctx_exports.",
        ),
        (
            CALL,
            {"compatibility_flags": ["python_workers", "disable_ctx_exports"]},
            "Remove the flag.",
        ),
    ],
)
def test_what_would_fail_there_is_found(check, body, configuration, fix):
    ((rule, what, said),) = check(body, **configuration)
    assert (rule, said) == ("exports", fix)
    assert what.startswith("ctx.exports.")


def test_a_flag_is_as_good_as_a_date(check):
    flags = ["python_workers", "enable_ctx_exports"]
    assert check(CALL, compatibility_date="2025-09-01", compatibility_flags=flags) == []


def test_a_line_can_be_silenced(check):
    assert check("self.ctx.exports.Later  # dobook: ok") == []


@pytest.mark.parametrize(
    "body",
    [
        "await self.ctx.exports.Room.getByName('a').enter([1])",
        "await self.ctx.exports.Room.get(some_id).enter({'a': 1})",
        "room = self.ctx.exports.Room.getByName('a')\nawait room.enter(b'x')",
        "x = self.ctx.exports\nroom = x.Room.getByName('a')\nawait room.enter([n for n in y])",
        "await self.ctx.exports.Greeter.greet({'a': 1})",
        "self.ctx.exports.Greeter(props={'a': 1})",
        "self.ctx.exports.Greeter({'props': {}})",
        "g = self.ctx.exports.Greeter(props=python_to_rpc({}))\nawait g.greet([1])",
        "await self.ctx.exports.Greeter.fetch('http://x/', headers={'a': 'b'})",
        "await self.ctx.exports.Greeter.fetch('http://x/', {'method': 'PUT', 'body': b'x'})",
        "return (await self.ctx.exports.Greeter.greet('x'))['a']",
    ],
)
def test_values_of_python_are_found_where_nothing_converts_them(body):
    assert check_text(_entry(body), "entry.py").rules == ["exports-raw"]
