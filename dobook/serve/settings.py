"""What a server may be asked for and by whom: its limits, its token, the hosts and origins it knows.

Values only; `access` decides by them, `connection` and `channel` keep to the limits.
"""

import ipaddress
from dataclasses import dataclass, field
from typing import Final

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8787  # what wrangler uses


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a client may ask of a server, and how long it may take. Sizes in bytes.

    Attributes:
        url_bytes: The longest URL; a longer one is answered with 414.
        head_bytes: The longest request line and headers; longer ones are answered with 431.
        body_bytes: The longest body of a request; a longer one is answered with 413.
        message_bytes: The longest message of a WebSocket; a longer one closes it with 1009.
        connections: Most connections at a time; further ones are answered with 503.
        unsent_bytes: How much may wait for a client that does not read before it is cut off.
        head_ms: How long a request's head may take from its first byte.
        stalled_ms: How long a client may make no progress in the middle of a body or an answer.
        idle_ms: How long a connection may stay open between requests.
        ping_ms: After how long a silent WebSocket is asked whether it is still there; one that
            does not answer for as long again is taken to be lost.
        closing_ms: How long a WebSocket waits for the client's answer to a close.

    Source of the first three: developers.cloudflare.com/workers/platform/limits/ (read 2026-11)
    """

    url_bytes: int = 16_384
    head_bytes: int = 131_072
    body_bytes: int = 104_857_600
    message_bytes: int = 33_554_432
    connections: int = 10_000
    unsent_bytes: int = 67_108_864
    head_ms: int = 10_000
    stalled_ms: int = 30_000
    idle_ms: int = 75_000
    ping_ms: int = 30_000
    closing_ms: int = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where a server listens and whom it answers.

    Attributes:
        host: The address to listen at.
        port: The port; 0 for any that is free.
        token: What a client has to show; empty for nothing, which only a loopback address may do.
        prefix: A path that a proxy in front leaves on, such as `/user/ada/proxy/8787`.
        behind_proxy: Whether a proxy on this machine, Jupyter's for instance, has checked who
            asks: then any Host is fine, and its `X-Forwarded-Proto` is believed.
        hosts: Names under which the server may be asked, besides those of its address.
        origins: Origins whose pages may use it, besides its own and, on loopback, loopback ones.
        pages: Whether it has pages of its own under `/_dobook/`.
        limits: How much a client may ask for.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    token: str = ""
    prefix: str = ""
    behind_proxy: bool = False
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    pages: bool = True
    limits: Limits = field(default_factory=Limits)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine as only it sees itself.

    Example:
        >>> is_loopback("localhost"), is_loopback("::1"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
