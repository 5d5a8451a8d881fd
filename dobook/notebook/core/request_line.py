"""A request as people write it, in a line, a cell or a form: checked before it is sent."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from dobook.errors import UsageError, suggest
from dobook.notebook.core.arguments import with_names

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_HOST: Final = "http://localhost"


def read_url(text: str) -> str:
    """Return the URL that a path, or a whole URL, stands for.

    Raises:
        UsageError: If it is neither.

    Example:
        >>> read_url("/value?id=a"), read_url("https://example.com/")
        ('http://localhost/value?id=a', 'https://example.com/')
    """
    if "://" in text:
        return text
    if not text.startswith("/"):
        raise UsageError(f"a path begins with '/', not {text[:20]!r}.")
    return _HOST + text


def read_header(text: str) -> list[str]:
    """Return the name and the value of a header.

    Raises:
        UsageError: If it cannot be read.

    Example:
        >>> read_header("x-user: ada")
        ['x-user', 'ada']
    """
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise UsageError(f"a header is written 'name: value', not {text[:40]!r}.")
    return [name.strip(), value.strip()]


def read_body(written: str, names: Mapping[str, Any]) -> str | bytes:
    """Return the body that an option gives: a text, or the bytes of a variable.

    Args:
        written: The text; `$name` in it stands for a variable.
        names: The notebook's variables.

    Raises:
        UsageError: If it is a variable that is neither text, bytes nor a number.

    Example:
        >>> read_body("$data", {"data": b"x"}), read_body("n=$n", {"n": 5})
        (b'x', 'n=5')
    """
    value = names.get(written[1:]) if written.startswith("$") else None
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, dict | list | tuple):
        raise UsageError(
            f"{written} is a {type(value).__name__}. Send it as JSON: --json {written}"
        )
    return with_names(written, names)


def request_init(
    method: str,
    headers: Iterable[str] = (),
    *,
    text: str | bytes | None = None,
    json: str | None = None,
) -> dict[str, Any]:
    """Return a request's options, as `fetch` takes them.

    Args:
        method: The HTTP method.
        headers: Each as "name: value".
        text: The body as it is; None for none.
        json: The body as JSON, instead; its type is added to the headers unless they name one.

    Raises:
        UsageError: If there is no such method, it takes no body, or a header cannot be read.

    Example:
        >>> request_init("POST", json="[1]")
        {'method': 'POST', 'headers': [['content-type', 'application/json']], 'body': '[1]'}
    """
    if method not in METHODS:
        raise UsageError(f"no method {method!r}. {suggest(method, METHODS)}")
    pairs = [read_header(header) for header in headers]
    init: dict[str, Any] = {"method": method, "headers": pairs}
    body = text if json is None else json
    if body is None:
        return init
    if method in ("GET", "HEAD"):
        raise UsageError(f"{method} has no body. Send it with POST or PUT.")
    if json is not None and not any(name.lower() == "content-type" for name, _ in pairs):
        pairs.append(["content-type", "application/json"])
    return init | {"body": body}
