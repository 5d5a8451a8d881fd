"""A response as people read it: status line, headers, body; JSON laid out, bytes by their number.

Reading never uses the body up. Source of the status texts: the response itself.
"""

import json
from collections.abc import Iterable

from IPython.core.interactiveshell import InteractiveShell

from dobook.notebook.core import tracebacks
from dobook.notebook.core.display import ACCENT, ERROR, box, heading, pre, rows_html
from dobook.web import FetchResponse
from dobook.web.streams import ReadableStream

MOST_CHARACTERS, MOST_LINES = 4_000, 60
ONE_LINE = 76
_TEXTUAL = ("text/", "application/json", "application/xml", "application/javascript", "+json")


def status_line(response: FetchResponse) -> str:
    """Return the status and its reason phrase."""
    return f"{response.status} {response.status_text}".rstrip()


def headers_of(response: FetchResponse) -> tuple[tuple[str, str], ...]:
    """Return the headers' names and values, in the order the platform lists them."""
    return tuple((name, value) for name, value in response.js_headers)


def body_text(response: FetchResponse) -> str:
    """Return the body as it is shown; "" without one."""
    text, instead = _content(response)
    return instead if text is None else cut(laid_out(text))


def whole_text(response: FetchResponse) -> str | None:
    """Return the body as it came, None if it is not text or has not been read yet."""
    return _content(response)[0]


def _content(response: FetchResponse) -> tuple[str | None, str]:
    """Return a body's text or, without one, what to say instead."""
    content = response._body  # noqa: SLF001 - the public ways to a body use it up
    if isinstance(content, ReadableStream):
        if content.buffered is None:
            return None, "(a stream, not read yet)"
        content = content.buffered
    if content is None:
        return "", ""
    text = content if isinstance(content, str) else _decoded(content, response)
    return text, f"({len(content):,} bytes)"


def _decoded(content: bytes, response: FetchResponse) -> str | None:
    kind = response.js_headers.get("content-type") or ""
    if content and kind and not any(mark in kind for mark in _TEXTUAL):
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def laid_out(text: str) -> str:
    """Return JSON with its lines indented, or other text as it is."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    line = json.dumps(value, ensure_ascii=False)
    return line if len(line) <= ONE_LINE else json.dumps(value, ensure_ascii=False, indent=2)


def cut(text: str) -> str:
    """Return the beginning of a long text, and how much is left."""
    lines = text.splitlines()
    shown = "\n".join(lines[:MOST_LINES])[:MOST_CHARACTERS]
    left = len(text) - len(shown)
    return shown if left <= 1 else f"{shown}\n… and {left:,} characters more"


def response_text(response: FetchResponse, shell: InteractiveShell | None = None) -> str:
    """Return a response as text.

    Args:
        response: The response; its body stays unread.
        shell: Where the cell is found that raised the error behind a Worker's 500.
    """
    parts = [status_line(response)]
    parts += [f"{name}: {value}" for name, value in headers_of(response)]
    text = body_text(response)
    if text:
        parts += ["", text.rstrip("\n")]
    parts += raised(response, shell)
    return "\n".join(parts)


def response_html(response: FetchResponse, shell: InteractiveShell | None = None) -> str:
    """Return a response as HTML; the arguments are those of `response_text`."""
    parts = [heading(status_line(response), response.url)]
    headers = headers_of(response)
    if headers:
        parts.append(rows_html(headers))
    text = body_text(response)
    if text:
        parts.append(pre(text.rstrip("\n")))
    place = "\n".join(raised(response, shell)).strip()
    if place:
        parts.append(pre(place))
    return box(*parts, colour=ERROR if response.status >= 400 else ACCENT)


def raised(response: FetchResponse, shell: InteractiveShell | None) -> Iterable[str]:
    """Return the lines of the cell that raised the error behind a Worker's 500."""
    error = getattr(response, "error", None)
    if error is None or shell is None:
        return []
    place = tracebacks.users_lines(error, shell)
    return ["", *place] if place else []
