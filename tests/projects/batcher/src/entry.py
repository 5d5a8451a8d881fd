"""Collects requests for ten seconds, then sends them on in one; keys are numbers."""

import time

from js import AbortController, ReadableStream, TextEncoder, clearTimeout, setTimeout
from pyodide.ffi import create_once_callable, create_proxy, run_sync
from workers import DurableObject, Request, Response, WorkerEntrypoint, fetch

SECONDS = 10


class Batcher(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.storage = ctx.storage

        @self.ctx.blockConcurrencyWhile
        async def initialize():
            found = await self.storage.list(reverse=True, limit=1)
            self.count = 0
            if len(found) > 0:
                self.count = int(found.keys().next().value)

    async def fetch(self, request):
        self.count += 1
        if await self.storage.getAlarm() is None:
            self.storage.setAlarm(int(time.time() * 1000) + 1000 * SECONDS)
        await self.storage.put(self.count, await request.text())
        return Response.json({"queued": self.count})

    async def alarm(self):
        held = await self.storage.list()
        request = Request(
            "https://upstream.example/batch", method="POST", body=",".join(held.values())
        )
        response = await fetch(request, headers={"X-Count": str(len(held))})
        print(f"sent {len(held)}: {response.status} {await response.text()}")
        await self.storage.deleteAll()
        self.count = 0

    def nap(self, seconds):
        import asyncio

        began = time.time()
        run_sync(asyncio.sleep(seconds))
        return round(time.time() - began)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        batcher = self.env.BATCHER.getByName("foo")
        if request.url.endswith("/nap"):
            return Response(str(await batcher.nap(30)))
        if request.url.endswith("/stream"):
            return Response(self.stream(), headers={"Content-Type": "text/plain"})
        return await batcher.fetch(request)

    def stream(self):
        encoder = TextEncoder.new()
        controller = AbortController.new()
        never = setTimeout(create_proxy(lambda: print("never")), 5000)
        clearTimeout(never)

        async def start(stream):
            for number in range(3):
                stream.enqueue(encoder.encode(f"{number} "))
            setTimeout(create_once_callable(stream.close), 1000)
            controller.abort()

        assert not controller.signal.aborted
        return ReadableStream.new(start=create_proxy(start))
