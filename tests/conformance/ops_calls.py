"""The ops that reach other objects: ids and stubs, HTTP, RPC."""

import json
from typing import Any

import js

from dobook.web import Headers, Request, Response

from .interpreter import Frame, op
from .values import describe_error, encode

# ---------------------------------------------------------------- ids and stubs


@op("idFromName")
def id_from_name(frame: Frame, *args: Any) -> Any:
    return frame.namespace.idFromName(*args)


@op("idFromString")
def id_from_string(frame: Frame, *args: Any) -> Any:
    return frame.namespace.idFromString(*args)


@op("newUniqueId")
def new_unique_id(frame: Frame, *args: Any) -> Any:
    made = frame.namespace.newUniqueId(*args)
    frame.world.unique.add(made.toString())
    return made


@op("id.toString")
def id_to_string(_frame: Frame, of: Any) -> str:
    return of.toString()


@op("id.name")
def id_name(_frame: Frame, of: Any) -> str | None:
    return of.name


@op("id.equals")
def id_equals(_frame: Frame, of: Any, other: Any) -> bool:
    return of.equals(other)


@op("stub")
def stub(frame: Frame, name: str, of: Any, label: str | None = None) -> None:
    frame.vars[name] = frame.namespace.get(of)
    frame.world.answers_to(of, label)


@op("getByName")
def get_by_name(frame: Frame, name: str, of: str, label: str | None = None) -> None:
    frame.world.answers_to(frame.namespace.idFromName(of), label)
    frame.vars[name] = frame.namespace.getByName(of)


@op("stub.id")
def stub_id(_frame: Frame, of: Any) -> Any:
    return of.id


@op("stub.name")
def stub_name(_frame: Frame, of: Any) -> Any:
    return of.name


# ---------------------------------------------------------------- exports

KINDS = {
    "LoopbackDurableObjectNamespace": "namespace",
    "LoopbackServiceStub": "service",
    "ServiceStub": "specialized service",
    "LoopbackDurableObjectClass": "class without storage",
    "DurableObjectClass": "class",
    "NoneType": "undefined",
}


def exported(of: Any, name: str, *options: Any) -> Any:
    """Return what the exports have under a name, made with the options if there are any."""
    found = getattr(of, name, None)
    return found(*options) if options else found


@op("exports.kind")
def exports_kind(frame: Frame, name: str, *options: Any) -> str:
    return KINDS[type(exported(frame.ctx.exports, name, *options)).__name__]


@op("exports.get")
def exports_get(frame: Frame, variable: str, name: str, *options: Any) -> None:
    frame.vars[variable] = exported(frame.ctx.exports, name, *options)


@op("props")
def props(frame: Frame) -> Any:
    return frame.ctx.props


# ---------------------------------------------------------------- HTTP

RESPONSE_OPTIONS = {
    "status": "status",
    "statusText": "status_text",
    "headers": "headers",
    "webSocket": "web_socket",
}


def new_response(body: Any = None, init: dict[str, Any] | None = None) -> Response:
    """Make a response; the options have JavaScript's names."""
    if (init or {}).get("statusText") == "":  # Cloudflare's SDK takes it for none, the engine not
        return js.Response.new(body, init)
    options = {RESPONSE_OPTIONS[k]: v for k, v in (init or {}).items() if v is not None}
    return Response(body, **options)


def json_response(value: Any, init: dict[str, Any] | None = None) -> Response:
    """Make a response of JSON."""
    if (init or {}).get("statusText") == "":
        return js.Response.json(value, init)
    options = {RESPONSE_OPTIONS[k]: v for k, v in (init or {}).items() if v is not None}
    return Response.from_json(value, **options)


