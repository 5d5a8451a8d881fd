"""06 Migrations: a rename and a new class in one deployment."""

from collections.abc import Iterator
from typing import Any

from dobook.errors import DobookError
from dobook.notebook.exercises.registry import exercise
from dobook.notebook.exercises.verdict import Point
from dobook.notebook.exercises.work import Missing, Work
from dobook.runtime.runtime import Runtime
from dobook.wrangler import deploy, parse
from dobook.wrangler.record import read

_BEFORE = """
[[durable_objects.bindings]]
name = "COUNTER"
class_name = "Counter"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Counter"]
"""


class _Counter:
    def __init__(self, ctx: Any, env: Any) -> None:
        self.ctx = ctx

    async def add(self) -> int:
        n: int = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return n


@exercise("migrations-1", "A text `configuration`: Counter becomes Score, and Board is new.")
def migrations_1(work: Work) -> Iterator[Point]:
    """Deploy the text over the old one: the data follows, the new class has SQL."""
    text = work.variable("configuration", "the TOML or JSONC text of the next deployment.")
    if not isinstance(text, str) or not text.strip():
        raise Missing("configuration is not the text of a wrangler.toml yet.")
    try:
        after = parse(text)
    except DobookError as error:
        raise Missing(f"the text cannot be read: {error}") from error
    yield Point(holds=True, text="the text can be read")
    bound = {binding.name: binding.class_name for binding in after.durable_objects}
    if bound != {"SCORES": "Score", "BOARD": "Board"}:
        raise Missing(
            f"the bindings are {bound or 'none'}, not SCORES for Score and BOARD for Board."
        )
    yield Point(holds=True, text="SCORES is bound to Score and BOARD to Board")
    with Runtime() as runtime:
        deploy(runtime, parse(_BEFORE), {"Counter": _Counter})
        for _ in range(3):
            runtime.run(runtime.env.COUNTER.getByName("ada").add())
        classes = {"Score": type("Score", (_Counter,), {}), "Board": type("Board", (_Counter,), {})}
        try:
            deployment = deploy(runtime, after, classes)
        except DobookError as error:
            raise Missing(f"Cloudflare would refuse it: {error}") from error
        yield Point(holds=True, text="it is accepted")
        edited = [warning for warning in deployment.warnings if "v1" in warning]
        yield Point(
            holds=not edited,
            text="the old migration v1 is as it was"
            if not edited
            else f"{edited[0]} Leave v1 alone.",
        )
        scored = runtime.run(runtime.env.SCORES.getByName("ada").add())
        yield Point(
            holds=scored == 4,
            text="Ada's three points have followed the rename"
            if scored == 4
            else "Ada had 3 points in Counter and begins at 0 in Score: a new class has no data. "
            'renamed_classes = [{ from = "Counter", to = "Score" }]',
        )
        board = read(runtime, deployment.script).find("Board")
        sql = board is not None and board.sqlite
        yield Point(
            holds=sql,
            text="Board has SQL"
            if sql
            else "Board has key-value storage alone, for good: declare it with new_sqlite_classes.",
        )
