"""Refusals that nobody awaits, reported when the event that was refused something ends.

A `put` that is refused gives a rejected promise. Code that does not await it never learns of the
refusal, and data is lost without a word. So a rejected promise notes in which event it was made.
If it has not been awaited, or handed to a task, when that event is answered, one line tells which
object was refused what, and where in the user's code. The decision depends on the events alone,
never on the garbage collector. Only what is rejected pays for it.

A call that fails after its caller's event has ended is reported when it fails. A call made from
outside of objects, in a notebook cell for instance, belongs to no event: it is reported when its
promise is dropped.
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from dobook.events import Error
from dobook.runtime.loop.frame import current_execution
from dobook.runtime.reports.users_code import place_at, place_of, users_frame, warn_at

if TYPE_CHECKING:
    from dobook.runtime.protocols import Call, Instance, Kernel

_KEPT: Final = 1000  # of the refusals that a runtime remembers


@dataclass(frozen=True, slots=True)
class Unheard:
    """One refusal that nobody has awaited.

    Attributes:
        object: Whose code was refused something, as `BINDING/name`; "outside" for none.
        what: What was refused: "put()", "a call of ROOM/a.say()".
        error: The error that awaiting would have raised: its class and text, in one line.
        place: The line of the user's code, as `file:line`; empty if it is not known.
    """

    object: str
    what: str
    error: str
    place: str

    def __str__(self) -> str:
        where = f" ({self.place})" if self.place else ""
        return f"{self.object}: {self.what} has failed, and nothing awaits it{where}: {self.error}"


class Refusal:
    """A refusal, until it is awaited or reported.

    Args:
        runtime: Where it happened.
        unheard: What to report.
    """

    __slots__ = ("heard", "runtime", "unheard")

    def __init__(self, runtime: "Kernel", unheard: Unheard) -> None:
        self.runtime = runtime
        self.unheard = unheard
        self.heard = False

    def report(self, *_: Any) -> None:
        """Report the refusal, unless somebody has awaited it. Calling this twice is fine."""
        if self.heard or self.runtime.closed:
            return
        self.heard = True
        unheard = self.unheard
        where = f"{unheard.what}, not awaited"
        self.runtime.observers.emit(Error, unheard.object, 0, where, unheard.error)
        known = self.runtime.unheard
        known.append(unheard)
        del known[:-_KEPT]
        self.runtime.loop.call_exception_handler({"message": str(unheard), "unheard": unheard})


class DroppedRefusal(Refusal):
    """A refusal that is reported when the promise that holds it is dropped."""

    __slots__ = ()

    def __del__(self) -> None:
        if not sys.is_finalizing():
            self.report()


def note(instance: "Instance", what: str, error: BaseException, place: str = "") -> Refusal | None:
    """Note a refusal of an object's code that runs now, and report it when its event ends.

    Args:
        instance: The object.
        what: What was refused.
        error: Why.
        place: The line of the user's code.

    Returns:
        The refusal; None if it is not worth telling: the object is gone, or code was cancelled.
    """
    if instance.dead is not None or not _worth_telling(error) or instance.runtime.loop.is_closed():
        return None
    refusal = Refusal(
        instance.runtime, Unheard(instance.actor.label, what, _in_words(error), place)
    )

    def over() -> None:
        if not _was_reset(instance):  # else the event has failed, with all that it did
            refusal.report()

    when_over(instance, over)
    return refusal


def note_in_worker(what: Callable[[], str], error: BaseException) -> Refusal | None:
    """Note a refusal of a Worker's code that runs now, and report it when its task ends.

    Returns:
        The refusal; None if no Worker's code runs, or if it is not worth telling.
    """
    execution = current_execution.get()
    if execution is None or not _worth_telling(error):
        return None
    runtime = execution._runtime
    task = asyncio.current_task(runtime.loop) if runtime.turning else None
    if task is None:
        return None
    place = place_of(users_frame())
    refusal = Refusal(runtime, Unheard("worker", what(), _in_words(error), place))
    task.add_done_callback(refusal.report)
    return refusal


def note_later(
    runtime: "Kernel", home: "Instance | None", what: str, error: BaseException, place: str = ""
) -> Refusal | None:
    """Note that something has failed which was begun earlier, and which nobody awaits so far.

    Args:
        runtime: Where it happened.
        home: The object that began it, None for code outside of objects.
        what: What has failed.
        error: Why.
        place: The line of the user's code, if it is known.

    Returns:
        The refusal, None if it is not worth telling.
    """
    if runtime.loop.is_closed() or not _worth_telling(error):
        return None
    if home is None:
        return DroppedRefusal(runtime, Unheard("outside", what, _in_words(error), ""))
    if _was_reset(home):
        return None
    if not place and (line := _line_of_call(home, what)):
        place = place_at(*line)
    refusal = Refusal(runtime, Unheard(home.actor.label, what, _in_words(error), place))
    _when_all_over(home, refusal.report)
    return refusal


class _Unsent(Refusal):
    """A request that has been answered and that nobody has awaited so far.

    Source: `fetch` of Cloudflare's Python SDK is a coroutine, which sends nothing until it is
    awaited; here, as in the engine, the request is on its way when `fetch` returns.
    """

    __slots__ = ("home",)

    def __init__(self, home: "Instance", what: str) -> None:
        super().__init__(home.runtime, Unheard(home.actor.label, what, "", ""))
        self.home = home

    def report(self, *_: Any) -> None:
        """Warn at the line that makes the request, or at its class if that is not certain."""
        if self.heard:
            return
        kind = type(self.home.object)
        module = sys.modules.get(kind.__module__)
        text = "that nothing awaits: Cloudflare's Python SDK never sends it. Write `await`."
        warn_at(
            f"a fetch of {self.unheard.object} {text}",
            *(_line_of_call(self.home, self.unheard.what) or (kind.__module__, 1)),
            {} if module is None else vars(module),
        )


def note_unsent(home: "Instance", what: str) -> Refusal:
    """Note that a request of an object has been answered that nobody awaits at the moment."""
    unsent = _Unsent(home, what)
    _when_all_over(home, unsent.report)
    return unsent


def _when_all_over(home: "Instance", then: Callable[[], object]) -> None:
    """Call a function when all events of an object are over that are under way now."""
    under_way = [*home.calls, *home.tasks]  # one of them may still come to await it
    left = len(under_way)

    def one_is_over() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            then()

    for owner in under_way:
        _after(owner, one_is_over)
    if not under_way:
        home.runtime.loop.call_soon(then)


def when_over(instance: "Instance", then: Callable[[], object]) -> None:
    """Call a function when the event of an object whose code runs now has been answered."""
    loop = instance.runtime.loop
    task: Any = asyncio.current_task(loop) if instance.runtime.turning else None
    if task is None:  # a constructor: nothing of it is left to end later
        loop.call_soon(then)
        return
    _after(next((call for call in instance.calls if call.task is task), task), then)


def _after(owner: Any, then: Callable[[], object]) -> None:
    """Call a function when a call has been answered, or when a task is done."""
    if isinstance(owner, asyncio.Future):
        owner.add_done_callback(lambda _: then())
        return
    owner.on_done = Aside(owner.on_done, lambda _: then())


class Aside:
    """Calls something at a call's end, and then what takes the answer, if anything does."""

    __slots__ = ("_aside", "_listener")

    def __init__(
        self, listener: Callable[[Any], object] | None, aside: Callable[[Any], object]
    ) -> None:
        self._listener = listener
        self._aside = aside

    def __call__(self, call: object) -> None:
        """Take the call that is over."""
        self._aside(call)
        if self._listener is not None:
            self._listener(call)

    @property
    def listens(self) -> bool:
        """Whether anything takes the answer."""
        return _listens(self._listener)


