"""Clients without a network: they say what they like, and read what they like."""

import asyncio

from dobook.serve.connection import Connection

GET = b"GET /COUNTER/a HTTP/1.1\r\nHost: localhost\r\n\r\n"
READ_BYTES = 262_144  # what asyncio reads from a socket at a time
# How many steps of the loop a client that behaves waits for its answer at most, whatever others do.
STEPS = 60
HIGH_WATER = 65_536  # what asyncio lets a transport hold before it asks for a pause


class Line(asyncio.Transport):
    """A transport that keeps what is written until the client reads it.

    Attributes:
        deaf: Whether the client reads nothing.
        most: The most bytes that have waited for it to read.
    """

    def __init__(self):
        super().__init__()
        self.deaf = False
        self.heard = bytearray()
        self.unsent = bytearray()
        self.most = 0
        self.reading = True
        self.closed = self.gone = False
        self.protocol = None
        self._paused = False

    def get_extra_info(self, name, default=None):
        return ("127.0.0.1", 1) if name == "peername" else default

    def set_protocol(self, protocol):
        self.protocol = protocol

    def get_protocol(self):
        return self.protocol

    def write(self, data):
        if self.closed:
            return
        self.unsent += data
        self.most = max(self.most, len(self.unsent))
        if not self.deaf:
            self.read()
        elif len(self.unsent) > HIGH_WATER and not self._paused:
            self._paused = True
            self.protocol.pause_writing()

    def read(self, size=None):
        """The client reads what has come, or a part of it."""
        size = len(self.unsent) if size is None else size
        self.heard += self.unsent[:size]
        del self.unsent[:size]
        if self._paused and len(self.unsent) <= HIGH_WATER // 4:
            self._paused = False
            self.protocol.resume_writing()
        if self.closed and not self.unsent:
            self._lose()

    def get_write_buffer_size(self):
        return len(self.unsent)

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True
        if not self.unsent:
            self._lose()

    def abort(self):
        self.closed = True
        self.unsent.clear()
        self._lose()

    def _lose(self):
        if not self.gone:
            self.gone = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)


class Client:
    """A client of a server, on a line of its own.

    Attributes:
        taken: Bytes that the server has read.
        most: The most bytes that its connection has held, answers included.
    """

    def __init__(self, server, *, deaf=False):
        self.line = Line()
        self.line.deaf = deaf
        self.line.protocol = Connection(server)
        self.line.protocol.connection_made(self.line)
        self.taken = self.most = 0

    @property
    def held(self):
        return self.line.protocol.held

    def say(self, data):
        """Sends as much as is read at once; returns what is left."""
        data = data if isinstance(data, bytes) else data.encode()
        at = 0
        while at < len(data) and self.line.reading and not self.line.closed:
            piece = data[at : at + READ_BYTES]
            self.line.protocol.data_received(piece)
            at += len(piece)
            self.most = max(self.most, self.held)
        self.taken += at
        return data[at:]

    @property
    def heard(self):
        return bytes(self.line.heard)

    @property
    def statuses(self):
        """The statuses of the answers so far."""
        lines = self.heard.split(b"HTTP/1.1 ")[1:]
        return [int(line[:3]) for line in lines]

    def leave(self):
        self.line.abort()


async def steps(count):
    """Lets the loop take steps."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition, most=200):
    """Lets the loop take steps until something is so; returns how many it took."""
    for taken in range(most):
        if condition():
            return taken
        await asyncio.sleep(0)
    raise AssertionError(f"not so after {most} steps")


async def well_served(server):
    """Checks that another client is answered, and soon."""
    other = Client(server)
    other.say(GET)
    await until(lambda: other.statuses == [200], STEPS)
    other.leave()
    await steps(2)


def swept(server, seconds):
    """Lets virtual time pass, and the server look after its clients every second of it."""

    async def main():
        for _ in range(seconds):
            await asyncio.sleep(1)
            server.sweep()

    return main()
