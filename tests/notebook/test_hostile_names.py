"""HTML in every name and value that is shown: no output lets it through."""

import pytest

EVIL = "<img src=x onerror=alert(1)>&'\""
CELL = """%%durable_object
from pyodide.ffi import to_js
from workers import DurableObject, Response
import dobook
from js import WebSocketPair

EVIL = {evil!r}


class Evil(DurableObject):
    async def fetch(self, request):
        if request.headers.get("upgrade"):
            client, server = WebSocketPair().object_values()
            self.ctx.acceptWebSocket(server, to_js([EVIL[:20]]))
            return Response(None, status=101, web_socket=client)
        return Response.json({{EVIL: EVIL}}, headers={{"x-evil": EVIL}})

    def webSocketMessage(self, ws, message):
        ws.send(message + EVIL)

    async def fill(self):
        await self.ctx.storage.put({{EVIL: EVIL, "nested": {{EVIL: [EVIL]}}}})
        sql = self.ctx.storage.sql
        sql.exec('create table "<b>t</b>" ("<i>c</i>" text)')
        sql.exec('insert into "<b>t</b>" values (?)', EVIL)
        await self.ctx.storage.setAlarm(1_767_225_600_000 + 3_600_000)
        print(EVIL)
        return {{EVIL: EVIL}}

    async def echo(self):
        return {{EVIL: EVIL}}

    async def fail(self):
        raise ValueError(EVIL)

    async def alarm(self):
        raise ValueError(EVIL)

    @dobook.invariant
    def is_empty(self):
        return self.ctx.storage.kv.get(EVIL) is None
"""
BAD = ("<img", "<b>t", "<i>c")


@pytest.fixture
def evil(shell):
    shell.cell(CELL.format(evil=EVIL))
    shell.user_ns["stub"] = shell.cell("env.EVIL.getByName(EVIL)")
    shell.cell("%trace on")
    shell.cell("runtime.run(stub.fill())")
    return shell


CELLS = {
    "stub": "stub",
    "objects": "%objects",
    "storage": "%storage EVIL/$EVIL",
    "sql": '%sql EVIL/$EVIL select * from "<b>t</b>"',
    "alarms": "%alarms",
    "fast forward": "%fast_forward 2h",
    "request": "%request GET EVIL/$EVIL /path",
    "requests": "%requests",
    "rpc": "%rpc EVIL/$EVIL echo",
    "trace": "%trace",
    "diagram": "%trace --diagram",
    "evict": "%evict EVIL/$EVIL",
    "crash": "%crash EVIL/$EVIL",
    "status": "%dobook",
    "runtime": "runtime",
    "namespace": "env.EVIL",
    "clock": "runtime.clock",
    "alarm runs": "runtime.advance('2h')",
    "socket": "%websocket EVIL/$EVIL --name $EVIL",
    "explore": "%%explore evil --runs 3 --faults none\nawait env.EVIL.getByName(EVIL).fill()",
    "failure": "%%explore bad --runs 3 --faults none\nassert EVIL == await env.EVIL.getByName(EVIL).fail()",
}


@pytest.mark.slow
@pytest.mark.parametrize("what", CELLS)
def test_no_output_lets_html_through(evil, what):
    if what == "requests":
        evil.cell(CELLS["request"])
    value = evil.cell(CELLS[what])
    shown = [evil.shown(value, "text/html")]
    shown += [output["data"].get("text/html", "") for output in evil.display_pub.outputs]
    assert what == "rpc" or any(shown), "nothing was shown as HTML"
    for html in shown:
        assert [bad for bad in BAD if bad in html] == []
