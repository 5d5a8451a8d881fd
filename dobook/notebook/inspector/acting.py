"""What buttons do to one object: shared by the inspector and by views that open an object.

Edits go through the object's own gate: they are events of the object like any other, so no edit
falls into the middle of a handler, and what a caller has been answered is never changed behind it.
"""

from typing import Any

from dobook.errors import UsageError
from dobook.notebook.core.request_line import read_url, request_init
from dobook.notebook.core.session import Session, Target
from dobook.notebook.inspector.editing import edited, literal
from dobook.notebook.inspector.inspection import inspect
from dobook.notebook.requests.responses import body_text, status_line
from dobook.runtime.access import kernel_of
from dobook.runtime.calls.stub import DurableObjectStub
from dobook.runtime.objects.inside import run_inside
from dobook.runtime.runtime import Runtime


class ObjectActions:
    """The part of a view that acts on an object, its `target`."""

    session: Session

    @property
    def target(self) -> Target:
        """The object, in the runtime that is in use now."""
        raise NotImplementedError

    def do_request(self, method: str, path: str, body: str = "") -> str:
        """Send the object a request."""
        init = request_init(method, json=body if body.strip() else None)
        runtime = self.session.runtime
        response = runtime.run(self.target.stub.fetch(read_url(path), init))
        return f"{status_line(response)}\n{body_text(response)}".rstrip()

    def do_alarm(self) -> str:
        """Let time pass until the object's alarm has run."""
        runtime, facts = self.session.runtime, inspect(self.session, self.target)
        label, alarm = facts["title"], facts["alarm"]
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
        delete_all(self.session.runtime, self.target.stub)
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
        runtime.run(run_inside(kernel_of(runtime), self.target.stub, function))


def delete_all(runtime: Runtime, stub: DurableObjectStub) -> None:
    """Delete all that an object keeps and its alarm, as an event of its own; then evict it."""

    async def delete(ctx: Any) -> None:
        await ctx.storage.deleteAlarm()
        await ctx.storage.deleteAll()

    runtime.run(run_inside(kernel_of(runtime), stub, delete))
    runtime.run(runtime.evict(stub))
