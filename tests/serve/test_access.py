"""Who may ask: Host, Origin and token; and how much a client may ask for."""

import pytest

from dobook.errors import UsageError
from dobook.serve import Limits, Server
from dobook.serve.access import TOKEN_COOKIE

from .conftest import Raw


def get(port_or_server, path="/COUNTER/a", **headers):
    """Returns the status of a GET with these headers; underscores stand for hyphens."""
    headers = {"Host": "localhost", "Connection": "close"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    lines = [f"GET {path} HTTP/1.1", *(f"{n}: {v}" for n, v in headers.items() if v is not None)]
    raw = Raw(port_or_server)
    try:
        return raw.say("\r\n".join(lines) + "\r\n\r\n").hear_all()
    finally:
        raw.close()


def status(*args, **headers):
    return int(get(*args, **headers).split()[1])


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:8787", "[::1]:80", "app.localhost"]
)
def test_a_name_of_this_machine_is_obeyed(server, host):
    assert status(server, Host=host) == 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("192.168.0.1", 403),
        ("localhost:x", 400),
        ("user@localhost", 400),
        ("local host", 400),
        ("", 400),
        (None, 400),
    ],
)
def test_another_name_is_not(server, host, expected):
    assert status(server, Host=host) == expected


def test_a_host_is_as_long_as_a_name_can_be(server):
    assert status(server, Host="a." * 123 + ".localhost"[1:] + ":65535") == 200
    assert status(server, Host="a." * 126 + "localhost:1") == 400
    assert status(server, Host="a" * 100_000 + ".localhost") == 400


def test_two_hosts_are_none(server):
    raw = Raw(server)
    raw.say("GET /COUNTER/a HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n")
    assert raw.answer()[0] == 400
    raw.close()


def test_a_further_host_can_be_allowed(serving):
    assert status(serving(hosts=("my.example",)), Host="my.example:80") == 200


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://localhost", 200),
        ("http://localhost:5173", 200),
        ("https://127.0.0.1:1", 200),
        ("https://evil.example", 403),
        ("http://localhost.evil.example", 403),
        ("null", 403),
        ("file://", 403),
        ("", 403),
    ],
)
def test_pages_of_this_machine_may_ask_and_others_may_not(server, origin, expected):
    assert status(server, Origin=origin) == expected


def test_a_further_origin_can_be_allowed(serving):
    server = serving(origins=("https://my.example",))
    assert status(server, Origin="https://my.example") == 200
    assert status(server, Origin="https://my.example.evil.example") == 403


def test_a_refused_request_reaches_no_object(runtime, server):
    get(server, Host="evil.example")
    get(server, Origin="https://evil.example")
    assert runtime.objects() == []


# ---------------------------------------------------------------------- pages of other sites

