"""The chat room of W9 and W9net; importing it fails while dobook has no WebSockets."""

from workers import DurableObject, Response

try:
    from js import WebSocketPair
except ImportError:  # where dobook does not offer the module `js`
    from dobook.runtime.sockets.websocket import WebSocketPair


class Room(DurableObject):
    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        for peer in self.ctx.getWebSockets():
            peer.send(message)
