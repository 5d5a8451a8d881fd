"""A workflow that is told when to take its next step, and remembers how far it is."""

import asyncio
import time
from typing import Any
from urllib.parse import urlsplit

from workers import DurableObject, Request, Response


class StatefulWorkflow(DurableObject):
    """Named steps in order, one for each `/execute`; it can be paused, resumed and cancelled.

    The whole state is one value, loaded once when the object comes into memory. Override `run_step`.
    A step that fails fails the workflow; `/retry` gives the failed step another try.

    Routes: /create (steps), /status, /execute, /pause, /resume, /retry, /cancel.

    Example:
        >>> import dobook
        >>> with dobook.Runtime() as runtime:
        ...     order = runtime.register(StatefulWorkflow).getByName("order-1")
        ...     answer = runtime.run(order.fetch("http://workflow/execute"))
        ...     answer.status, runtime.run(answer.json())
        (404, {'error': 'No workflow'})
    """

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.workflow: dict[str, Any] | None = None
        ctx.blockConcurrencyWhile(self._load)

    async def _load(self) -> None:
        self.workflow = await self.ctx.storage.get("workflow")

    async def run_step(self, name: str, data: dict[str, Any]) -> Any:
        """Do one step; override this. What it returns is kept, what it raises fails the step.

        Args:
            name: The step's name.
            data: A dict of the workflow's own, saved after the step.
        """
        del data
        await asyncio.sleep(0.1)  # stands for work
        return {"executed": name, "timestamp": _now()}

    async def fetch(self, request: Request) -> Response:
        """Answer one of the routes: 400, 404 and 409 for what is not possible now, 500 for errors."""
        action = urlsplit(request.url).path.removeprefix("/")
        try:
            match action:
                case "create":
                    return await self._create(request)
                case "status":
                    return Response.json({"exists": bool(self.workflow), "workflow": self.workflow})
                case "execute":
                    return await self._execute()
                case "pause":
                    return await self._change("running", "paused", "Cannot pause")
                case "resume":
                    return await self._change("paused", "running", "Cannot resume")
                case "retry":
                    return await self._change("failed", "running", "Cannot retry")
                case "cancel":
                    return await self._cancel()
                case _:
                    return Response.json({"error": "Unknown action"}, status=400)
        except Exception as error:  # a caller gets an answer, whatever it was
            return Response.json({"error": str(error)}, status=500)

    async def _create(self, request: Request) -> Response:
        if self.workflow:
            return Response.json({"error": "Workflow already exists"}, status=409)
        names = (await request.json())["steps"]
        self.workflow = {
            "id": str(self.ctx.id),
            "status": "pending",
            "currentStep": 0,
            "steps": [
                {"step": i, "name": name, "status": "pending", "attempts": 0}
                for i, name in enumerate(names)
            ],
            "data": {},
            "createdAt": _now(),
        }
        await self._save(self.workflow)
        return Response.json({"success": True, "workflow": self.workflow})

    async def _execute(self) -> Response:
        workflow = self.workflow
        if not workflow:
            return Response.json({"error": "No workflow"}, status=404)
        if workflow["status"] not in ("running", "pending"):
            return Response.json({"error": f"Cannot execute: {workflow['status']}"}, status=400)
        if any(step["status"] == "running" for step in workflow["steps"]):
            # A step waits for other things, and meanwhile the next request is let in.
            return Response.json({"error": "A step is under way"}, status=409)
        step = workflow["steps"][workflow["currentStep"]]
        workflow["status"] = step["status"] = "running"
        step["attempts"] += 1
        step["startedAt"] = _now()
        try:
            step["result"] = await self.run_step(step["name"], workflow["data"])
        except Exception as error:
            step["status"] = workflow["status"] = "failed"
            step["error"] = workflow["error"] = str(error)
            await self._save(workflow)
            return Response.json({"success": False, "error": str(error)}, status=500)
        step["status"] = "completed"
        step["completedAt"] = _now()
        step.pop("error", None)
        workflow.pop("error", None)
        workflow["currentStep"] += 1
        if workflow["currentStep"] >= len(workflow["steps"]):
            workflow["status"] = "completed"
        await self._save(workflow)
        return Response.json({"success": True, "step": step, "workflow": workflow})

    async def _change(self, before: str, after: str, refusal: str) -> Response:
        if not self.workflow or self.workflow["status"] != before:
            return Response.json({"error": refusal}, status=400)
        self.workflow["status"] = after
        await self._save(self.workflow)
        return Response.json({"success": True})

    async def _cancel(self) -> Response:
        if not self.workflow:
            return Response.json({"error": "No workflow"}, status=404)
        await self.ctx.storage.deleteAll()
        self.workflow = None
        return Response.json({"success": True})

    async def _save(self, workflow: dict[str, Any]) -> None:
        if workflow is self.workflow:  # it may have been cancelled while a step ran
            workflow["updatedAt"] = _now()
            await self.ctx.storage.put("workflow", workflow)


def _now() -> int:
    return int(time.time() * 1000)
