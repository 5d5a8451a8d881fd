"""Where a server listens and which clients it answers: its token, known hosts and origins.

Values only; `access` decides by them.
"""

import ipaddress
from dataclasses import dataclass, field
from typing import Final

from dobook.serve.limits import Limits

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8787  # what wrangler uses


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where a server listens and which clients it answers.

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


__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "Limits", "Settings", "is_loopback"]
