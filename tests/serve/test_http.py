"""HTTP: what an object is asked, what a client is answered, one connection, many requests."""

import json
import subprocess

import pytest

GET = "GET /COUNTER/a HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_an_object_answers_under_its_binding_and_name(ask):
    assert ask("GET", "/COUNTER/a")[:2] == (200, b"1")
    assert ask("GET", "/counter/a/further/on?x=1")[:2] == (200, b"2")
    assert ask("GET", "/COUNTER/b")[:2] == (200, b"1")


def test_an_object_is_found_by_its_id_too(runtime, ask):
    identity = runtime.env.COUNTER.idFromName("a").toString()
    assert ask("GET", f"/COUNTER/{identity}")[:2] == (200, b"1")
    assert ask("GET", "/COUNTER/a")[:2] == (200, b"2")
    assert ask("GET", f"/COUNTER/{'0' * 64}")[0] == 404


def test_the_object_sees_the_rest_of_the_path_and_the_whole_request(server, ask):
    _, body, _ = ask("POST", "/ECHO/a%2Fb/x/y?q=1&r=%20", b"\x00\xff", {"X-Mine": "ä".encode()})
    told = json.loads(body)
    assert told["method"] == "POST"
    assert told["url"] == f"http://127.0.0.1:{server.port}/x/y?q=1&r=%20"
    assert told["body"] == "00ff"
    headers = dict(told["headers"])
    assert headers["x-mine"] == "ä"
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert headers["cf-connecting-ip"] == "127.0.0.1"


def test_nobody_can_say_to_ask_from_another_address(ask):
    _, body, _ = ask("GET", "/ECHO/a", headers={"CF-Connecting-IP": "1.2.3.4"})
    assert dict(json.loads(body)["headers"])["cf-connecting-ip"] == "127.0.0.1"


def test_the_worker_answers_everything_when_there_is_one(runtime, ask):
    from workers import Response, WorkerEntrypoint

    class Default(WorkerEntrypoint):
        async def fetch(self, request):
            if request.url.endswith("/raise"):
                raise ValueError("on purpose")
            if request.url.endswith("/COUNTER/a"):
                return await self.env.COUNTER.getByName("z").fetch(request)
            return Response(request.url.rpartition("/")[2], status=201)

    runtime.serve_worker(Default)
    assert ask("GET", "/COUNTER/a")[:2] == (200, b"1")
    assert ask("GET", "/COUNTER/a")[:2] == (200, b"2")
    assert ask("GET", "/x")[:2] == (201, b"x")
    status, body, _ = ask("GET", "/raise")
    assert status == 500
    assert b"ValueError: on purpose" in body


@pytest.mark.parametrize("path", ["/", "/COUNTER", "/NOBODY/a", "/_dobook/none"])
def test_a_path_that_leads_nowhere_is_told_what_there_is(ask, path):
    status, body, _ = ask("GET", path)
    assert (status, b"COUNTER" in body or b"no such page" in body) == (
        (200 if path == "/" else 404),
        True,
    )


def test_what_an_object_raises_is_a_500_and_the_object_goes_on(ask):
    status, body, _ = ask("GET", "/ODD/a/raises")
    assert (status, b"ValueError: on purpose" in body) == (500, True)
    assert ask("GET", "/ODD/a/not_a_response")[0] == 500
    assert ask("GET", "/ODD/a/stream")[:2] == (200, b"piece 0\npiece 1\npiece 2\n")


def test_a_redirect_is_the_clients_to_follow(ask):
    status, _, headers = ask("GET", "/ODD/a/redirect")
    assert (status, headers["location"]) == (302, "http://elsewhere.example/")


def test_headers_arrive_as_they_were_set(ask):
    _, _, headers = ask("GET", "/ODD/a/cookies")
    assert headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert headers["x-text"].encode("latin-1").decode() == "grün"
    assert headers["date"]


def test_answers_without_a_body_have_none(raw, ask):
    assert ask("GET", "/ODD/a/nothing")[:2] == (204, b"")
    assert ask("HEAD", "/COUNTER/a")[:2] == (200, b"")
    told = raw().say("HEAD /COUNTER/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert told.hear_all().endswith(b"\r\n\r\n")


def test_a_stream_comes_in_chunks_and_to_an_old_client_as_it_is(raw):
    new = raw().say("GET /ODD/a/stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert b"\r\n\r\n8\r\npiece 0\n\r\n" in new.hear_all()
    old = raw().say("GET /ODD/a/stream HTTP/1.0\r\nHost: localhost\r\n\r\n").hear_all()
    assert old.endswith(b"\r\n\r\npiece 0\npiece 1\npiece 2\n")
    assert b"Transfer-Encoding" not in old


def test_a_stream_that_breaks_off_is_not_ended_as_if_it_were_whole(raw):
    told = raw().say("GET /ODD/a/breaks HTTP/1.1\r\nHost: localhost\r\n\r\n").hear_all()
    assert b"so far" in told
    assert not told.endswith(b"0\r\n\r\n")


def test_one_connection_serves_many_requests_in_order(raw):
    one = raw()
    for n in range(1, 4):
        assert one.say(GET).answer() == (200, str(n).encode())


def test_requests_sent_at_once_are_answered_one_after_the_other(raw):
    last = GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
    told = raw().say(GET * 99 + last).hear_all()
    bodies = [part.rpartition(b"\r\n\r\n")[2] for part in told.split(b"HTTP/1.1 200 OK")[1:]]
    assert bodies == [str(n).encode() for n in range(1, 101)]


def test_a_request_in_pieces_is_the_same_request(raw):
    one = raw()
    for byte in GET:
        one.say(byte)
    assert one.answer() == (200, b"1")
    assert one.say(GET + GET[:10]).answer() == (200, b"2")
    assert one.say(GET[10:]).answer() == (200, b"3")


def test_a_body_in_chunks_is_one_body(raw):
    one = raw().say(
        "POST /ECHO/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    assert json.loads(one.answer()[1])["body"] == b"abcde".hex()
    assert one.say(GET).answer() == (200, b"1")


def test_a_client_that_asks_first_is_told_to_go_on(raw):
    one = raw().say(
        "POST /ECHO/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
        "Expect: 100-continue\r\n\r\n"
    )
    assert one.hear() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert json.loads(one.say("hi").answer()[1])["body"] == b"hi".hex()


def test_a_slow_answer_holds_only_its_own_connection_up(raw, ask):
    waiting = raw().say("GET /ODD/a/waits HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert ask("GET", "/COUNTER/a")[:2] == (200, b"1")
    assert ask("GET", "/ODD/a/goes")[1] == b"go"
    assert waiting.answer() == (200, b"at last")


def test_curl_is_answered(server):
    told = subprocess.run(
        ["curl", "-sS", "--max-time", "10", "-d", "hello", f"{server.url}/ECHO/a"],
        capture_output=True,
        check=True,
    ).stdout
    assert json.loads(told)["body"] == b"hello".hex()


def test_the_log_and_the_events_show_what_was_served(runtime, ask, caplog):
    seen = []
    runtime.observers.add(seen.append)
    ask("GET", "/COUNTER/a/x")
    assert [event.kind for event in seen] == ["fetch", "started", "answer"]
    assert seen[0].url.endswith("/x")
