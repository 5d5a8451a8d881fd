"""A WebSocket client that says exactly what a test tells it to, right or wrong."""

import base64
import os
import socket


def frame(opcode, payload, *, fin=True, rsv=0, masked=True):
    """Returns a client's frame."""
    size = len(payload)
    head = bytes([fin << 7 | rsv << 4 | opcode])
    bit = 0x80 if masked else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65_536:
        head += bytes([bit | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([bit | 127]) + size.to_bytes(8, "big")
    if not masked:
        return head + payload
    mask = b"\x11\x22\x33\x44"
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


HANDSHAKE = {
    "Host": "localhost",
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
}


def handshake(path, **changes):
    """Returns a handshake; a header that is None is left out."""
    headers = HANDSHAKE | {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"GET {path} HTTP/1.1", *(f"{n}: {v}" for n, v in headers.items() if v is not None)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Speaker:
    """An open WebSocket.

    Args:
        port: Of the server.
        path: What to ask for.
    """

    def __init__(self, port, path, **changes):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.sendall(handshake(path, **changes))
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        self.head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        assert self.head.startswith(b"HTTP/1.1 101"), self.head

    def more(self):
        data = self.socket.recv(65_536)
        if not data:
            raise EOFError
        self.buffer += data

    def say(self, opcode, payload, **how):
        self.socket.sendall(frame(opcode, payload, **how))
        return self

    def hear(self):
        """Returns opcode and payload of the next frame; None when the server has hung up."""
        try:
            while len(self.buffer) < 2:
                self.more()
            size, start = self.buffer[1], 2
            if size > 125:
                start = 4 if size == 126 else 10
                while len(self.buffer) < start:
                    self.more()
                size = int.from_bytes(self.buffer[2:start], "big")
            while len(self.buffer) < start + size:
                self.more()
        except (EOFError, ConnectionResetError):
            return None
        opcode, payload = self.buffer[0] & 15, self.buffer[start : start + size]
        self.buffer = self.buffer[start + size :]
        return opcode, payload

    def hear_close(self):
        """Returns code and reason of a close frame, and checks that nothing follows."""
        opcode, payload = self.hear()
        assert opcode == 8
        assert self.hear() is None
        if not payload:
            return 1005, ""
        return int.from_bytes(payload[:2], "big"), payload[2:].decode()

    def close(self):
        self.socket.close()
