"""Keeps a WebSocket to a feed open: an alarm each minute sees to it that there is one."""

import json
import time
from urllib.parse import urlparse

import js
from pyodide.ffi import create_proxy
from workers import DurableObject, Response, WorkerEntrypoint


class Consumer(DurableObject):
    def __init__(self, state, env):
        super().__init__(state, env)
        self.socket = None
        self.connected = False

    async def fetch(self, request):
        if self.socket is None:
            await self.schedule()
            self.connect()
        if urlparse(request.url).path == "/status":
            return Response.json(
                {
                    "connected": self.connected,
                    "last": self.ctx.storage.kv.get("last"),
                    "attempts": self.ctx.storage.kv.get("attempts"),
                }
            )
        return Response("Ask /status", status=404)

    async def alarm(self, info):
        print(f"alarm, retry {info.retryCount}: {'fine' if self.connected else 'connecting again'}")
        if not self.connected:
            self.connect()
        await self.schedule()

    async def schedule(self):
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + 60_000)

    def connect(self):
        kv = self.ctx.storage.kv
        kv.put("attempts", (kv.get("attempts") or 0) + 1)
        url = self.env.FEED
        if last := kv.get("last"):
            url += f"?cursor={last}"
        self.socket = js.WebSocket.new(url)
        self.socket.addEventListener("open", create_proxy(self.on_open))
        self.socket.addEventListener("message", create_proxy(self.on_message))
        self.socket.addEventListener("error", create_proxy(self.on_error))
        self.socket.addEventListener("close", create_proxy(self.on_close))

    async def on_open(self, event):
        self.connected = True
        self.socket.send(json.dumps({"want": ["posts"]}))

    def on_message(self, event):
        self.ctx.storage.kv.put("last", json.loads(event.data)["id"])

    def on_error(self, event):
        self.connected = False
        self.ctx.abort("the feed cannot be reached")

    def on_close(self, event):
        self.connected = False
        self.ctx.abort("the feed has closed")


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.CONSUMER.getByName("the one").fetch(request)
