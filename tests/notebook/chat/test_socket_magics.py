"""`%websocket`, `%chat` and `%serve`: what they return, show and refuse."""

import json
import urllib.request

import pytest
from IPython.core.error import UsageError

ROOM = """%%durable_object --binding CHAT
import json
from urllib.parse import parse_qs, urlsplit

from js import WebSocketPair
from workers import DurableObject, Response


class ChatRoom(DurableObject):
    async def fetch(self, request):
        url = urlsplit(request.url)
        if url.path != "/websocket":
            return Response("there is no such path", status=404)
        name = parse_qs(url.query).get("name", ["somebody"])[0]
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        server.serializeAttachment(name)
        self.tell({"type": "join", "name": name})
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        said = json.loads(message)
        self.tell({"type": "message", "name": ws.deserializeAttachment(), "text": said["text"]})

    async def webSocketClose(self, ws, code, reason, clean):
        if clean:
            ws.close(code, reason)
        self.tell({"type": "leave", "name": ws.deserializeAttachment()})

    def tell(self, message):
        for ws in self.ctx.getWebSockets():
            if ws.readyState == 1:
                ws.send(json.dumps(message))
"""
SAYING = json.dumps({"type": "message", "text": "hello"})


@pytest.fixture
def room(shell):
    shell.cell(ROOM)
    return shell


def test_websocket_returns_a_client_that_shows_what_was_said(room):
    ada = room.cell("%websocket CHAT/lobby --name ada --as kept")
    assert room.user_ns["kept"] is ada
    ada.send(SAYING)
    text, html = room.shown(ada), room.shown(ada, "text/html")
    assert text.splitlines()[0] == "ada  at CHAT/lobby/websocket?name=ada, open"
    for shown in (text, html):
        assert "came" not in shown
        assert "join" in shown
    assert "<script" not in html
    frame = ada.frame
    assert list(frame.columns) == ["time", "what", "data"]
    assert list(frame["what"]) == ["open", "received", "sent", "received"]
    assert str(frame["time"].dtype) == "datetime64[ms, UTC]"
    assert room.shown(ada.transcript).splitlines()[0].endswith("open /websocket?name=ada")


def test_markup_in_a_message_is_shown_as_text(room):
    ada = room.cell("%websocket CHAT/lobby --name <b>ada")
    assert "<b>ada" not in room.shown(ada, "text/html").replace("<b>ada</b>", "")
    assert "&lt;b&gt;" in room.shown(ada, "text/html")


def test_websocket_sends_what_it_is_told_and_takes_variables(room):
    room.user_ns.update(who="ada", hello=SAYING)
    ada = room.cell("%websocket CHAT/lobby --name $who --send $hello")
    assert [said.what for said in ada.transcript][-2:] == ["sent", "received"]


