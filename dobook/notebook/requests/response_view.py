"""A response: its headers, its body laid out or as it came, cut or whole."""

from typing import Any

from dobook.notebook.core.session import Session
from dobook.notebook.core.view import View
from dobook.notebook.requests.responses import (
    body_text,
    cut,
    headers_of,
    laid_out,
    raised,
    response_html,
    response_text,
    status_line,
    whole_text,
)
from dobook.web import FetchResponse


class ResponseView(View):
    """A live view of a response; a body that is a stream is shown once something has read it.

    Args:
        session: The session.
        response: The response; looking leaves its body unread.
    """

    file = "response"
    shown_by = r"%request (GET|POST|PUT|DELETE)"

    def __init__(self, session: Session, response: FetchResponse) -> None:
        self.response = response
        self.raw = self.whole = False
        super().__init__(session)

    def look(self) -> dict[str, Any]:
        """Return status, headers and as much of the body as is wanted."""
        response, text = self.response, whole_text(self.response)
        laid = None if text is None else laid_out(text)
        if text is None or laid is None:
            shown, full = body_text(response), ""
        else:
            full = text if self.raw else laid
            shown = full if self.whole else cut(full)
        return {
            "title": f"Response {status_line(response)}",
            "status": status_line(response),
            "failed": response.status >= 400,
            "url": response.url,
            "headers": [list(header) for header in headers_of(response)],
            "body": shown.rstrip("\n"),
            "raw": self.raw,
            "json": text != laid,
            "more": len(full) if full and cut(full) != full else 0,
            "whole": self.whole,
            "raised": "\n".join(raised(response, self.session.shell)).strip(),
        }

    def static(self) -> tuple[str, str]:
        """Return the response as it is shown without a front end."""
        shell = self.session.shell
        return response_text(self.response, shell), response_html(self.response, shell)

    # ------------------------------------------------------------------ what buttons do

    def do_lay_out(self, raw: str) -> None:
        """Show JSON indented, or as it came."""
        self.raw = raw == "yes"

    def do_show(self, whole: str) -> None:
        """Show all of the body, or its beginning."""
        self.whole = whole == "yes"
