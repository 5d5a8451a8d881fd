"""Random requests, responses, headers and what a fetch handler does with them."""

from typing import Any

from .dice import Dice, Op, value

METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
URLS = [
    "http://object/",
    "http://object",
    "https://object/a/b?x=1&y=2&x=3",
    "http://object/a%20b/é?q=ž#part",
    "http://OBJECT:80/./a/../b//c",
    "http://user:secret@object:8080/?",
    "https://object:443/%7Euser/%2F",
    "http://xn--bcher-kva.example/",
    "http://127.1/",
    "http://[::1]:8080/x",
    "http://object/a\tb\n",
    "http://object\\back\\slash",
    "/relative",
    "object/x",
    "http://",
    "ftp://object/",
    'http://object/|^`{}"<>',
    "http://object/?a='b'&c=\"d\"",
]
HEADERS = [
    "Accept",
    "X-One",
    "x-one",
    "Cookie",
    "Content-Type",
    "Cache-Control",
    "ETag",
    "X-Ütf",
    "Set-Cookie",
    "Vary",
]
HEADER_VALUES = [
    "1",
    "a, b",
    "text/plain;charset=UTF-8",
    "application/json",
    " padded ",
    "a=1; b=2",
    "no-store",
]
BODIES: list[Any] = [
    "",
    "text",
    "é\U0001f600",
    None,
    {"$bytes": "AAECfw=="},
    {"$bytes": "/w=="},
    {"$stream": ["one", "two"]},
    {"$stream": []},
]
STATUSES = [200, 201, 202, 204, 205, 299, 301, 304, 400, 404, 418, 500, 599]


def headers(dice: Dice) -> Any:
    pairs = [[dice.pick(HEADERS[:-3]), dice.pick(HEADER_VALUES)] for _ in range(dice.between(0, 3))]
    return pairs if dice.chance(0.5) else dict(pairs)


def request_init(dice: Dice, *, streams: bool = True) -> dict[str, Any]:
    """Draw the options of a request; streams can be made in an object's program only."""
    init: dict[str, Any] = {}
    if dice.chance(0.7):
        init["method"] = dice.pick([*METHODS, "get", "HEAD"])
    if dice.chance(0.5):
        init["headers"] = headers(dice)
    if init.get("method", "GET") not in ("GET", "get", "HEAD") and dice.chance(0.8):
        init["body"] = dice.pick(BODIES if streams else BODIES[:-2])
    elif dice.chance(0.04):
        init["body"] = "not allowed"
    if dice.chance(0.2):
        init["redirect"] = dice.pick(["follow", "manual", "error"])
    return init


def fetch(dice: Dice, target: Any) -> Op:
    return ["fetch", target, dice.pick(URLS), request_init(dice)]


def response_init(dice: Dice) -> dict[str, Any]:
    init: dict[str, Any] = {}
    if dice.chance(0.6):
        init["status"] = (
            dice.pick(STATUSES) if dice.chance(0.9) else dice.pick([0, 99, 101, 199, 600, 1000])
        )
    if dice.chance(0.3):
        init["statusText"] = dice.pick(["Fine", "Not OK"])
    if dice.chance(0.5):
        init["headers"] = headers(dice)
    return init


def response(dice: Dice) -> Op:
    return dice.among(
        (4, lambda: ["respond", dice.pick(BODIES), response_init(dice)]),
        (2, lambda: ["respondJson", value(dice, plain=True), response_init(dice)]),
        (1, lambda: ["respond", dice.pick(BODIES)]),
    )


def web(dice: Dice) -> Op:
    """An operation on web values alone."""
    return dice.among(
        (3, lambda: ["newRequest", dice.pick(URLS), request_init(dice)]),
        (3, lambda: ["newResponse", dice.pick(BODIES), response_init(dice)]),
        (1, lambda: ["responseJson", value(dice, plain=True), response_init(dice)]),
        (
            1,
            lambda: [
                "responseRedirect",
                dice.pick(URLS),
                *dice.some([301, 302, 303, 307, 308, 200, 304], 0, 1),
            ],
        ),
        (0.5, lambda: ["bodyTwice", dice.pick(BODIES)]),
        (
            0.5,
            lambda: ["clone", dice.pick([body for body in BODIES if body != {"$bytes": "/w=="}])],
        ),
        (3, lambda: ["headers", headers(dice), dice.times(2, 6, lambda: header_call(dice))]),
    )


def header_call(dice: Dice) -> list[Any]:
    name, text = dice.pick(HEADERS), dice.pick([*HEADER_VALUES, ""])
    return dice.among(
        (2, lambda: ["append", name, text]),
        (2, lambda: ["set", name, text]),
        (2, lambda: ["get", name]),
        (1, lambda: ["has", name]),
        (1, lambda: ["delete", name]),
        (1, lambda: [dice.pick(["keys", "values", "entries"])]),
        (0.5, lambda: ["getSetCookie"]),
        (0.2, lambda: ["get", dice.pick(["", "a b", "a:b", "é"])]),
        (0.2, lambda: [dice.pick(["set", "append"]), dice.pick(["", "a b", "a:b", "é"]), text]),
        (0.3, lambda: ["set", name, dice.pick(["a\nb", "a\0b", "é", "ž"])]),
    )


def reading(dice: Dice) -> Op:
    """An operation of a fetch handler on its request."""
    return dice.among(
        (2, lambda: ["log", ["request", dice.pick(["text", "arrayBuffer"])]]),
        (
            2,
            lambda: [
                "log",
                ["request", dice.pick(["method", "url", "headers", "redirect", "bodyUsed"])],
            ],
        ),
    )