async def describe_response(response: Response) -> dict[str, Any]:
    """Return status, headers and body as the vectors show them."""
    headers = response.js_headers
    shown: dict[str, Any] = {
        "status": response.status,
        "statusText": response.status_text,
        "headers": [list(pair) for pair in headers],
    }
    if response.web_socket is not None:
        return {**shown, "webSocket": True}
    body = await response.bytes()
    try:
        if "json" in (headers.get("content-type") or ""):
            return {**shown, "json": encode(json.loads(body.decode()))}
        return {**shown, "body": encode(body.decode())}
    except ValueError:
        return {**shown, "body": encode(body)}


@op("fetch")
async def fetch(frame: Frame, target: Any, url: Any, init: Any = None) -> Any:
    return await describe_response(await frame.stub(target).fetch(url, init))


@op("request")
async def request(frame: Frame, part: str) -> Any:
    got = frame.exchange.request
    assert got is not None
    match part:
        case "text" | "json" | "arrayBuffer":
            return await getattr(got, part)()
        case "headers":
            return [list(pair) for pair in got.js_headers]
    return getattr(got, part)


@op("respond")
def respond(frame: Frame, body: Any = None, init: dict[str, Any] | None = None) -> None:
    if init and init.get("webSocket"):
        init = {**init, "webSocket": frame.exchange.client}
    frame.exchange.response = new_response(body, init)


@op("respondJson")
def respond_json(frame: Frame, given: Any, init: dict[str, Any] | None = None) -> None:
    frame.exchange.response = json_response(given, init)


@op("respondWith")
def respond_with(frame: Frame, given: Any) -> None:
    frame.exchange.response = given


@op("newResponse")
async def new_response_(_frame: Frame, *args: Any) -> Any:
    return await describe_response(new_response(*args))


@op("responseJson")
async def response_json(_frame: Frame, *args: Any) -> Any:
    return await describe_response(json_response(*args))


@op("responseRedirect")
async def response_redirect(_frame: Frame, *args: Any) -> Any:
    return await describe_response(Response.redirect(*args))


@op("bodyTwice")
async def body_twice(_frame: Frame, body: Any) -> list[str]:
    response = Response(body)
    return [await response.text(), await response.text()]


@op("clone")
async def clone(_frame: Frame, body: Any) -> list[str]:
    response = Response(body)
    copied = response.clone()
    return [await response.text(), await copied.text()]


@op("newRequest")
async def new_request(_frame: Frame, url: Any, init: dict[str, Any] | None = None) -> Any:
    made = Request(url, **(init or {}))
    return {
        "method": made.method,
        "url": made.url,
        "headers": [list(pair) for pair in made.js_headers],
        "body": await made.text(),
        "redirect": made.redirect,
    }


@op("headers")
def headers(_frame: Frame, init: Any, calls: list[list[Any]]) -> list[dict[str, Any]]:
    made = Headers(init)
    shown: list[dict[str, Any]] = []
    for method, *args in calls:
        try:
            given = getattr(made, method)(*args)
            given = list(given) if hasattr(given, "__next__") else given
            shown.append({} if given is None else {"ok": encode(given)})
        except Exception as error:
            shown.append({"error": describe_error(error)})
    return shown


# ---------------------------------------------------------------- RPC


@op("rpc")
def rpc(frame: Frame, target: Any, method: str, *args: Any) -> Any:
    return getattr(frame.stub(target), method)(*args)


@op("rpc.get")
def rpc_get(frame: Frame, target: Any, name: str) -> Any:
    return getattr(frame.stub(target), name)


@op("rpc.path")
def rpc_path(frame: Frame, target: Any, path: list[Any]) -> Any:
    at = frame.stub(target)
    for part in path:
        at = getattr(at, part[0])(*part[1:]) if isinstance(part, list) else getattr(at, part)
    return at


@op("call")
def call(_frame: Frame, of: Any, method: str | None, *args: Any) -> Any:
    return (of if method is None else getattr(of, method))(*args)


@op("dispose")
def dispose(_frame: Frame, of: Any) -> None:
    of.dispose()


@op("dup")
def dup(frame: Frame, name: str, of: Any) -> None:
    frame.vars[name] = of.dup()
