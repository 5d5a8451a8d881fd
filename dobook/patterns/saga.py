"""A workflow that goes on by itself, tries again, and undoes what it has done if it cannot end."""

import asyncio
import time
from typing import Any
from urllib.parse import urlsplit

from workers import DurableObject, Request, Response


class Saga(DurableObject):
    """Named steps in order, each on an alarm of its own; the last steps first when undoing.

    A step that raises is tried again, `MOST_ATTEMPTS` times in all, with growing waits. If it still
    fails, `undo_step` runs for each completed step in reverse, and the saga has failed. A step may
    run twice (the object may die in the middle of it), so give `key`, the same for every attempt, to
    whatever it asks for something. Override `run_step` and `undo_step`.

    The state is the value of "workflow": status (running, paused, undoing, completed, failed),
    currentStep, steps (name, status, attempts, startedAt, completedAt, error), data, createdAt.

    Routes: /create (steps, data), /status, /pause, /resume.

    Example:
        >>> import dobook
        >>> with dobook.Runtime() as runtime:
        ...     trip = runtime.register(Saga).getByName("trip-1")
        ...     runtime.run(trip.start(["flight", "hotel"]))["status"]
        ...     runs = runtime.advance("1m")
        ...     runtime.run(trip.status())["status"]
        'running'
        'completed'
    """

    MOST_ATTEMPTS = 3
    FIRST_WAIT_MS = 1_000  # before the second attempt; doubled for each further one
    MOST_WAIT_MS = 3_600_000  # between two attempts to undo, of which there are any number

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.workflow: dict[str, Any] | None = None
        ctx.blockConcurrencyWhile(self._load)

    async def _load(self) -> None:
        self.workflow = await self.ctx.storage.get("workflow")

    async def run_step(self, name: str, data: dict[str, Any], key: str) -> Any:
        """Do one step; override this.

        Args:
            name: The step's name.
            data: A dict of the saga's own, saved after the step.
            key: The same for every attempt at this step, and for no other step.
        """
        del data, key
        await asyncio.sleep(0.1)  # stands for work
        return {"executed": name}

    async def undo_step(self, name: str, data: dict[str, Any], key: str) -> None:
        """Take one completed step back; override this. It is repeated until it does not raise.

        Args:
            name: The step's name.
            data: The saga's data.
            key: What `run_step` was given.
        """

    async def fetch(self, request: Request) -> Response:
        """Answer one of the routes; 409 for what is not possible now, 404 for an unknown one."""
        try:
            match urlsplit(request.url).path:
                case "/create":
                    body = await request.json()
                    return Response.json(await self.start(body["steps"], body.get("data")))
                case "/status":
                    return Response.json(await self.status())
                case "/pause":
                    return Response.json(await self.pause())
                case "/resume":
                    return Response.json(await self.resume())
                case _:
                    return Response.json({"error": "Unknown action"}, status=404)
        except ValueError as error:
            return Response.json({"error": str(error)}, status=409)

    async def start(self, steps: list[str], data: dict[str, Any] | None = None) -> dict[str, Any]:
        """Start the workflow; the first step runs at once.

        Args:
            steps: The steps' names.
            data: What the steps need to know.

        Raises:
            ValueError: If the saga has begun already, or has no steps.
        """
        if self.workflow:
            raise ValueError("the saga exists already")
        if not steps:
            raise ValueError("a saga has at least one step")
        self.workflow = {
            "status": "running",
            "currentStep": 0,
            "steps": [
                {"step": i, "name": name, "status": "pending", "attempts": 0}
                for i, name in enumerate(steps)
            ],
            "data": data or {},
            "createdAt": _now(),
        }
        await self._save()
        await self.ctx.storage.setAlarm(_now())
        return self.workflow

    async def status(self) -> dict[str, Any]:
        """Return the state; a status of "none" before it began."""
        return self.workflow or {"status": "none", "steps": []}

    async def pause(self) -> dict[str, Any]:
        """Stop before the next step; one under way is ended first.

        Raises:
            ValueError: If the saga is not running.
        """
        workflow = self._in("running")
        workflow["status"] = "paused"
        await self.ctx.storage.deleteAlarm()
        await self._save()
        return workflow

    async def resume(self) -> dict[str, Any]:
        """Continue where it was paused.

        Raises:
            ValueError: If the saga is not paused.
        """
        workflow = self._in("paused")
        workflow["status"] = "running"
        await self._save()
        await self.ctx.storage.setAlarm(_now())
        return workflow

    async def alarm(self, info: Any = None) -> None:
        """Take one step, forward or back, and set the alarm for the next."""
        del info
        workflow = self.workflow
        if workflow and workflow["status"] == "running":
            await self._forward(workflow)
        elif workflow and workflow["status"] == "undoing":
            await self._back(workflow)

    async def _forward(self, workflow: dict[str, Any]) -> None:
        step = workflow["steps"][workflow["currentStep"]]
        if step["attempts"] >= self.MOST_ATTEMPTS:  # and none of them came to an end
            await self._give_up(workflow, step, "the object died in the middle of it")
            return
        step["status"] = "running"
        step["attempts"] += 1
        step.setdefault("startedAt", _now())
        # Saved before the work begins: a crash in the middle of it must not reset the count.
        await self._save()
        wait_ms = 0
        try:
            step["result"] = await self.run_step(step["name"], workflow["data"], self._key(step))
        except Exception as error:
            if step["attempts"] >= self.MOST_ATTEMPTS:
                await self._give_up(workflow, step, str(error))
                return
            step["error"] = str(error)
            step["status"] = "pending"
            wait_ms = self.FIRST_WAIT_MS * 2 ** (step["attempts"] - 1)
        else:
            step["status"] = "completed"
            step["completedAt"] = _now()
            step.pop("error", None)
            workflow["currentStep"] += 1
            if workflow["currentStep"] >= len(workflow["steps"]):
                workflow["status"] = "completed"
        await self._save()
        if workflow["status"] == "running":
            await self.ctx.storage.setAlarm(_now() + wait_ms)

    async def _give_up(self, workflow: dict[str, Any], step: dict[str, Any], why: str) -> None:
        step["status"] = "failed"
        step["error"] = why
        step["completedAt"] = _now()
        workflow["status"] = "undoing"
        workflow["error"] = f"{step['name']}: {why}"
        await self._save()
        await self.ctx.storage.setAlarm(_now())

    async def _back(self, workflow: dict[str, Any]) -> None:
        done = [step for step in workflow["steps"] if step["status"] == "completed"]
        if done:
            step = done[-1]
            try:
                await self.undo_step(step["name"], workflow["data"], self._key(step))
            except Exception as error:
                # The platform would stop after six retries, and leave the workflow half undone.
                step["undoAttempts"] = step.get("undoAttempts", 0) + 1
                step["error"] = f"undo: {error}"
                wait_ms = self.FIRST_WAIT_MS * 2 ** (step["undoAttempts"] - 1)
                await self._save()
                await self.ctx.storage.setAlarm(_now() + min(wait_ms, self.MOST_WAIT_MS))
                return
            step["status"] = "undone"
            step.pop("error", None)
        if len(done) <= 1:
            workflow["status"] = "failed"
        await self._save()
        if workflow["status"] == "undoing":
            await self.ctx.storage.setAlarm(_now())

    def _in(self, status: str) -> dict[str, Any]:
        if not self.workflow or self.workflow["status"] != status:
            found = self.workflow["status"] if self.workflow else "none"
            raise ValueError(f"the saga is not {status}, its status is {found}")
        return self.workflow

    def _key(self, step: dict[str, Any]) -> str:
        return f"{self.ctx.id}:{step['step']}"

    async def _save(self) -> None:
        assert self.workflow is not None
        self.workflow["updatedAt"] = _now()
        await self.ctx.storage.put("workflow", self.workflow)


def _now() -> int:
    return int(time.time() * 1000)
