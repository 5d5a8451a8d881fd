"""Who may ask: the Host, the Origin and the token of a request, and what is answered otherwise.

A server on loopback can be reached by every page that a browser on this machine shows. So the
Host has to be one of the server's (a page cannot get round that by having its own name point
here), and a page of another origin is refused. Browsers leave the Origin out when a page only embeds
or links to something, and a GET can make an object write, so what they say of the site counts too.

Source: fetch.spec.whatwg.org/#origin-header, w3c.github.io/webappsec-fetch-metadata/,
datatracker.ietf.org/doc/html/rfc6750
"""

import functools
import hmac
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, quote, urlsplit

from dobook.serve.settings import Settings, is_loopback

TOKEN_COOKIE: Final = "dobook_token"
TOKEN_PARAMETER: Final = "token"
PAGES: Final = "/_dobook"  # the server's own

_HOST_CHARACTERS: Final = 261  # a name of 255, the longest there is, and a port
_OWN_SITE: Final = frozenset(("same-origin", "none"))  # "none": the address bar, a bookmark


class Refusal(NamedTuple):
    """Why a request is not passed on; `headers` are further ones of the answer."""

    status: int
    text: str
    headers: tuple[tuple[str, str], ...] = ()


def refuse(settings: Settings, headers: Mapping[str, tuple[str, ...]]) -> Refusal | None:
    """Return why a request may not be asked by its Host and Origin; None if it may."""
    hosts = headers.get("host", ())
    if len(hosts) != 1:
        return Refusal(400, "A request has exactly one Host header.")
    host = hosts[0]
    name = _name_of(host) if len(host) <= _HOST_CHARACTERS else None
    if name is None:
        return Refusal(400, f"The Host header {host[:80]!r} is not a host.")
    if not settings.behind_proxy and not _known_host(settings, name):
        return Refusal(
            403,
            f"This server does not answer to the host {name!r}. If it should, start it with "
            f"--allow-host {name}.",
        )
    for origin in headers.get("origin", ()):
        if not _known_origin(settings, origin, host):
            return Refusal(
                403,
                f"A page of {origin[:80]} may not use this server. If it should, start it with "
                f"--allow-origin {origin[:80]}.",
            )
    return None


def refuse_cross_site(
    settings: Settings, method: str, target: str, headers: Mapping[str, tuple[str, ...]]
) -> Refusal | None:
    """Return why a request of another site's page may not be asked; None if it may.

    The Origin, if there is one, has been found to be known. Without one, as for an image, a link
    or a form that gets, a page is known by its Referer, which it can leave out but not make up.

    Args:
        settings: The server's.
        method: The request's.
        target: Its path and query.
        headers: Its headers.
    """
    sites = headers.get("sec-fetch-site", ())
    if _OWN_SITE.issuperset(sites) or "origin" in headers or "*" in settings.origins:
        return None
    host = headers["host"][0]
    sent_from = headers.get("referer", ())
    if len(sent_from) == 1 and _known_origin(settings, _origin_of(sent_from[0]), host):
        return None
    if sites == ("same-site",) and settings.loopback and is_loopback(host_name(host) or ""):
        return None  # the site is this machine; elsewhere it may have hostile names and ports
    if _shows_own_page(settings, method, target, headers):
        return None
    return Refusal(
        403,
        f"A page of another site has made this request (Sec-Fetch-Site: {sites[0][:80]}), and a "
        "request can make objects write. If that page may use this server, start it with "
        "--allow-origin and the page's origin. If you have followed a link, enter the address in "
        "the address bar.",
    )


def _shows_own_page(
    settings: Settings, method: str, target: str, headers: Mapping[str, tuple[str, ...]]
) -> bool:
    """Return whether a link leads to one of the server's own pages, which ask no object.

    A query could make the chat page enter a room.
    """
    return (
        settings.pages
        and method in ("GET", "HEAD")
        and "upgrade" not in headers
        and "?" not in target
        and (target == PAGES or target.startswith(f"{PAGES}/"))
        and headers.get("sec-fetch-mode") == ("navigate",)
        and headers.get("sec-fetch-dest") == ("document",)
    )


def _origin_of(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"


def host_name(host: str) -> str | None:
    """Return a Host header without its port, in lower case; None if it is not a host.

    Example:
        >>> host_name("LocalHost:8787"), host_name("[::1]:80"), host_name("a b")
        ('localhost', '::1', None)
    """
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises if it is not a number
    except ValueError:
        return None
    if parts.netloc != host or parts.username is not None or any(c <= " " for c in host):
        return None
    return parts.hostname


# A client asks for the same host again and again, and these are no longer than a name.
_name_of = functools.lru_cache(256)(host_name)
_is_local = functools.lru_cache(256)(is_loopback)


def _known_host(settings: Settings, name: str) -> bool:
    if name in settings.hosts or name == settings.host.strip("[]").lower():
        return True
    if _is_local(settings.host):
        return _is_local(name)
    # A server that listens at every address cannot know its names; the token counts then.
    return settings.host in ("0.0.0.0", "::", "")


def _known_origin(settings: Settings, origin: str, host: str) -> bool:
    if origin in settings.origins or "*" in settings.origins:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return False
    if parts.netloc.lower() == host.lower():
        return True
    if settings.behind_proxy:
        return parts.hostname == host_name(host)  # a proxy may change the port
    return settings.loopback and is_loopback(parts.hostname or "")


class Shown(NamedTuple):
    """What a request shows of the token: whether it does, where, and the target without it."""

    right: bool
    in_target: bool
    target: str


def show_token(settings: Settings, target: str, headers: Mapping[str, tuple[str, ...]]) -> Shown:
    """Look for the token in a request's `Authorization`, its cookie or its query."""
    path, mark, query = target.partition("?")
    given = [value for name, value in parse_qsl(query) if name == TOKEN_PARAMETER]
    if any(_same(value, settings.token) for value in given):
        kept = [part for part in query.split("&") if part.partition("=")[0] != TOKEN_PARAMETER]
        return Shown(
            right=True, in_target=True, target=path + (mark + "&".join(kept) if kept else "")
        )
    for value in headers.get("authorization", ()):
        if _bears(settings, value):
            return Shown(right=True, in_target=False, target=target)
    for value in headers.get("cookie", ()):
        for part in value.split(";"):
            name, _, secret = part.strip().partition("=")
            if name == TOKEN_COOKIE and _same(secret, quote(settings.token, safe="")):
                return Shown(right=True, in_target=False, target=target)
    return Shown(right=False, in_target=False, target=target)


def without_token(settings: Settings, values: dict[str, tuple[str, ...]]) -> None:
    """Take the token out of the headers that an object sees."""
    given = tuple(v for v in values.get("authorization", ()) if not _bears(settings, v))
    if given:
        values["authorization"] = given
    else:
        values.pop("authorization", None)
    cookies = [
        part.strip()
        for value in values.get("cookie", ())
        for part in value.split(";")
        if part.strip().partition("=")[0] != TOKEN_COOKIE
    ]
    if cookies:
        values["cookie"] = ("; ".join(cookies),)
    else:
        values.pop("cookie", None)


def token_cookie(settings: Settings) -> str:
    """Return the Set-Cookie header that spares a browser the token in further URLs."""
    path = settings.prefix or "/"
    secret = quote(settings.token, safe="")
    return f"{TOKEN_COOKIE}={secret}; Path={path}; HttpOnly; SameSite=Strict"


def _bears(settings: Settings, authorization: str) -> bool:
    scheme, _, secret = authorization.partition(" ")
    return scheme.lower() == "bearer" and _same(secret.strip(), settings.token)


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
