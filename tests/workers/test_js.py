"""`js`, as far as Durable Objects need it."""

import pytest

import dobook


def test_a_hibernating_chat_room_runs_with_cloudflares_imports():
    from js import Date, Object, WebSocketPair
    from workers import DurableObject, Response

    class Chat(DurableObject):
        async def fetch(self, request):
            client, server = Object.values(WebSocketPair.new())
            self.ctx.acceptWebSocket(server)
            return Response(None, status=101, web_socket=client)

        async def webSocketMessage(self, ws, message):
            ws.send(f"{message} at {Date.now()}")

    heard = []
    with dobook.Runtime() as runtime:
        room = runtime.register(Chat).getByName("lobby")

        async def talk():
            response = await room.fetch("http://chat/", headers={"Upgrade": "websocket"})
            socket = response.web_socket
            socket.addEventListener("message", lambda event: heard.append(event.data))
            socket.accept()
            socket.send("hello")

        runtime.run(talk())
        runtime.settle()
        assert heard == [f"hello at {runtime.clock.now_ms}"]


def test_what_is_not_offered_is_refused_by_name():
    with pytest.raises(ImportError, match=r"does not offer js\.document"):
        from js import document  # noqa: F401


def test_object_and_json_do_what_javascript_does():
    from js import JSON, Object

    assert Object.fromEntries([("a", 1)]) == {"a": 1}
    assert Object.entries({"a": 1, "b": 2}) == [["a", 1], ["b", 2]]
    assert JSON.parse(JSON.stringify({"é": [1, None]})) == {"é": [1, None]}
    assert JSON.stringify({"a": [1]}) == '{"a":[1]}'
