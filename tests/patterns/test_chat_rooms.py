"""Chat rooms: everyone gets what anyone says, and nobody who has gone is written to."""

import json

import pytest

from dobook.patterns import ChatRoom, HibernatingChatRoom

ROOMS = [ChatRoom, HibernatingChatRoom]


class Client:
    """Someone in the room, and what they have seen."""

    def __init__(self, runtime, room, name):
        self.runtime = runtime
        self.seen = []
        init = {"headers": {"Upgrade": "websocket"}}
        url = f"http://room/websocket?name={name}"
        self.ws = runtime.run(room.fetch(url, init)).web_socket
        self.ws.addEventListener("message", lambda event: self.seen.append(json.loads(event.data)))
        self.ws.accept()
        runtime.settle()

    def say(self, text):
        self.send(json.dumps({"type": "message", "text": text}))

    def send(self, raw):
        self.ws.send(raw)
        self.runtime.settle()

    def take(self):
        seen, self.seen = self.seen, []
        return seen


@pytest.fixture(params=ROOMS, ids=lambda cls: cls.__name__)
def room(request, runtime):
    return runtime.register(request.param, "ROOM").getByName("a")


def test_everyone_gets_what_anyone_says(runtime, room):
    ada = Client(runtime, room, "Ada")
    grace = Client(runtime, room, "Grace")
    ada.say("hello")
    assert ada.take() == [
        {"type": "history", "messages": []},
        {"type": "join", "name": "Ada"},
        {"type": "join", "name": "Grace"},
        {"type": "message", "text": "Ada: hello"},
    ]
    assert grace.take()[-1] == {"type": "message", "text": "Ada: hello"}


def test_a_newcomer_gets_what_all_have_said(runtime, room):
    ada, grace = Client(runtime, room, "Ada"), Client(runtime, room, "Grace")
    ada.say("one")
    grace.say("two")
    ada.say("three")
    late = Client(runtime, room, "Late")
    assert late.take()[0]["messages"] == ["Ada: one", "Grace: two", "Ada: three"]


def test_the_history_is_bounded(runtime, room):
    ada = Client(runtime, room, "Ada")
    for i in range(120):
        ada.say(str(i))
    late = Client(runtime, room, "Late")
    assert late.take()[0]["messages"] == [f"Ada: {i}" for i in range(70, 120)]


def test_the_others_are_told_when_somebody_leaves(runtime, room):
    ada, grace = Client(runtime, room, "Ada"), Client(runtime, room, "Grace")
    ada.take()
    grace.ws.close(1000, "bye")
    runtime.settle()
    assert ada.take() == [{"type": "leave", "name": "Grace"}]
    ada.say("anyone?")
    assert ada.take() == [{"type": "message", "text": "Ada: anyone?"}]


@pytest.mark.parametrize("raw", ["no JSON", '{"type": "message"}', "[]", "{}"])
def test_what_cannot_be_read_is_answered_to_its_sender_alone(runtime, room, raw):
    ada, grace = Client(runtime, room, "Ada"), Client(runtime, room, "Grace")
    ada.take(), grace.take()
    ada.send(raw)
    assert [message["type"] for message in ada.take()] == ["error"]
    assert grace.take() == []


def test_other_kinds_of_messages_are_passed_over(runtime, room):
    ada = Client(runtime, room, "Ada")
    ada.take()
    ada.send('{"type": "typing"}')
    assert ada.take() == []


def test_other_requests_are_refused(runtime, room):
    assert runtime.run(room.fetch("http://room/websocket")).status == 400
    assert runtime.run(room.fetch("http://room/")).status == 404


def test_a_hibernating_room_knows_its_clients_after_eviction(runtime):
    room = runtime.register(HibernatingChatRoom, "ROOM").getByName("a")
    ada, grace = Client(runtime, room, "Ada"), Client(runtime, room, "Grace")
    runtime.run(runtime.evict(room))
    grace.say("still here")
    assert ada.take()[-1] == {"type": "message", "text": "Grace: still here"}
