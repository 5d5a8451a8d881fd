"""Stopping a SQL statement from a signal handler: Ctrl-C, a test's timeout, another thread.

SQLite runs a statement without giving Python a turn, so a signal that arrives meanwhile waits until
the statement ends, which may be never. `Stopper.tick` is SQLite's progress handler: every
`STEPS` instructions it gives Python a turn, in which signal handlers run and exceptions that
another thread has set are raised. What is raised there stops the statement.

`sqlite3.Connection.interrupt()` would not do: the handler that could call it is what cannot run
while the main thread is inside SQLite.
Source: sqlite.org/c3ref/progress_handler.html
"""

import contextlib
import ctypes
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any, Final

from dobook.storage.sqlite_errors import SqliteError, is_interrupt

STEPS: Final = 50_000  # instructions of SQLite's: a millisecond or so
AGAIN_S: Final = 0.005

# By thread, what a signal handler wants raised there by the next tick.
_wanted: dict[int, BaseException] = {}


def stop_statement(error: BaseException) -> None:
    """Stop the statement that this thread runs, at its next tick.

    For a signal handler that has interrupted a function that SQLite calls: what such a function
    raises is replaced by an error of SQLite.
    """
    _wanted[threading.get_ident()] = error


def forget_stop() -> None:
    """Drop what `stop_statement` was given if no statement has taken it."""
    _wanted.pop(threading.get_ident(), None)


class Stopper:
    """Says of one connection whether its statement is to stop, and why it did.

    Attributes:
        armed: Whether one of the engine's own statements may be stopped. A commit may not: it
            would fail the object, which has done nothing wrong.
        rules: The user's rules; a statement of the user's, while they are on, may be stopped.
        error: What stopped the statement, until somebody raises it.
    """

    __slots__ = ("_watch", "armed", "error", "rules")

    def __init__(self) -> None:
        self.armed = False
        self.rules: Any = None
        self.error: BaseException | None = None
        self._watch: Callable[[Callable[[], int], int], None]

    def watch(self, database: Any) -> None:
        """Become the progress handler of a `sqlite3.Connection`."""
        self._watch = database.set_progress_handler
        self._renew()

    def _renew(self) -> None:
        ticks = self._ticks()
        next(ticks)  # to its first `yield`, inside of the `try`
        self._watch(ticks.__next__, STEPS)

    def _ticks(self) -> Generator[int, None, None]:
        # A generator rather than a function: Python runs signal handlers as a function is entered,
        # before its first `try`, but as a generator is resumed inside of it. What a progress
        # handler raises would be lost. For the same reason all that is done about an exception is
        # done inside of the `try`: there may be another one.
        found: BaseException | None = None
        while True:
            try:
                while True:
                    stop = 0
                    if found is not None:
                        stop = self._stop(found)
                        found = None
                    yield stop
                    if _wanted:
                        found = _wanted.pop(threading.get_ident(), None)
            except GeneratorExit:
                return
            except BaseException as error:
                found = error

    @property
    def may_stop(self) -> bool:
        """Whether the statement that runs may be stopped."""
        return self.armed or (self.rules is not None and self.rules.on)

    def _stop(self, error: BaseException) -> int:
        if self.may_stop:
            self.error = error
            return 1
        raise_again(threading.get_ident(), error)
        return 0

    def stopped(self, error: SqliteError) -> BaseException | None:
        """Return what a signal handler raised to stop a statement; None if it failed on its own."""
        reason, self.error = self.error, None
        if reason is None and is_interrupt(error):
            # A second exception has taken the place of the one that was to be kept, and has ended
            # the generator.
            self._renew()
            reason = KeyboardInterrupt()
        return reason

    @contextlib.contextmanager
    def allowed(self) -> Iterator[None]:
        """Allow stopping the engine's own statements that run inside, as with the user's.

        Raises:
            BaseException: What the signal handler raised.
        """
        before, self.armed = self.armed, True
        try:
            yield
        except SqliteError as error:
            reason = self.stopped(error)
            if reason is None:
                raise
            raise reason from None
        finally:
            self.armed = before


def raise_again(thread: int, error: BaseException) -> None:
    """Raise an exception in a thread a moment later, where Python would have raised it now."""
    timer = threading.Timer(AGAIN_S, raise_in, (thread, error))
    timer.daemon = True
    timer.start()


def raise_in(thread: int, error: BaseException) -> None:
    """Raise an exception in another thread, the next time it runs a line of Python."""

    class Again(BaseException):
        def __new__(cls, *_: object) -> Any:  # CPython takes a class, and calls it
            return error

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Again))
