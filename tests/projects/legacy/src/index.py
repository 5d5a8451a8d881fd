"""Handlers of the older style: functions of the module, requests and responses of JavaScript."""

from js import JSON, URL, Headers, Object, Response, console
from pyodide.ffi import to_js
from workers import DurableObject


class Hits(DurableObject):
    def __init__(self, state, env):
        self.state = state
        self.env = env

    async def on_fetch(self, request, env, ctx):
        assert env is self.env
        hits = (await self.state.storage.get("hits") or 0) + 1
        await self.state.storage.put("hits", hits)
        return Response.new(str(hits))

    async def ticks(self, add=0):
        ticks = (await self.state.storage.get("ticks") or 0) + add
        await self.state.storage.put("ticks", ticks)
        return ticks


async def on_fetch(request, env, ctx):
    url = URL.new(request.url)
    console.log(request.method, url.pathname)
    hits = env.HITS.get(env.HITS.idFromName("all"))
    if url.pathname == "/hits":
        return await hits.fetch(request)
    if url.pathname == "/ticks":
        return Response.new(await hits.ticks())
    if request.method == "POST":
        asked = await request.json()
        headers = Headers.new({"content-type": "application/json"}.items())
        headers.set("x-agent", request.headers.get("user-agent") or "none")
        answer = JSON.stringify(to_js({"for": asked.name}, dict_converter=Object.fromEntries))
        return Response.new(answer, headers=headers, status=201)
    return Response.new(
        f"{env.GREETING}, {env.LIMITS.per_minute} of {len(env.LIMITS.names)} from {request.cf.colo}"
    )


async def on_scheduled(controller, env, ctx):
    print(f"due: {controller.cron}")
    await env.HITS.get(env.HITS.idFromName("all")).ticks(1)
