"""Notes in SQL, put together from mixins; old ones go each night."""

import json
from http import HTTPStatus
from urllib.parse import urlparse

from js import Date
from storing import Clocked, Counted
from workers import DurableObject, Response, WorkerEntrypoint, env, wait_until

DAY_MS = 24 * 60 * 60 * 1000


class Notes(DurableObject, Clocked, Counted):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.sql = ctx.storage.sql

        @self.ctx.blockConcurrencyWhile
        async def prepare():
            self.sql.exec(
                "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, at INTEGER, text TEXT)"
            )

    async def add(self, text):
        cursor = self.sql.exec(
            "INSERT INTO notes (at, text) VALUES (?, ?) RETURNING id", Date.now(), text
        )
        return {"id": cursor.one().id, "at": self.now()}

    async def all(self):
        rows = self.sql.exec("SELECT id, text FROM notes ORDER BY id").toArray()
        assert [row["id"] for row in rows] == [row.id for row in rows]
        return [f"{row.id} {row.text}" for row in self.sql.exec("SELECT * FROM notes ORDER BY id")]

    async def replace(self, texts):
        def swap():
            self.sql.exec("DELETE FROM notes")
            for text in texts:
                if not text:
                    raise ValueError("a note is empty")
                self.sql.exec("INSERT INTO notes (at, text) VALUES (?, ?)", Date.now(), text)

        self.ctx.storage.transactionSync(swap)
        return await self.count()

    async def purge(self, before):
        return self.sql.exec("DELETE FROM notes WHERE at < ?", before).rowsWritten


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        path = urlparse(request.url).path
        notes = self.env.NOTES.getByName("mine")
        if path == "/notes" and request.method == "POST":
            note = await notes.add((await request.json())["text"])
            wait_until(self.log(note))
            return Response.json(note, status=HTTPStatus.CREATED)
        if path == "/notes" and request.method == "PUT":
            try:
                return Response(str(await notes.replace(json.loads(await request.text()))))
            except ValueError as error:
                return Response(str(error), status=HTTPStatus.BAD_REQUEST)
        if path == "/notes":
            return Response("\n".join(await notes.all()) or "none")
        if path == "/key":
            return Response(env.API_KEY)
        return await self.env.ASSETS.fetch(request)

    async def log(self, note):
        print(f"noted {note.id}")

    async def scheduled(self, controller, env, ctx):
        gone = await env.NOTES.getByName("mine").purge(controller.scheduledTime - DAY_MS)
        print(f"{controller.cron}: {gone} old")
