"""A FastAPI application in front of an object."""

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from workers import DurableObject, WorkerEntrypoint

app = FastAPI()


class Visit(BaseModel):
    name: str


@app.get("/")
async def root(request: Request):
    return {"message": request.scope["env"].MESSAGE}


@app.get("/plain")
def plain():
    return {"sync": True}


@app.post("/visits", status_code=201)
async def visit(visit: Visit, request: Request):
    return {"visits": await request.scope["env"].VISITS.getByName(visit.name).visit()}


@app.get("/visits/{name}")
async def visits(name: str):
    raise HTTPException(404, f"{name} was never here")


@app.get("/lines")
async def lines():
    async def made():
        for number in range(3):
            yield f"line {number}\n"

    return StreamingResponse(made(), media_type="text/plain")


class Visits(DurableObject):
    async def visit(self):
        count = (await self.ctx.storage.get("count") or 0) + 1
        await self.ctx.storage.put("count", count)
        return count


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        import asgi

        return await asgi.fetch(app, request.js_object, self.env)
