"""The object inspector: what an object keeps and does, live, and buttons that act on it.

Edits go through the object's own gate: they are events of the object like any other, so no edit
falls into the middle of a handler, and what a caller has been answered is never changed behind it.
"""

from typing import Any

from dobook.errors import UsageError
from dobook.notebook.asking import read_url, request_init
from dobook.notebook.responses import body_text, status_line
from dobook.notebook.session import Session, Target
from dobook.notebook.views.editing import edited, literal
from dobook.notebook.views.inspection import card_of, inspect, target_of
from dobook.notebook.widgets.base import View
from dobook.runtime.calls.stub import DurableObjectStub
from dobook.runtime.objects.inside import run_inside


class ObjectInspector(View):
    """A live view of one object.

    Args:
        session: The session.
        stub: A stub of the object; it need not exist yet.
    """

    file = "inspector"
    shown_by = r"^kiosk$|^stub$"

    def __init__(self, session: Session, stub: DurableObjectStub) -> None:
        self._name, self._binding = stub.name, target_of(stub).namespace.binding
        self._identity = stub.id.toString()
        super().__init__(session)

    @property
    def target(self) -> Target:
        """The object, in the runtime that is in use now."""
        namespace = self.session.runtime.namespace(self._binding)
        if self._name is not None:
            return target_of(namespace.getByName(self._name))
        return target_of(namespace.get(namespace.idFromString(self._identity)))

    def look(self) -> dict[str, Any]:
        """Return the object's facts."""
        return inspect(self.session, self.target)

    def static(self) -> tuple[str, str]:
        """Return the object's card."""
        card = card_of(self.look())
        return repr(card), card._repr_html_()

    # ------------------------------------------------------------------ what buttons do

    def do_request(self, method: str, path: str, body: str = "") -> str:
        """Send the object a request."""
        init = request_init(method, json=body if body.strip() else None)
        runtime = self.session.runtime
        response = runtime.run(self.target.stub.fetch(read_url(path), init))
        return f"{status_line(response)}\n{body_text(response)}".rstrip()

    def do_alarm(self) -> str:
        """Let time pass until the object's alarm has run."""
        runtime, label = self.session.runtime, self.facts["title"]
        alarm = self.look()["alarm"]
        if alarm is None:
            raise UsageError(f"{label} has no alarm.")
        runs = runtime.advance_to(runtime.clock.now_ms + alarm["in_ms"])
        ours = [run for run in runs if run.object == label]
        others = len(runs) - len(ours)
        return "\n".join(map(str, ours)) + (f"\nand {others:,} alarms of others" if others else "")

    def do_evict(self) -> str:
        """Take the object out of memory."""
        runtime = self.session.runtime
        runtime.run(runtime.evict(self.target.stub))
        return "evicted: its attributes are gone, its storage stays"

    def do_crash(self) -> str:
        """End the object's life at once."""
        runtime = self.session.runtime
        runtime.crash(self.target.stub)
        runtime.settle()
        return "crashed: what was not committed is gone, what was answered stays"

    def do_delete(self) -> str:
        """Delete all that the object keeps, and its alarm."""

        async def delete(ctx: Any) -> None:
            await ctx.storage.deleteAlarm()
            await ctx.storage.deleteAll()

        runtime = self.session.runtime
        runtime.run(run_inside(runtime, self.target.stub, delete))
        runtime.run(runtime.evict(self.target.stub))
        return "deleted: rows, tables and alarm"

    def do_put(self, row: str, value: str) -> str:
        """Store what was typed for a row; its type stays."""

        async def put(ctx: Any) -> None:
            before = await ctx.storage.get(row)
            await ctx.storage.put(row, edited(value, before))

        self._inside(put)
        return f"{row} is stored"

    def do_add(self, row: str, value: str) -> str:
        """Store a new row; its value is JSON or a Python literal."""
        try:
            new = literal(value)
        except ValueError:
            raise UsageError(
                f"{value[:40]!r} is neither JSON nor a Python literal. Put text into quotes."
            ) from None
        if not row:
            raise UsageError("a row has a key.")

        async def add(ctx: Any) -> None:
            if await ctx.storage.get(row) is not None:
                raise UsageError(f"there is a row {row!r} already: edit it in its place.")
            await ctx.storage.put(row, new)

        self._inside(add)
        return f"{row} is stored"

    def do_remove(self, row: str) -> str:
        """Delete a row."""
        self._inside(lambda ctx: ctx.storage.delete(row))
        return f"{row} is deleted"

    def _inside(self, function: Any) -> None:
        runtime = self.session.runtime
        runtime.run(run_inside(runtime, self.target.stub, function))
