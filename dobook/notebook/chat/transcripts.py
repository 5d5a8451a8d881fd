"""WebSocket clients as a notebook shows them: a transcript as text, as HTML and as a DataFrame."""

from collections.abc import Sequence
from html import escape
from typing import Any, Self

from dobook.clock import format_time
from dobook.notebook.core.display import MONO, MUTED, box, count, heading, shorten, tag
from dobook.notebook.core.frame import TIME, Frame, make_frame
from dobook.runtime.client import Client, Said, Transcript, open_client
from dobook.runtime.runtime import Runtime

_FIRST_LINES, _LAST_LINES = 2, 12  # of a long transcript
_MOST_WIDE = 200  # characters of a message
_ARROWS = {"sent": "→", "received": "←"}


class NotebookClient(Client):
    """A client that also gives its transcript as a DataFrame."""

    @classmethod
    def connect(cls, runtime: Runtime, target: Any, path: str, **options: Any) -> Self:
        """Connect as `runtime.connect` does."""
        client: Self = runtime.run(open_client(runtime, target, path, kind=cls, **options))
        runtime.settle()
        return client

    @property
    def frame(self) -> Frame:
        """Return what was said, one row each, oldest first.

        Index: range. Columns: time (datetime64[ms, UTC]), what (string: open, sent, received,
        closing, closed, dropped), data (object, the text or bytes). `.attrs`: object, client, time.
        """
        rows = [(said.at_ms, said.what, said.data) for said in self.transcript]
        columns = {"time": TIME, "what": "string", "data": "object"}
        caption = f"{self.name or 'client'} at {self.label}, {self.state}"
        now_ms = self.runtime.clock.now_ms
        return make_frame(columns, rows, caption, now_ms, object=self.label, client=self.name)


def client_text(client: Client) -> str:
    """Return a client's transcript as text."""
    return "\n".join([title(client), *(f"  {line}" for line in _shown(client.transcript))])


def client_html(client: Client) -> str:
    """Return a client's transcript as HTML."""
    return box(
        heading(client.name or "client", f"at {client.label}{client.path}, {client.state}"),
        lines_html(_shown(client.transcript)),
    )


def transcript_html(transcript: Transcript) -> str:
    """Return what was said as HTML, a line each."""
    return lines_html(list(transcript))


def lines_html(lines: Sequence[Said | str]) -> str:
    """Return things that were said, and remarks between them, as HTML."""
    return tag("div", "".join(map(_line, lines)), f"font-family: {MONO}; font-size: 90%")


def title(client: Client) -> str:
    """Return who is connected to what, in a line."""
    return f"{client.name or 'client'}  at {client.label}{client.path}, {client.state}"


def clients_frame(clients: Sequence[Client], now_ms: int) -> Frame:
    """Return the clients of a session, one row each, in the order they connected.

    Index: range. Columns: client (string), object (string), path (string), state (string), sent
    (Int64), received (Int64). No clients: same columns, no rows. `.attrs`: time.
    """
    columns = {
        **dict.fromkeys(("client", "object", "path", "state"), "string"),
        **dict.fromkeys(("sent", "received"), "Int64"),
    }
    rows = [
        (
            client.name,
            client.label,
            client.path,
            client.state,
            sum(said.what == "sent" for said in client.transcript),
            len(client.messages),
        )
        for client in clients
    ]
    return make_frame(columns, rows, count(len(rows), "WebSocket client"), now_ms)


def _shown(transcript: Transcript) -> list[Said | str]:
    """Return what a long transcript begins and ends with."""
    more = len(transcript) - _FIRST_LINES - _LAST_LINES
    if more <= 1:
        return list(transcript)
    return [*transcript[:_FIRST_LINES], f"… {more:,} more", *transcript[-_LAST_LINES:]]


def _line(said: Said | str) -> str:
    if isinstance(said, str):
        return tag("div", escape(said), f"color: {MUTED}")
    time = tag("span", escape(format_time(said.at_ms)), f"color: {MUTED}")
    arrow = escape(_ARROWS.get(said.what, "·"))
    text = escape(shorten(said.text, _MOST_WIDE))
    if said.what not in _ARROWS:
        text = tag("span", escape(f"{said.what} ") + text, f"color: {MUTED}")
    return tag("div", f"{time}  {arrow} {text}", "white-space: pre-wrap; overflow-wrap: anywhere")