def test_websocket_alone_lists_the_clients(room):
    assert room.cell("%websocket").empty
    ada = room.cell("%websocket CHAT/lobby --name ada")
    room.cell("%websocket CHAT/lobby --name bob")
    ada.close(1000)
    frame = room.cell("%websocket")
    assert list(frame["client"]) == ["ada", "bob"]
    assert list(frame["state"]) == ["closed", "open"]
    room.cell("%dobook reset")
    assert room.cell("%websocket").empty


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%websocket NOBODY/a", "NOBODY"),
        ("%websocket CHAT/lobby /elsewhere", "answered 404"),
        ("%websocket CHAT/lobby elsewhere", "begins with '/'"),
        ("%websocket /a /b", "one word too many"),
        ("%websocket CHAT/lobby -H nonsense", "name: value"),
        ("%chat CHAT/lobby ada ada", "two names"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(room, line, says):
    with pytest.raises(UsageError, match=says):
        room.cell(line)


def test_chat_has_several_people_who_hear_each_other(room):
    chat = room.cell("%chat CHAT/lobby ada bob")
    chat.act("say", who="ada", text="hello")
    people = {p["name"]: p for p in chat.look()["people"]}
    assert [line["words"] for line in people["bob"]["lines"]][-1] == "ada: hello"
    assert chat.people["bob"].messages[-1] == chat.people["ada"].messages[-1]
    assert "bob (open)" in room.shown(chat)
    assert "<script" not in room.shown(chat, "text/html")


def test_people_leave_drop_out_come_back_and_are_let_in(room):
    chat = room.cell("%chat CHAT/lobby ada bob")
    chat.act("leave", who="ada")
    chat.act("drop", who="bob")
    assert [p["state"] for p in chat.look()["people"]] == ["closed", "closed"]
    chat.act("return", who="ada")
    chat.act("invite", who="eve")
    assert [p["state"] for p in chat.look()["people"]] == ["open", "closed", "open"]
    lines = [line["kind"] for line in chat.look()["people"][0]["lines"]]
    assert lines[-3:] == ["open", "join", "join"]
    for what, fields in (
        ("return", {"who": "ada"}),
        ("invite", {"who": "ada"}),
        ("invite", {"who": " "}),
        ("say", {"who": "nobody", "text": "x"}),
    ):
        chat.act(what, **fields)
        assert chat.outcome["problem"], what


def test_a_room_that_hibernates_is_evicted_and_nobody_notices(room):
    chat = room.cell("%chat CHAT/lobby ada bob")
    chat.act("evict")
    assert chat.look()["awake"] is False
    chat.act("say", who="ada", text="hello")
    assert chat.look()["awake"] is True
    assert chat.look()["people"][1]["lines"][-1]["words"] == "ada: hello"
    chat.act("crash")
    assert [p["state"] for p in chat.look()["people"]] == ["closed", "closed"]


def test_a_room_that_speaks_plain_text_is_spoken_to_in_plain_text(shell):
    shell.cell(
        ROOM.replace("said = json.loads(message)", 'said = {"text": message}').replace(
            "ws.send(json.dumps(message))", "ws.send(str(message.get('text', message['type'])))"
        )
    )
    chat = shell.cell("%chat CHAT/lobby ada")
    chat.act("say", who="ada", text="hello")
    assert chat.people["ada"].transcript[-2].data == "hello"
    assert chat.people["ada"].messages[-1] == "hello"


def test_a_room_that_does_not_hibernate_cannot_be_evicted_and_says_why(shell):
    shell.cell(ROOM.replace("self.ctx.acceptWebSocket(server)", "server.accept()"))
    shell.cell("%websocket CHAT/lobby --name ada")
    with pytest.raises(UsageError, match="%crash CHAT/lobby"):
        shell.cell("%evict CHAT/lobby")


def test_serve_answers_while_cells_are_idle_and_stops(room):
    url = room.cell("%serve --port 0")
    assert not room.user_ns["runtime"].clock.virtual
    assert room.cell("%serve") == url
    with urllib.request.urlopen(f"{url}_dobook/", timeout=10) as answer:
        assert b"/CHAT/" in answer.read()
    ada = room.cell("%websocket CHAT/lobby --name ada")
    ada.send(SAYING)
    assert len(ada.messages) == 2
    assert "href" in room.shown(url, "text/html")
    assert "/CHAT/{name}" in room.shown(url)
    with pytest.raises(UsageError, match="time is real"):
        room.cell("%fast_forward 1h")
    with pytest.raises(UsageError, match="%serve --stop"):
        room.cell("%serve --port 1")
    card = room.cell("%serve --stop")
    assert "1 request" in repr(card)
    assert room.user_ns["runtime"].clock.virtual
    room.cell("%fast_forward 1h")
    with pytest.raises(UsageError, match="no server"):
        room.cell("%serve --stop")


def test_serving_ends_with_the_runtime(room):
    room.cell("%serve --port 0")
    room.cell("%dobook reset")
    assert room.user_ns["runtime"].clock.virtual
    room.cell("%serve --port 0")
    room.cell("%unload_ext dobook")


def test_behind_jupyterhub_the_url_leads_through_its_proxy(room, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    url = room.cell("%serve --port 0")
    port = room._dobook_session.server.port
    assert url == f"/user/ada/proxy/{port}/"
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/_dobook/", headers={"Host": "hub.example.org"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def test_other_machines_need_a_token_that_is_made_up(room):
    url = room.cell("%serve --port 0 --host 0.0.0.0")
    assert "?token=" in url
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.status == 200