def _listens(on_done: object) -> bool:
    return on_done.listens if type(on_done) is Aside else on_done is not None


def is_awaited(call: "Call") -> bool:
    """Return whether somebody has asked for the answer to a call so far."""
    return call.future is not None or call.elsewhere or _listens(call.on_done)


def _in_words(error: BaseException) -> str:
    text = " ".join([str(error), *getattr(error, "__notes__", ())])
    return f"{type(error).__name__}: {' '.join(text.split())}"


def _worth_telling(error: BaseException) -> bool:
    return isinstance(error, Exception) and not isinstance(error, asyncio.CancelledError)


def _was_reset(instance: "Instance") -> bool:
    return bool(getattr(instance.dead, "durableObjectReset", False))


def _line_of_call(home: "Instance", what: str) -> tuple[str, int] | None:
    """Return where a class makes a call that it does not await; None if that is not certain."""
    kind = type(home.object)
    name = what.rpartition(".")[2].partition("(")[0]
    known = _LINES.setdefault(kind, {})
    if name not in known:
        known[name] = _line_in(kind, name)
    return known[name]


_LINES: WeakKeyDictionary[type, dict[str, tuple[str, int] | None]] = WeakKeyDictionary()


def _line_in(kind: type, name: str) -> tuple[str, int] | None:
    import ast
    import inspect
    import textwrap

    try:
        lines, first = inspect.getsourcelines(kind)
        tree = ast.parse(textwrap.dedent("".join(lines)))
        file = inspect.getsourcefile(kind) or ""
    except (OSError, TypeError, SyntaxError):
        return None
    for kind_of_statement in (ast.Expr, ast.Assign):  # what drops a promise, what may keep it
        found = [
            node.lineno
            for node in ast.walk(tree)
            if isinstance(node, kind_of_statement)
            and isinstance(node.value, ast.Call)
            and isinstance(node.value.func, ast.Attribute)
            and node.value.func.attr == name
        ]
        if found:
            return (file, first + found[0] - 1) if len(found) == 1 else None
    return None
