"""Requests to a project in virtual time: each is answered, its status and body are printed.

`Asked` is one request as a command's line gives it; `answer` returns what came of it.
"""

import asyncio
import re
import traceback
from dataclasses import dataclass, field
from typing import Any, Final

from dobook.errors import UsageError
from dobook.runtime.reports.users_code import users_part
from dobook.runtime.runtime import Runtime
from dobook.web import Response

STREAM_MS: Final = 60_000  # how long the body of an endless answer is read, in virtual time
_LINE: Final = re.compile(r"\s*(?:([A-Za-z]+)\s+)?(\S+)(?:\s(.*))?", re.DOTALL)
_TEXTUAL: Final = re.compile(
    r"text/|application/(json|javascript|xml|x-www-form|x-ndjson)|\+(json|xml)"
)


@dataclass
class Asked:
    """One request.

    Attributes:
        method: Its method.
        url: A path of `http://localhost`, or a URL.
        headers: Its headers.
        body: Its body, None for none.
    """

    method: str
    url: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str | bytes | None = None

    @classmethod
    def parse(cls, line: str) -> "Asked":
        """Return the request that a line describes: `/path`, `GET /path` or `POST /path body`.

        Raises:
            UsageError: If it does not.

        Example:
            >>> Asked.parse("POST /add 5")
            Asked(method='POST', url='/add', headers=[], body='5')
        """
        match = _LINE.fullmatch(line)
        if match is None or not re.match(r"/|https?://|wss?://", match[2]):
            raise UsageError(
                f"{line!r} is not a request. Write GET /path, or POST /path followed by a body."
            )
        body = match[3] or None
        method = match[1] or ("GET" if body is None else "POST")
        return cls(method.upper(), match[2], body=body)

    def __str__(self) -> str:
        return f"{self.method} {self.url}"


@dataclass(frozen=True)
class Answer:
    """What came of a request.

    Attributes:
        status: The status code.
        reason: The reason phrase.
        headers: Pairs of name and value.
        body: The body as text, or a description in angle brackets.
        error: The traceback of what the Worker raised, "" if it raised nothing.
    """

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: str
    error: str

    def __str__(self) -> str:
        return f"{self.status} {self.reason}".rstrip() + f"\n{self.body}".rstrip("\n")


def answer(runtime: Runtime, asked: Asked) -> Answer:
    """Send the runtime's Worker a request, and return the answer; time passes as far as it needs."""
    return runtime.run(_answered(runtime, asked))  # type: ignore[no-any-return]


async def _answered(runtime: Runtime, asked: Asked) -> Answer:
    response: Response = await runtime.fetch(
        asked.url, method=asked.method, headers=asked.headers, body=asked.body
    )
    error = getattr(response, "error", None)
    return Answer(
        response.status,
        response.status_text,
        tuple((name, value) for name, value in response.js_headers),
        await _body(runtime, response),
        "" if error is None else _traceback(error),
    )


def _traceback(error: BaseException) -> str:
    """Return a traceback that begins in the project's code."""
    shown = error.with_traceback(users_part(error.__traceback__))
    return "".join(traceback.format_exception(shown))


async def _body(runtime: Runtime, response: Response) -> str:
    if response.web_socket is not None:
        return "<a WebSocket>"
    stream: Any = response.body
    pieces: list[bytes] = []
    over = False
    if stream is not None:
        until_ms = runtime.clock.now_ms + STREAM_MS
        reader = stream.getReader()
        while runtime.clock.now_ms < until_ms:
            left_s = (until_ms - runtime.clock.now_ms) / 1000
            try:
                result = await asyncio.wait_for(reader.read(), left_s)
            except TimeoutError:
                break
            if result.done:
                over = True
                break
            pieces.append(result.value)
    data = b"".join(pieces)
    kind = response.js_headers.get("content-type") or ""
    try:
        text = data.decode()
        if not _TEXTUAL.search(kind) and not text.isprintable() and "\n" not in text:
            raise ValueError
    except ValueError:
        text = f"<{len(data):,} bytes of {kind or 'no type'}>"
    if stream is not None and not over:
        text += f"\n<it continues; {STREAM_MS // 1000} s of it were read>"
    return text
