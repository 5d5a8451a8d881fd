"""The head of a request: what its first lines say, checked, and made ready to be used again.

A browser, a load generator or a script sends the same head over and over, so what comes of it is
kept: the checks, the headers and the URL are those of the first time.
"""

import functools
import re
from typing import Final
from urllib.parse import unquote, urlsplit

from dobook.errors import PlatformTypeError
from dobook.serve.access import (
    Refusal,
    refuse,
    refuse_cross_site,
    show_token,
    token_cookie,
    without_token,
)
from dobook.serve.settings import Settings
from dobook.web import Headers, Request
from dobook.web.body import Content
from dobook.web.request import known_method
from dobook.web.url import delivered_url

Pairs = list[tuple[bytes, bytes]]

_KEY: Final = re.compile(r"[A-Za-z0-9+/]{22}==").fullmatch


class Head:
    """A request without its body.

    Attributes:
        method: One the engine knows, in capitals.
        target: The path and query that were asked for, without a proxy's prefix and the token.
        url: The whole URL, in normal form.
        headers: The headers as the handler sees them; nobody can change them.
        keep_alive: Whether the connection may be used again.
        chunks: Whether the client understands a body in chunks (HTTP/1.1).
        key: The WebSocket handshake's key; empty if the request is not a handshake.
        refusal: Why it is not passed on; None if it is.
        cookie: A Set-Cookie header for the answer; empty for none.
        size: Its bytes, about.
    """

    __slots__ = (
        "chunks",
        "cookie",
        "headers",
        "keep_alive",
        "key",
        "method",
        "origin",
        "refusal",
        "size",
        "target",
        "url",
    )

    def __init__(
        self,
        settings: Settings,
        peer: str,
        *,
        method: str,
        target: str,
        version: str,
        pairs: Pairs,
        keep_alive: bool,
    ) -> None:
        listed: dict[str, list[str]] = {}
        for name, value in pairs:
            listed.setdefault(name.decode("latin-1").lower(), []).append(_text(value).strip("\t "))
        values = {name: tuple(texts) for name, texts in listed.items()}
        self.size = 0
        self.keep_alive = keep_alive
        self.chunks = version == "1.1"
        self.key = self.cookie = ""
        self.method = known_method(method) or ""
        self.target = target
        self.url = self.origin = ""
        self.refusal = self._read(settings, values)
        if settings.token and self.refusal is None:
            self.refusal = self._check_token(settings, values)
        if self.refusal is None and not self.cookie:  # a link with the token may come from anywhere
            self.refusal = refuse_cross_site(settings, self.method, self.target, values)
        if self.refusal is None:
            try:
                self.url = delivered_url(self.origin + self.target)
            except PlatformTypeError:
                self.refusal = Refusal(400, "The URL cannot be read.")
        if self.method == "HEAD" and self.refusal is not None:
            self.refusal = self.refusal._replace(text="")
        values["cf-connecting-ip"] = (peer,)  # as the platform tells who asks, whatever they say
        self.headers = Headers()
        self.headers._values = values
        self.headers._immutable = True

    def request(self, body: Content, url: str = "") -> Request:
        """Return the request for a handler.

        Args:
            body: The body; None for none.
            url: Another URL than the one that was asked for.
        """
        return Request._arrived(self.method, url or self.url, self.headers, body)

    def object_path(self) -> tuple[str, str, str] | None:
        """Return binding, name and the rest of `/{binding}/{name}/…`; None if it is not that."""
        path, mark, query = self.target.partition("?")
        parts = path.split("/", 3)
        if len(parts) < 3 or not parts[1] or not parts[2]:
            return None
        rest = "/" + (parts[3] if len(parts) > 3 else "")
        return unquote(parts[1]), unquote(parts[2]), self.origin + rest + mark + query

    def _read(self, settings: Settings, values: dict[str, tuple[str, ...]]) -> Refusal | None:
        target = self.target
        if len(target) > settings.limits.url_bytes:
            return Refusal(414, f"The URL is longer than {settings.limits.url_bytes} bytes.")
        if not self.method:
            return Refusal(501, "This server does not know the method.")
        if not target.startswith("/"):
            target = _absolute(target)
            if not target:
                return Refusal(400, "The request's target is not a path.")
        refusal = refuse(settings, values)
        if refusal is not None:
            return refusal
        prefix = settings.prefix.rstrip("/")
        if prefix and (target == prefix or target.startswith((prefix + "/", prefix + "?"))):
            target = target[len(prefix) :]
            target = target if target.startswith("/") else "/" + target
        self.target = target
        scheme = "http"
        if settings.behind_proxy and values.get("x-forwarded-proto", ("",))[0] == "https":
            scheme = "https"
        self.origin = f"{scheme}://{values['host'][0]}"
        if "websocket" in _listed(values.get("upgrade", ())):
            return self._read_handshake(values)
        return None

    def _read_handshake(self, values: dict[str, tuple[str, ...]]) -> Refusal | None:
        """Check a WebSocket handshake: RFC 6455, section 4.2.1."""
        if self.method != "GET" or not self.chunks:
            return Refusal(400, "A WebSocket is opened with GET and HTTP/1.1.")
        if "upgrade" not in _listed(values.get("connection", ())):
            return Refusal(400, "A WebSocket is opened with the header Connection: Upgrade.")
        if values.get("sec-websocket-version") != ("13",):
            return Refusal(
                426,
                "This server speaks version 13 of the WebSocket protocol.",
                (("Sec-WebSocket-Version", "13"),),
            )
        keys = values.get("sec-websocket-key", ())
        if len(keys) != 1 or not _KEY(keys[0]):
            return Refusal(400, "A WebSocket is opened with one Sec-WebSocket-Key of 16 bytes.")
        self.key = keys[0]
        return None

    def _check_token(
        self, settings: Settings, values: dict[str, tuple[str, ...]]
    ) -> Refusal | None:
        shown = show_token(settings, self.target, values)
        if not shown.right:
            return Refusal(
                401,
                "This server wants its token: as ?token=..., or as the header Authorization: "
                "Bearer ... .",
                (("WWW-Authenticate", "Bearer"),),
            )
        self.target = shown.target
        if shown.in_target:
            self.cookie = token_cookie(settings)
        without_token(settings, values)
        return None


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _listed(values: tuple[str, ...]) -> set[str]:
    """Return the words of a header that is a list, in lower case."""
    return {word.strip().lower() for value in values for word in value.split(",")}


@functools.lru_cache(64)
def _absolute(target: str) -> str:
    """Return the path of a target that is a whole URL, empty if it is not a URL."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return ""
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
