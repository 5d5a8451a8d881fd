"""Whose I/O it is: each object may use its own only.

A response's body, a cursor, a socket or a stub belongs to the object whose code has made it. Kept in
a variable of the module it can meet the code of another object, which the platform refuses.

Source: cloudflare/workerd src/workerd/io/io-context.c++ (`throwNotCurrentJsError`)
"""

from contextvars import ContextVar
from typing import Any, Final, Protocol

BODY: Final = "ReadableStreamSource>"  # what the engine calls them
CURSOR: Final = "State"
LISTING: Final = "ListCursor"
RPC_STUB: Final = "Client"
SOCKET: Final = "Native"
STORAGE: Final = "ActorCacheInterface"
STUB: Final = "OutgoingFactory"


class Owner(Protocol):
    """An object, as whose code the running code counts."""

    def refuse_io_of(self, owner: Any, kind: str) -> None:
        """Raise PlatformError if `owner` is another object."""


# Tasks and callbacks inherit it; None outside of objects, where everything may be looked at.
current_owner: ContextVar[Owner | None] = ContextVar("dobook_owner", default=None)


def check_owner(owner: Owner | None, kind: str) -> None:
    """Raise if code of another object runs.

    Args:
        owner: Whose the thing is; None for nobody's.
        kind: What the engine calls it.

    Raises:
        PlatformError: If so.
    """
    if owner is not None:
        running = current_owner.get()
        if running is not None and running is not owner:
            running.refuse_io_of(owner, kind)
