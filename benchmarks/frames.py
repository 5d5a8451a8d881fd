"""What a WebSocket message costs the server in processor time, against another tree of dobook.

`python -m benchmarks.frames --against TREE [--rounds N]` serves the chat room of both trees in turn,
sends the same messages through one client, hears each of them back, and prints one JSON line for
each round and size, then one with the ratio of the medians. Only Linux says what a process has used.
"""

import argparse
import json
import os
import secrets
import socket
import statistics
import tempfile
from pathlib import Path

from benchmarks.report import environment
from benchmarks.server import REPOSITORY, serving

SIZES = {20: 20_000, 65_536: 600}  # bytes: messages of a round
WINDOW_BYTES = 500_000  # sent before as much has been heard
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def used_s(pid: int) -> float:
    """Return the processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def frame(payload: bytes) -> bytes:
    size, mask = len(payload), secrets.token_bytes(4)
    head = bytes([0x81, 0x80 | size]) if size < 126 else b"\x81\xff" + size.to_bytes(8, "big")
    key = (mask * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return head + mask + masked.to_bytes(size, "big")


def exchange(port: int, size: int, count: int) -> None:
    """Send so many messages, and hear as many."""
    message = frame(b"x" * size)
    echo = size + (2 if size < 126 else 4 if size < 65_536 else 10)
    batch = max(1, WINDOW_BYTES // len(message))
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        assert head.startswith(b"HTTP/1.1 101"), head
        for at in range(0, count, batch):
            now = min(batch, count - at)
            client.sendall(message * now)
            left = now * echo
            while left:
                left -= len(client.recv(min(left, 1 << 20)))


def measure(tree: Path, size: int, count: int) -> float:
    """Return the server's processor time for a message, in microseconds."""
    with (
        tempfile.TemporaryDirectory(prefix="dobench-") as directory,
        serving("memory", Path(directory), tree) as (port, pid),
    ):
        exchange(port, size, max(1, count // 10))
        before = used_s(pid)
        exchange(port, size, count)
        return (used_s(pid) - before) / count * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frames", description=__doc__)
    parser.add_argument("--against", type=Path, required=True, metavar="TREE")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    args = parser.parse_args()
    print(json.dumps(environment(REPOSITORY, {})))
    trees = {"this": REPOSITORY, "other": args.against}
    for size, count in SIZES.items():
        us: dict[str, list[float]] = {name: [] for name in trees}
        for n in range(args.rounds):
            for name, tree in trees.items():
                us[name].append(measure(tree, size, count))
                line = {"size": size, "round": n, "tree": name, "us": round(us[name][-1], 2)}
                print(json.dumps(line), flush=True)
        this, other = (statistics.median(us[name]) for name in trees)
        print(json.dumps({"size": size, "this / other": round(this / other, 3)}), flush=True)


if __name__ == "__main__":
    main()
