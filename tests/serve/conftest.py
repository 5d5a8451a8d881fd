"""What the server's tests get: a served runtime, and clients that say exactly what they are told."""

import asyncio
import http.client
import socket

import pytest

from dobook.serve import Server

from .objects import ALL


@pytest.fixture
def serving(runtime):
    """Starts servers of the runtime on loopback; stops them after the test."""
    servers = []
    for cls in ALL:
        runtime.register(cls)

    def start(**options):
        server = Server(runtime, port=0, **options).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def server(serving):
    return serving()


class Raw:
    """A TCP connection that sends bytes as they are.

    Args:
        server: To whom.
    """

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=10)

    def say(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())
        return self

    def hear(self, size=65536):
        """Returns what comes next; empty when the server has hung up."""
        try:
            return self.socket.recv(size)
        except ConnectionResetError:
            return b""

    def hear_all(self):
        """Returns everything until the server hangs up."""
        parts = []
        while part := self.hear():
            parts.append(part)
        return b"".join(parts)

    def answer(self):
        """Returns the status and the body of the next answer."""
        response = http.client.HTTPResponse(self.socket)
        response.begin()
        body = response.read()
        return response.status, body

    def close(self):
        self.socket.close()


@pytest.fixture
def raw(server):
    """Opens raw connections to the server; closes them after the test."""
    opened = []

    def connect(to=None):
        one = Raw(to or server)
        opened.append(one)
        return one

    yield connect
    for one in opened:
        one.close()


@pytest.fixture
def ask(server):
    """Asks the server one thing with a client of the standard library."""

    def ask(method, path, body=None, headers=None, to=None):
        connection = http.client.HTTPConnection("127.0.0.1", (to or server).port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read(), response.headers
        finally:
            connection.close()

    return ask


@pytest.fixture
def together():
    """Runs a coroutine on a loop of its own, with a limit."""
    return lambda coroutine: asyncio.run(asyncio.wait_for(coroutine, 15))
