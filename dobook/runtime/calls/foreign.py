"""I/O of one object in the code of another: the engine refuses it.

An object's storage, kept in a variable of the module, would otherwise write one object's data into
another's database.

Source: cloudflare/workerd src/workerd/io/io-context.c++ (`throwNotCurrentJsError`)
"""

from typing import TYPE_CHECKING, Final

from dobook.errors import PlatformError

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor

_REFUSED: Final = (
    "Cannot perform I/O on behalf of a different Durable Object. I/O objects (such as streams, "
    "request/response bodies, and others) created in the context of one Durable Object cannot be "
    "accessed from a different Durable Object in the same isolate. This is a limitation of "
    "Cloudflare Workers which allows us to improve overall performance. (I/O type: {kind})"
)


def refuse_foreign(other: "Actor", owner: "Actor", kind: str) -> None:
    """Raise if what one object uses belongs to another.

    Args:
        other: On whose behalf the code runs.
        owner: Whose the thing is.
        kind: What the engine calls it.

    Raises:
        PlatformError: If so.
    """
    if other.runtime is not owner.runtime:
        return
    if other.namespace is owner.namespace and other.id == owner.id:
        return  # another life of the same object
    error = PlatformError(_REFUSED.format(kind=kind))
    error.add_note(
        f"It belongs to {owner.label}, and {other.label} has used it. A variable of the module or "
        "class is shared by all objects: keep it in `self`."
    )
    raise error
