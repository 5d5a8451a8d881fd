"""Errors that nobody awaits: where they are told, with which traceback, and in whose name."""

import asyncio

import pytest
from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint


class Careless(DurableObject):
    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        if request.url.endswith("/classic"):
            server.accept()
            server.addEventListener("message", lambda event: self._fail())
        else:
            self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        self._fail()

    async def in_background(self):
        self.ctx.waitUntil(self._later())

    async def in_a_task(self):
        asyncio.ensure_future(self._later())  # noqa: RUF006 - forgotten on purpose

    async def in_a_task_that_is_awaited(self):
        await asyncio.gather(self._later(), return_exceptions=True)

    async def _later(self):
        await asyncio.sleep(1)
        self._fail()

    def _fail(self):
        raise LookupError("nobody looks")

    async def alarm(self):
        self._fail()

    async def begin(self):
        await self.ctx.storage.setAlarm(1)


@pytest.fixture
def careless(runtime):
    return runtime.register(Careless).getByName("a")


def told(caplog):
    for record in caplog.records:
        traceback = record.exc_info[2]
        modules = []
        while traceback is not None:
            modules.append(traceback.tb_frame.f_globals["__name__"])
            traceback = traceback.tb_next
        assert not any(name.startswith("dobook") for name in modules)
        assert str(record.exc_info[1]) == "nobody looks"
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("in_background", ["CARELESS/a: waitUntil has failed"]),
        ("in_a_task", ["CARELESS/a: a task that nothing awaits has failed"]),
        ("in_a_task_that_is_awaited", []),
        ("begin", []),  # what `advance` returns says it
    ],
)
def test_work_of_an_object(runtime, careless, caplog, method, said):
    runtime.run(getattr(careless, method)())
    runtime.advance("2s")
    assert told(caplog) == said


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/", "CARELESS/a: webSocketMessage has failed"),
        ("/classic", "CARELESS/a: a listener of a WebSocket has failed"),
    ],
)
def test_handlers_of_sockets(runtime, careless, caplog, path, said):
    client = runtime.connect(careless, path=path)
    client.send("hi")
    runtime.settle()
    assert told(caplog) == [said]


def test_work_of_a_worker(runtime, caplog):
    class Default(WorkerEntrypoint):
        async def fetch(self, request):
            async def later():
                raise LookupError("nobody looks")

            self.ctx.waitUntil(later())
            return Response("ok")

    runtime.serve_worker(Default)
    runtime.run(runtime.fetch("/"))
    runtime.settle()
    assert told(caplog) == ["worker: waitUntil has failed"]
