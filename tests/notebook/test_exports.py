"""Promise: in a notebook `ctx.exports` has the classes and entrypoints of the cells."""

import pytest
from IPython.core.error import UsageError

OBJECTS = """%%durable_object
from workers import DurableObject

class Room(DurableObject):
    async def enter(self, who):
        return await self.ctx.exports.Greeter.greet(who)

class Hall(DurableObject):
    async def enter(self, room, who):
        return await self.ctx.exports.Room.getByName(room).enter(who)
"""
DEFAULT = """class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(await self.ctx.exports.Hall.getByName("h").enter("a", "ada"))
"""
GREETER = """class Greeter(WorkerEntrypoint):
    async def greet(self, who):
        return f"hello {who}"
"""
IMPORT = "from workers import Response, WorkerEntrypoint\n\n"


def greeting(shell):
    return shell.cell("(await (await runtime.fetch('/')).text())")


@pytest.mark.parametrize(
    "cells",
    [
        [f"%%worker\n{IMPORT}{DEFAULT}\n{GREETER}"],
        [f"%%worker\n{IMPORT}{GREETER}\n{DEFAULT}"],
        [f"%%worker\n{IMPORT}{DEFAULT}", f"%%worker\n{IMPORT}{GREETER}"],
        [f"%%worker\n{IMPORT}{GREETER}", f"%%worker\n{IMPORT}{DEFAULT}"],
    ],
)
def test_an_entrypoint_beside_default_is_reached_whatever_the_order_of_cells(shell, cells):
    for cell in [OBJECTS, *cells]:
        shell.cell(cell)
    assert greeting(shell) == "hello ada"
    shell.cell("%dobook reset")
    assert greeting(shell) == "hello ada"


def test_the_card_of_an_entrypoint_says_how_it_is_reached(shell):
    shell.cell(OBJECTS)
    shell.cell(f"%%worker\n{IMPORT}{DEFAULT}")
    card = shell.cell(f"%%worker\n{IMPORT}{GREETER}")
    assert "reached by ctx.exports.Greeter" in shell.shown(card)
    again = shell.cell(f"%%worker\n{IMPORT}{GREETER.replace('hello', 'hi')}")
    assert "changed greet" in shell.shown(again)
    assert greeting(shell) == "hi ada"


def test_two_workers_of_which_none_is_default_are_refused(shell):
    other = GREETER.replace("Greeter", "Other")
    with pytest.raises(UsageError, match="name one of Greeter, Other Default"):
        shell.cell(f"%%worker\n{IMPORT}{GREETER}\n{other}")


def test_a_class_that_the_configuration_does_not_bind_is_reached_by_the_exports(shell):
    shell.cell(
        '%%wrangler\nname = "w"\ncompatibility_date = "2026-03-15"\n'
        '[[durable_objects.bindings]]\nname = "HALL"\nclass_name = "Hall"\n'
        '[[migrations]]\ntag = "v1"\nnew_sqlite_classes = ["Room", "Hall"]\n'
    )
    shell.cell(f"%%worker\n{IMPORT}{DEFAULT}\n{GREETER}")
    card = shell.cell(OBJECTS)
    assert "env.HALL" in shell.shown(card)
    assert greeting(shell) == "hello ada"
    with pytest.raises(
        UsageError, match=r"no binding for Room. Its objects, .* are Room/name here"
    ):
        shell.cell("%rpc ROOM/a enter 'x'")
    assert shell.cell("%rpc Room/a enter 'ken'") == "hello ken"


def test_an_older_date_of_the_configuration_is_told_where_the_exports_are_used(shell):
    shell.cell(
        '%%wrangler\nname = "w"\ncompatibility_date = "2025-01-01"\n'
        '[[durable_objects.bindings]]\nname = "HALL"\nclass_name = "Hall"\n'
        '[[migrations]]\ntag = "v1"\nnew_sqlite_classes = ["Room", "Hall"]\n'
    )
    shell.cell(OBJECTS)
    shell.cell(f"%%worker\n{IMPORT}{DEFAULT}\n{GREETER}")
    with pytest.raises(AttributeError, match="from 2025-11-17 on"):
        shell.cell("await env.HALL.getByName('h').enter('a', 'ada')")
    found = shell.cell("%dobook check")
    assert {f.what for f in found if f.rule == "exports"} == {
        "ctx.exports.Room", "ctx.exports.Greeter", "ctx.exports.Hall",
    }  # fmt: skip
