"""How much one client may ask of a server, and how long it may take.

Every limit counts what a connection makes the server hold or do, whatever part of HTTP or of
WebSockets the bytes belong to. `Limits` are those that a server can be started with; the constants
below are not worth a setting. Each says why it is what it is.
"""

from dataclasses import dataclass
from typing import Final

SLICE_BYTES: Final = 8_192
"""Bytes that are parsed before the limits are looked at again: how far a limit can be overshot.

Small, because 8 KiB hold at most 300 requests; a larger slice costs 100 MiB of body 30 ms less.
"""

MOST_WAITING: Final = 32
"""Requests of one connection that wait for their turn. Browsers pipeline none, load generators 16."""

REQUEST_BYTES: Final = 1_024
"""What a waiting request counts for beyond its bytes: the objects that are made of it."""

MESSAGE_BYTES: Final = 512
"""What a WebSocket message that waits for its object counts for beyond its bytes, as above."""

FRAMES_A_STEP: Final = 128
"""WebSocket frames that are read before other clients have their turn: about 2 ms of work."""

CACHED_BYTES: Final = 4_096
"""The longest head that is kept to be recognised when the same bytes come again."""

CACHE_BYTES: Final = 16_777_216
"""All heads that are kept, of all clients: about 5,000 of a browser's."""

SPARE_FILES: Final = 128
"""Files that the process keeps for itself when it may open few: objects on disk need them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a client may ask of a server, and how long it may take. Sizes in bytes.

    Attributes:
        url_bytes: The longest URL; a longer one is answered with 414. The platform's limit.
        head_bytes: The longest request line and headers; longer ones are answered with 431. The
            platform's limit.
        headers: Most headers of a request, and most trailers; more are answered with 431. A header
            of four bytes costs a hundred times as much memory. Browsers send 20.
        framing_bytes: Most bytes of a chunked body that are not content: chunk extensions,
            trailers, zeros before a size. Beyond it 413 for extensions, 431 for trailers. What a
            chunk needs is not counted. The limit of Node.js.
        body_bytes: The longest body of a request; a longer one is answered with 413. The
            platform's limit.
        held_bytes: How much of a client's bytes may wait at a time: requests behind a slow one, a
            body that nobody reads, messages that an object has not begun with. Beyond it the
            client is not read, so TCP makes it wait. Four times what a socket buffers.
        message_bytes: The longest message of a WebSocket; a longer one closes it with 1009. The
            platform's limit.
        fragments: Most fragments of a message; more close the WebSocket with 1008. Browsers make
            one for every 64 or 128 KiB.
        empty_fragments: Most fragments of a message without content; more close it with 1008. They
            would keep a message from ending for ever, and no limit of bytes would notice.
        connections: Most connections at a time; further ones are answered with 503. Fewer where
            the process may not open that many files.
        unsent_bytes: How much may wait for a client that does not read before it is cut off.
        progress_bytes: How much a client has to send or to read in `stalled_ms`. One byte at a
            time is not progress, or a connection could be held for ever.
        head_ms: How long a request's head may take from its first byte.
        stalled_ms: How long a client may make no progress in the middle of a body or an answer.
        idle_ms: How long a connection may stay open between requests.
        ping_ms: After how long a silent WebSocket is asked whether it is still there; one that
            does not answer for as long again is taken to be lost.
        closing_ms: How long a WebSocket waits for the client's answer to a close.

    Source: developers.cloudflare.com/workers/platform/limits/ (read 2026-11); for `framing_bytes`
    nodejs.org/en/blog/vulnerability/february-2024-security-releases (CVE-2024-22019)
    """

    url_bytes: int = 16_384
    head_bytes: int = 131_072
    headers: int = 256
    framing_bytes: int = 16_384
    body_bytes: int = 104_857_600
    held_bytes: int = 262_144
    message_bytes: int = 33_554_432
    fragments: int = 65_536
    empty_fragments: int = 1_024
    connections: int = 10_000
    unsent_bytes: int = 67_108_864
    progress_bytes: int = 256
    head_ms: int = 10_000
    stalled_ms: int = 30_000
    idle_ms: int = 75_000
    ping_ms: int = 30_000
    closing_ms: int = 10_000


def open_files() -> int:
    """Return how many connections the process can hold beside its own files."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return 1 << 30
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 1 << 30
    return max(soft - SPARE_FILES, soft // 2)


class Progress:
    """Whether a client makes progress: it has to move `enough` bytes within `patience_s`.

    Args:
        enough: Bytes.
        patience_s: Seconds.
    """

    __slots__ = ("_enough", "_moved", "_patience_s", "_since_s")

    def __init__(self, enough: int, patience_s: float) -> None:
        self._enough = enough
        self._patience_s = patience_s
        self._moved = 0
        self._since_s = 0.0

    def begin(self, now_s: float, moved: int) -> None:
        """Wait from now on.

        Args:
            now_s: The time.
            moved: Bytes that the client has moved in all.
        """
        self._since_s, self._moved = now_s, moved

    def stalled(self, now_s: float, moved: int) -> bool:
        """Return whether the client has moved too little for too long."""
        if moved - self._moved >= self._enough:
            self.begin(now_s, moved)
        return now_s - self._since_s > self._patience_s
