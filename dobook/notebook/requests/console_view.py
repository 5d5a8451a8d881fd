"""The request console as a form: method, path, headers, body, history, replay, many at once."""

from typing import Any

from dobook.errors import UsageError
from dobook.notebook.core.session import Session
from dobook.notebook.core.view import View
from dobook.notebook.requests.request_console import RequestConsole


class ConsoleView(View):
    """A live view of a request console.

    Args:
        session: The session.
        console: What the form drives.
    """

    file = "console"
    shown_by = r"%request --console"

    def __init__(self, session: Session, console: RequestConsole) -> None:
        self.console = console
        super().__init__(session)

    def look(self) -> dict[str, Any]:
        """Return the console's history."""
        return self.console.facts()

    def static(self) -> tuple[str, str]:
        """Return the console's card."""
        card = self.console.card()
        return repr(card), card._repr_html_()

    # ------------------------------------------------------------------ what buttons do

    def do_send(
        self,
        method: str,
        path: str,
        headers: str = "",
        body: str = "",
        repeat: str = "",
        concurrency: str = "",
        rate: str = "",
    ) -> None:
        """Send what the form says."""
        self.console.send(
            method,
            path,
            headers=headers,
            body=body,
            repeat=_number(repeat, "repeat") or 1,
            concurrency=_number(concurrency, "at once"),
            rate=rate.strip(),
        )

    def do_replay(self, number: str) -> None:
        """Send a request of the history again."""
        self.console.replay(int(number))

    def do_clear(self) -> None:
        """Forget the history."""
        self.console.history.clear()


def _number(text: str, what: str) -> int | None:
    if not text.strip():
        return None
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{what} is a whole number, not {text[:20]!r}.") from None
