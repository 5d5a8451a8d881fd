"""The request console: asking one object, or the Worker, again and again, with a history.

`%request --console` gives one. In a front end it is a form; here is what the form does.
"""

from dataclasses import dataclass, field
from typing import Any

from dobook.clock import format_duration, format_time
from dobook.errors import UsageError
from dobook.notebook.core.arguments import read_json
from dobook.notebook.core.display import Card, count
from dobook.notebook.core.frame import Frame
from dobook.notebook.core.request_line import METHODS, read_url, request_init
from dobook.notebook.core.session import Session
from dobook.notebook.requests.load import ask_many, parse_rate
from dobook.notebook.requests.request_frames import answers_frame
from dobook.notebook.requests.responses import body_text, headers_of, status_line

MOST_HISTORY = 50
_CARD_HISTORY = 8


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that was sent, and what came back.

    Attributes:
        number: From 1.
        at_ms: When, in ms since 1970.
        method: The HTTP method.
        path: The path and query, or a whole URL.
        headers: One "name: value" a line.
        body: The body.
        repeat: How many times.
        concurrency: How many at once, None for as many as there are.
        rate: How often, like "20/s"; empty for as soon as possible.
        status: The answer's status line, or what all of them came to.
        took_ms: How long it took, virtual.
        answer: Headers and body of the answer, as text.
        picture: For many: their picture.
    """

    number: int
    at_ms: int
    method: str
    path: str
    headers: str = ""
    body: str = ""
    repeat: int = 1
    concurrency: int | None = None
    rate: str = ""
    status: str = ""
    took_ms: int = 0
    answer: str = ""
    picture: str = field(default="", repr=False)


class RequestConsole:
    """A console of one object, or of the Worker.

    Args:
        session: The session.
        target: `BINDING/name`; empty for the Worker.

    Attributes:
        history: What was sent, oldest first.
        answers: The answers to the last repeated request, as a DataFrame; None before the first.
    """

    def __init__(self, session: Session, target: str = "") -> None:
        if target:
            session.target(target)  # complains about what does not exist
        self._session = session
        self.target = target
        self.history: list[Sent] = []
        self.answers: Frame | None = None

    def send(
        self,
        method: str = "GET",
        path: str = "/",
        *,
        headers: str = "",
        body: str = "",
        repeat: int = 1,
        concurrency: int | None = None,
        rate: str = "",
    ) -> Sent:
        """Send a request, or many of it; the arguments are those of `Sent`.

        Raises:
            UsageError: If something cannot be read.
        """
        url, init = read_url(path), _init(method, headers, body)
        runtime = self._session.runtime
        began_ms = runtime.clock.now_ms
        fields: dict[str, Any] = {}
        if repeat > 1 or rate:
            every_ms = parse_rate(rate) if rate else None
            found = ask_many(
                runtime, lambda: self._ask(url, init), repeat,
                concurrency=concurrency, every_ms=every_ms,
            )  # fmt: skip
            label = self.target or "the Worker"
            self.answers = answers_frame(found, label, runtime.clock.now_ms)
            fields = {
                "status": str(self.answers.attrs["caption"]).partition(": ")[2],
                "answer": "",
                "picture": self.answers.svg,
            }
        else:
            response = runtime.run(self._ask(url, init))
            lines = [f"{name}: {value}" for name, value in headers_of(response)]
            fields = {
                "status": status_line(response),
                "answer": "\n".join([*lines, "", body_text(response)]).strip("\n"),
            }
        sent = Sent(
            (self.history[-1].number if self.history else 0) + 1, began_ms, method, path, headers,
            body, repeat, concurrency, rate, took_ms=runtime.clock.now_ms - began_ms, **fields,
        )  # fmt: skip
        self.history.append(sent)
        del self.history[:-MOST_HISTORY]
        return sent

    def replay(self, number: int) -> Sent:
        """Send a request of the history again.

        Raises:
            UsageError: If no request has that number.
        """
        for old in self.history:
            if old.number == number:
                return self.send(
                    old.method, old.path, headers=old.headers, body=old.body,
                    repeat=old.repeat, concurrency=old.concurrency, rate=old.rate,
                )  # fmt: skip
        raise UsageError(f"there is no request number {number} in the history.")

    def facts(self) -> dict[str, Any]:
        """Return what there is to show, as plain JSON."""
        return {
            "title": f"Requests to {self.target or 'the Worker'}",
            "methods": list(METHODS),
            "history": [_facts(sent) for sent in self.history],
        }

    def _ask(self, url: str, init: dict[str, Any]) -> Any:
        if not self.target:
            return self._session.runtime.fetch(url, init)
        return self._session.target(self.target).stub.fetch(url, init)

    def card(self) -> Card:
        """Return the static card: the history, and the last answer."""
        facts = self.facts()
        rows = [(str(one["number"]), _line(one)) for one in facts["history"][-_CARD_HISTORY:]]
        picture = ""
        if self.history:
            last = self.history[-1]
            picture = last.picture
            if last.answer:
                rows.append(("answer", f"{last.status}\n{last.answer}"))
        note = count(len(self.history), "request") if self.history else "nothing sent yet"
        return Card(facts["title"], tuple(rows), note, picture)


def _facts(sent: Sent) -> dict[str, Any]:
    names = ("number", "method", "path", "headers", "body", "repeat", "concurrency", "rate")
    return {name: getattr(sent, name) for name in (*names, "status", "answer", "picture")} | {
        "at": format_time(sent.at_ms),
        "took": format_duration(sent.took_ms),
    }


def _line(one: dict[str, Any]) -> str:
    many = f", {one['repeat']:,} times" if one["repeat"] > 1 else ""
    rate = f" at {one['rate']}" if one["rate"] else ""
    return f"{one['method']} {one['path']}{many}{rate} → {one['status']}"


def _init(method: str, headers: str, body: str) -> dict[str, Any]:
    lines = [line for line in headers.splitlines() if line.strip()]
    if not body.strip():
        return request_init(method, lines)
    if any(line.lower().startswith("content-type:") for line in lines):
        return request_init(method, lines, text=body)
    return request_init(method, lines, json=read_json(body, {}))
