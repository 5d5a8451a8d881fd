"""The ops of WebSockets, on the object's side."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

from .eager import start
from .interpreter import Frame, Program, op, results
from .ops_calls import new_response
from .values import encode

Report = Callable[[str, list[Any], dict[str, Any]], None]


def listen(ws: Any, report: Report) -> None:
    """Report what arrives at a socket that does not hibernate, or at a client.

    `error` events are left out: they come around ordinary closes too.
    """
    ws.addEventListener(
        "message", lambda event: report("message", [encode(event.data)], {"data": event.data})
    )

    def closed(event: Any) -> None:
        details = {"code": event.code, "reason": event.reason, "wasClean": event.wasClean}
        report("close", list(details.values()), details)

    ws.addEventListener("close", closed)


@op("ws.pair")
def ws_pair(frame: Frame) -> None:
    from js import WebSocketPair

    frame.exchange.client, frame.ws = WebSocketPair().object_values()


@op("ws.hibernate")
def ws_hibernate(frame: Frame, *tags: Any) -> None:
    frame.ctx.acceptWebSocket(frame.ws, *tags)


@op("ws.accept")
def ws_accept(frame: Frame, *args: Any) -> None:
    me, ws = frame.me, frame.ws

    def report(kind: str, shown: list[Any], event: dict[str, Any]) -> None:
        me._note(kind, *shown)
        me.ctx.waitUntil(start(me._event(kind, ws, event)))

    listen(ws, report)
    ws.accept(*args)


@op("upgrade")
def upgrade(frame: Frame, options: dict[str, Any] | None = None) -> None:
    options = options or {}
    ws_pair(frame)
    if options.get("classic"):
        ws_accept(frame)
    elif options.get("tags"):
        ws_hibernate(frame, options["tags"])
    else:
        ws_hibernate(frame)
    init = {"status": 101, "webSocket": frame.exchange.client, "headers": options.get("headers")}
    frame.exchange.response = new_response(None, init)


@op("ws.send")
def ws_send(frame: Frame, *args: Any) -> Any:
    return frame.ws.send(*args)


@op("ws.close")
def ws_close(frame: Frame, *args: Any) -> Any:
    return frame.ws.close(*args)


@op("ws.state")
def ws_state(frame: Frame) -> int:
    return int(frame.ws.readyState)


@op("ws.attach")
def ws_attach(frame: Frame, *args: Any) -> Any:
    return frame.ws.serializeAttachment(*args)


@op("ws.attachment")
def ws_attachment(frame: Frame) -> Any:
    return frame.ws.deserializeAttachment()


@op("ws.tags")
def ws_tags(frame: Frame) -> list[str]:
    return frame.ctx.getTags(frame.ws)


@op("ws.autoTimestamp")
def ws_auto_timestamp(frame: Frame) -> Any:
    time = frame.ctx.getWebSocketAutoResponseTimestamp(frame.ws)
    if time is None:
        return None
    return frame.world.moment(
        round(time.timestamp() * 1000) if isinstance(time, dt.datetime) else int(time)
    )


@op("sockets")
def sockets(frame: Frame, *tag: str) -> list[list[str]]:
    return [frame.ctx.getTags(ws) for ws in _by_tags(frame, *tag)]


@op("each", raw=True)
async def each(frame: Frame, tag: str | None, program: Program) -> list[Any]:
    chosen = _by_tags(frame, *([] if tag is None else [tag]))
    return [await results(frame.but(ws=ws), program) for ws in chosen]


def _by_tags(frame: Frame, *tag: str) -> list[Any]:
    """Return the object's sockets in the order of their tags' JSON; their own is not recorded."""

    def key(ws: Any) -> str:
        return json.dumps(list(frame.ctx.getTags(ws)), separators=(",", ":"), ensure_ascii=False)

    return sorted(frame.ctx.getWebSockets(*tag), key=key)


@op("auto.set")
def auto_set(frame: Frame, request: str, response: str) -> None:
    from js import WebSocketRequestResponsePair

    frame.ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair(request, response))


@op("auto.unset")
def auto_unset(frame: Frame) -> None:
    frame.ctx.setWebSocketAutoResponse()


@op("auto.get")
def auto_get(frame: Frame) -> list[str] | None:
    pair = frame.ctx.getWebSocketAutoResponse()
    return None if pair is None else [pair.request, pair.response]


@op("timeout.set")
def timeout_set(frame: Frame, *args: Any) -> None:
    frame.ctx.setHibernatableWebSocketEventTimeout(*args)


@op("timeout.get")
def timeout_get(frame: Frame) -> Any:
    return frame.ctx.getHibernatableWebSocketEventTimeout()
