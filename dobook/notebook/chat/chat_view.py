"""The chat room: several people at once, each with a connection, a pane and a line to speak on.

Each person is a `Client`, so what the panes show is what really arrived at each of them. People
come, speak, leave in order or drop out without a word; the object can be evicted in between.
"""

import json
from collections.abc import Sequence
from typing import Any

from dobook.clock import format_time
from dobook.errors import UsageError
from dobook.notebook.chat.transcripts import NotebookClient
from dobook.notebook.core.display import Card
from dobook.notebook.core.session import Session
from dobook.notebook.core.view import View
from dobook.runtime.access import kernel_of
from dobook.runtime.client import DEFAULT_PATH, Said
from dobook.runtime.protocols import Namespace

_MOST_LINES = 200  # of a pane


class ChatRoom(View):
    """A live view of one room and the people in it.

    Args:
        session: The session.
        label: The room: `BINDING/name`.
        people: Who is there, in the order they come in.
        path: What they ask for; `name` is added.

    Attributes:
        people: The client of each person, by name. One who has come back has another.
    """

    file = "chat"
    shown_by = r"%chat"

    def __init__(
        self, session: Session, label: str, people: Sequence[str], path: str = DEFAULT_PATH
    ) -> None:
        self._label = label
        self._path = path
        self.people: dict[str, NotebookClient] = {}
        self._before: dict[str, list[Said]] = {}  # what each has seen on earlier connections
        self._session = session
        for name in people:
            self._come_in(name)
        super().__init__(session)

    def _come_in(self, name: str) -> None:
        session = self._session
        stub = session.target(self._label).stub
        client = NotebookClient.connect(session.runtime, stub, self._path, name=name)
        self.people[name] = client
        session.clients.append(client)

    # ------------------------------------------------------------------ showing

    def look(self) -> dict[str, Any]:
        """Return who is in the room and what each has seen."""
        namespace, identity = self._object()
        actor = namespace.actors.get(identity)
        return {
            "title": self._label,
            "class": namespace.class_name,
            "awake": actor is not None and actor.instance is not None,
            "people": [
                {
                    "name": name,
                    "state": client.state,
                    "lines": [
                        _line(said)
                        for said in (self._before.get(name, []) + list(client.transcript))[
                            -_MOST_LINES:
                        ]
                    ],
                }
                for name, client in self.people.items()
            ],
        }

    def _object(self) -> tuple[Namespace, str]:
        target = self._session.target(self._label)
        return target.namespace, target.stub.id.toString()

    def static(self) -> tuple[str, str]:
        """Return what everyone has seen."""
        facts = self.look()
        rows = tuple(
            (
                f"{person['name']} ({person['state']})",
                "\n".join(_plain(line) for line in person["lines"]),
            )
            for person in facts["people"]
        )
        there = sum(person["state"] == "open" for person in facts["people"])
        note = "1 person in the room" if there == 1 else f"{there} people in the room"
        card = Card(self._label, rows, note)
        return repr(card), card._repr_html_()

    # ------------------------------------------------------------------ what buttons do

    def do_say(self, who: str, text: str) -> None:
        """Say something as one of the people."""
        if text.strip():
            self._client(who).send(self._message(text))

    def do_leave(self, who: str) -> None:
        """Leave in order, with a close frame."""
        self._client(who).close(1000, "left")

    def do_drop(self, who: str) -> str:
        """Drop the connection without a close frame, as a phone in a tunnel does."""
        self._client(who).drop()
        return f"{who} is gone without a close frame"

    def do_return(self, who: str) -> None:
        """Rejoin, on a new connection."""
        client = self._client(who)
        if client.state == "open":
            raise UsageError(f"{who} is in the room.")
        self._before.setdefault(who, []).extend(client.transcript)
        self._come_in(who)

    def do_invite(self, who: str) -> None:
        """Add one more person."""
        who = who.strip()
        if not who:
            raise UsageError("a person has a name.")
        if who in self.people:
            raise UsageError(f"{who} is here already.")
        self._come_in(who)

    def do_evict(self) -> str:
        """Take the room out of memory; those who are in it do not notice if it hibernates."""
        runtime = self._session.runtime
        stub = self._session.target(self._label).stub
        actor = kernel_of(runtime).actor_of(stub)
        if actor.instance is not None and actor.instance.sockets:
            raise UsageError(
                "a room whose sockets were accepted with accept() stays in memory while anybody "
                "is connected. Use ctx.acceptWebSocket(), or crash it."
            )
        runtime.run(runtime.evict(stub))
        return "evicted: its attributes are gone, its storage and the connections stay"

    def do_crash(self) -> str:
        """End the room's life."""
        runtime = self._session.runtime
        runtime.crash(self._session.target(self._label).stub)
        runtime.settle()
        return "crashed: every connection is lost"

    def _client(self, who: str) -> NotebookClient:
        client = self.people.get(who)
        if client is None:
            raise UsageError(f"{who!r} is not one of {', '.join(self.people)}.")
        if client.runtime is not self._session.runtime:
            raise UsageError("the runtime is another one by now. Open the room again: %chat")
        return client

    def _message(self, text: str) -> str:
        """Return what is sent: JSON as the documentation's room reads it, or the text itself."""
        spoken = [data for client in self.people.values() for data in client.messages]
        if spoken and not any(_read(data) for data in spoken):
            return text
        return json.dumps({"type": "message", "text": text}, ensure_ascii=False)


def _read(data: str | bytes) -> dict[str, Any] | None:
    """Return a message as an object with a `type`, or None."""
    if not isinstance(data, str) or not data.startswith("{"):
        return None
    try:
        value = json.loads(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) and isinstance(value.get("type"), str) else None


def _line(said: Said) -> dict[str, Any]:
    """Return one line of a pane: when, what kind, and the words."""
    found = _read(said.data) if said.what in ("sent", "received") else None
    kind: str = said.what
    words = said.text
    if found is not None:
        name, text = str(found.get("name", "")), str(found.get("text", ""))
        if found["type"] in ("join", "leave"):
            kind = found["type"]
            words = f"{name} {'came in' if kind == 'join' else 'left'}"
        elif found["type"] == "history":
            kind, words = "history", "\n".join(map(str, found.get("messages") or []))
        elif text:
            words = f"{name}: {text}" if name and said.what == "received" else text
    return {"at": format_time(said.at_ms).partition(" ")[2], "kind": kind, "words": words}


def _plain(line: dict[str, Any]) -> str:
    mark = {"sent": "→", "received": "←"}.get(line["kind"], "·")
    words = line["words"]
    if line["kind"] == "history":
        words = "history: " + (words.replace("\n", " | ") or "nothing yet")
    elif line["kind"] in ("open", "closed", "closing", "dropped"):
        words = f"{line['kind']} {words}".rstrip()
    return f"{mark} {words}"
