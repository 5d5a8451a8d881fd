"""Forked processes: they must not use, or harm, the runtimes of their parent.

Memory is copied by `os.fork`, but files, locks and the loop's epoll are shared. A child that used
an inherited runtime would write into its parent's files; one that closed it would take descriptors
out of its parent's epoll; one that is merely alive would keep the state directory locked after its
parent is dead. So in the child every open runtime counts as closed: using it is refused, closing
it does nothing, and the lock is let go. SQLite's connections are neither used nor closed there.

Source: sqlite.org/howtocorrupt.html#_carrying_an_open_database_file_across_a_fork_
"""

import os
from typing import TYPE_CHECKING, Any, Final, NoReturn
from weakref import WeakSet

from dobook.errors import UsageError

if TYPE_CHECKING:
    from dobook.runtime.protocols import Kernel

_open: "WeakSet[Kernel]" = WeakSet()
_never_freed: Final[list[Any]] = []


def refusal(owner: int) -> str:
    """Return why a runtime of another process cannot be used, in words."""
    return (
        f"this runtime belongs to the process {owner}, which has forked this one. Make another in "
        "here with dobook.Runtime(...); a state directory can only be opened once the other "
        "process has closed it."
    )


def check_open(runtime: "Kernel") -> None:
    """Raise if a runtime cannot be used any more, here.

    Raises:
        UsageError: If it is closed, or another process's.
    """
    if runtime.owner is not None:
        raise UsageError(refusal(runtime.owner))
    if runtime.closed:
        raise UsageError("this runtime is closed. Make another with dobook.Runtime(...).")


def watch(runtime: "Kernel") -> None:
    """Leave a runtime alone in the processes that are forked while it exists."""
    _open.add(runtime)


class _NoSelector:
    """Stands for the selector of a loop that is another process's."""

    def __init__(self, owner: int) -> None:
        self._owner = owner

    def select(self, _timeout: float | None = None) -> NoReturn:
        """Refuse to wait: the loop belongs to the parent process.

        Raises:
            UsageError: Always.
        """
        raise UsageError(refusal(self._owner))

    def __getattr__(self, _name: str) -> Any:
        return lambda *_args, **_options: None


def _in_child() -> None:
    owner = os.getppid()
    for runtime in list(_open):
        if not runtime.closed:
            _leave_alone(runtime, owner)
    _open.clear()


def _leave_alone(runtime: "Kernel", owner: int) -> None:
    _keep_for_ever(runtime)
    runtime.closed = True
    runtime.owner = owner
    runtime.driver.held.forked()
    runtime.loop.abandon(_NoSelector(owner))
    if runtime.stores.directory is not None:
        runtime.stores.directory.forked()


def _keep_for_ever(runtime: "Kernel") -> None:
    """Keep a runtime from being freed: SQLite would close its files, and delete their log."""
    _never_freed.append(runtime)
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(runtime))  # also when the interpreter ends


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