IMAGE = {"Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"}
LINK = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document", "Sec_Fetch_User": "?1"}
FRAME = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"}
FETCH = {"Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "empty"}
SOCKET = {"Sec_Fetch_Mode": "websocket", "Sec_Fetch_Dest": "websocket"}
LOCAL = "http://localhost:8888/lab/tree/a.ipynb"
WAYS = [IMAGE, LINK, FRAME, FETCH, SOCKET]


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize(
    ("site", "more", "expected"),
    [
        (None, {}, 200),  # no browser, or an old one
        ("none", {}, 200),
        ("same-origin", {}, 200),
        ("same-site", {}, 200),  # another port of this machine, as with an Origin
        ("cross-site", {}, 403),
        ("Cross-Site", {}, 403),
        ("what-will-be", {}, 403),
        ("", {}, 403),
        ("cross-site", {"Referer": LOCAL}, 200),  # a notebook at localhost, this at 127.0.0.1
        ("cross-site", {"Referer": "https://evil.example/?http://localhost/"}, 403),
        ("cross-site", {"Referer": "http://localhost:1@evil.example/"}, 403),
        ("cross-site", {"Referer": "http://[evil"}, 403),
        ("cross-site", {"Referer": "about:client"}, 403),
        ("cross-site", {"Origin": "http://localhost:5173"}, 200),
        ("cross-site", {"Origin": "https://evil.example"}, 403),
        ("cross-site", {"Origin": "null", "Referer": LOCAL}, 403),
    ],
)
def test_what_a_browser_says_of_the_site_counts(runtime, server, how, site, more, expected):
    told = get(server, Sec_Fetch_Site=site, **how, **more)
    assert int(told.split()[1]) == expected
    if expected == 403:
        assert b"--allow-origin" in told
        assert runtime.objects() == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE"])
def test_no_method_of_another_site_gets_through(runtime, server, method):
    raw = Raw(server)
    raw.say(
        f"{method} /COUNTER/a HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n"
        "Connection: close\r\n\r\n"
    )
    assert raw.hear_all().startswith(b"HTTP/1.1 403")
    raw.close()
    assert runtime.objects() == []


def test_a_websocket_of_another_site_is_refused_without_an_origin_too(runtime, server):
    from .speaking import handshake

    for changes, expected in (
        ({"Sec_Fetch_Site": "cross-site"}, b"403"),
        ({"Sec_Fetch_Site": "cross-site", "Origin": "https://evil.example"}, b"403"),
        ({"Sec_Fetch_Site": "cross-site", "Origin": "http://localhost:1"}, b"101"),
        ({"Sec_Fetch_Site": "same-origin"}, b"101"),
    ):
        raw = Raw(server)
        assert raw.say(handshake("/ROOM/a", **changes)).hear().split()[1] == expected
        raw.close()


@pytest.mark.parametrize("how", WAYS)
def test_an_origin_that_is_allowed_may_embed_and_link_too(serving, how):
    server = serving(origins=("https://my.example",))
    cross = {"Sec_Fetch_Site": "cross-site", **how}
    assert status(server, Origin="https://my.example", **cross) == 200
    assert status(server, Referer="https://my.example/page", **cross) == 200
    assert status(server, Referer="https://my.example.evil.example/", **cross) == 403
    assert status(server, Referer="https://evil.example/", **cross) == 403
    assert status(server, **cross) == 403
    assert status(serving(origins=("*",)), **cross) == 200


def test_a_link_leads_to_the_servers_own_pages_which_ask_no_object(runtime, server, serving):
    link = {"Sec_Fetch_Site": "cross-site", **LINK}
    for path, expected in (
        ("/_dobook", 200),
        ("/_dobook/", 200),
        ("/_dobook/chat/ROOM/lobby", 200),
        ("/_dobook/chat/ROOM/lobby?name=ada", 403),  # would enter the room
        ("/_dobook/chat/COUNTER/a?name=x&path=/COUNTER/a", 403),
        ("/_dobookkeeping/a", 403),
        ("/", 403),
        ("/ROOM/lobby/websocket", 403),
    ):
        assert status(server, path, **link) == expected, path
        assert status(server, path, Sec_Fetch_Site="cross-site", **FRAME) == 403
        assert status(server, path, Sec_Fetch_Site="cross-site", **IMAGE) == 403
    assert status(serving(pages=False), "/_dobook/", **link) == 403
    assert runtime.objects() == []


def test_another_name_of_the_same_site_may_be_hostile_where_others_can_have_one(serving):
    """On loopback the site is this machine; a name of the internet has subdomains."""
    same = {"Sec_Fetch_Site": "same-site", **IMAGE}
    server = serving(hosts=("app.example",))
    assert status(server, Host="localhost:8787", **same) == 200
    assert status(server, Host="app.example", **same) == 403
    assert status(server, Host="app.example", Referer="http://app.example/", **same) == 200
    assert status(server, Host="app.example", Referer="http://evil.app.example/", **same) == 403
    proxied = serving(behind_proxy=True)
    assert status(proxied, Host="hub.example.org", **same) == 403
    assert (
        status(proxied, Host="hub.example.org", Referer="https://hub.example.org/", **same) == 200
    )


def test_a_link_with_the_token_may_come_from_anywhere(serving):
    server = serving(token="s3cret")
    for site in ("cross-site", "same-site"):
        link = {"Sec_Fetch_Site": site, **LINK, "Host": "localhost"}
        assert status(server, "/COUNTER/a?token=s3cret", **link) == 200
        assert status(server, "/COUNTER/a?token=wrong", **link) == 401
    cookie = f"{TOKEN_COOKIE}=s3cret"
    assert status(server, Cookie=cookie, Sec_Fetch_Site="cross-site", **LINK) == 403


# ---------------------------------------------------------------------- the token


def test_other_machines_are_not_let_in_without_a_token(runtime):
    with pytest.raises(UsageError, match="needs a token"):
        Server(runtime, host="0.0.0.0")


def test_a_token_is_shown_in_one_of_three_ways(serving):
    server = serving(token="s3cret/+")
    assert status(server) == 401
    assert status(server, "/COUNTER/a?token=wrong") == 401
    assert status(server, Authorization="Bearer wrong") == 401
    assert status(server, Cookie=f"{TOKEN_COOKIE}=wrong") == 401
    assert status(server, Authorization="Bearer s3cret/+") == 200
    answer = get(server, "/COUNTER/a?token=s3cret/%2B").decode()
    assert answer.startswith("HTTP/1.1 200")
    cookie = next(line for line in answer.split("\r\n") if line.startswith("Set-Cookie"))
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert status(server, Cookie=cookie.partition(": ")[2].partition(";")[0]) == 200


def test_an_object_never_sees_the_token(serving):
    server = serving(token="s3cret")
    shown = {
        "Authorization": "Bearer s3cret",
        "Cookie": f"mine=1; {TOKEN_COOKIE}=s3cret; other=2",
    }
    told = get(server, "/ECHO/a/x?token=s3cret&q=1", **shown)
    assert b"HTTP/1.1 200" in told
    assert b"?q=1" in told
    assert b"mine=1; other=2" in told
    assert b"s3cret" not in told.partition(b"\r\n\r\n")[2]


def test_a_websocket_needs_it_too(serving):
    from .speaking import Speaker, handshake

    server = serving(token="s3cret")
    raw = Raw(server)
    assert raw.say(handshake("/ROOM/a")).answer()[0] == 401
    raw.close()
    Speaker(server.port, "/ROOM/a?token=s3cret").close()


# ---------------------------------------------------------------------- behind a proxy


def test_a_proxy_may_leave_its_prefix_on_and_name_any_host(serving):
    server = serving(prefix="/user/ada/proxy/8787", behind_proxy=True)
    path = "/user/ada/proxy/8787/ECHO/a/x"
    told = get(server, path, Host="hub.example.org", X_Forwarded_Proto="https")
    assert b'"url": "https://hub.example.org/x"' in told
    assert status(server, path, Host="hub.example.org", Origin="https://hub.example.org") == 200
    assert status(server, path, Host="hub.example.org", Origin="https://evil.example") == 403
    assert status(server, "/ECHO/a/x", Host="hub.example.org") == 200


def test_without_a_proxy_nobody_is_believed_about_the_scheme(server):
    assert b'"url": "http://localhost/"' in get(server, "/ECHO/a", X_Forwarded_Proto="https")


# ---------------------------------------------------------------------- limits


def test_a_url_may_be_so_long_and_no_longer(serving):
    server = serving(limits=Limits(url_bytes=100))
    assert status(server, "/COUNTER/" + "a" * 91) == 200
    assert status(server, "/COUNTER/" + "a" * 92) == 414


def test_a_head_may_be_so_long_and_no_longer(serving):
    server = serving(limits=Limits(head_bytes=1_000))
    assert status(server, X_Long="x" * 800) == 200
    assert status(server, X_Long="x" * 1_000) == 431
    endless = Raw(server).say(b"GET /COUNTER/a HTTP/1.1\r\n")
    for i in range(10):
        endless.say(f"X-{i}: {'x' * 100}\r\n")
    assert endless.hear_all().startswith(b"HTTP/1.1 431")
    endless.close()


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_body_may_be_so_long_and_no_longer(serving, framing):
    server = serving(limits=Limits(body_bytes=1_000))

    def post(size):
        raw = Raw(server)
        head = "POST /ECHO/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        if framing == "length":
            raw.say(f"{head}Content-Length: {size}\r\n\r\n" + "x" * size)
        else:
            raw.say(f"{head}Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n{'x' * size}\r\n")
            if size <= 1_000:
                raw.say("0\r\n\r\n")
        told = raw.hear_all()
        raw.close()
        return told

    assert post(1_000).startswith(b"HTTP/1.1 200")
    assert post(1_001).startswith(b"HTTP/1.1 413")


def test_so_many_connections_and_one_more(serving):
    server = serving(limits=Limits(connections=2))
    held = [Raw(server).say("GET /COUNTER/a HTTP/1.1\r\nHost: localhost\r\n\r\n") for _ in range(2)]
    assert [raw.answer()[0] for raw in held] == [200, 200]
    assert int(get(server).split()[1]) == 503
    held[0].close()
    held[1].say("GET /COUNTER/a HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert held[1].answer()[0] == 200
    assert int(get(server).split()[1]) == 200
    held[1].close()


def test_a_client_that_never_finishes_its_head_or_body_is_hung_up_on(runtime, serving):
    import asyncio

    server = serving(limits=Limits(head_ms=10, stalled_ms=10, idle_ms=10))

    def swept():
        async def main():
            await asyncio.sleep(0.02)
            server.sweep()

        runtime.run(main())

    head = Raw(server).say("GET /COUNTER/a HT")
    body = Raw(server).say(
        "POST /ECHO/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc"
    )
    idle = Raw(server).say("GET /COUNTER/a HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert idle.answer()[0] == 200
    slow = Raw(server).say("GET /ODD/a/waits HTTP/1.1\r\nHost: localhost\r\n\r\n")
    swept()
    swept()
    assert head.hear_all().startswith(b"HTTP/1.1 408")
    assert body.hear_all().startswith(b"HTTP/1.1 408")
    assert idle.hear() == b""
    assert get(server, "/ODD/a/goes")
    assert slow.answer() == (200, b"at last")
    for raw in (head, body, idle, slow):
        raw.close()
