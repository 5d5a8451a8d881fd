"""`state_machine`: a Hypothesis test made from a class's methods and their annotations.

Hypothesis draws which methods are called, with which arguments, at the same time or one after the
other, which ready event goes next, and what happens to an object: a late or lost message, slow
storage, an eviction, a crash. All of it shrinks together. What is checked are the class's own
`@dobook.invariant` methods, and that no method raises what it should not.

Source: hypothesis.readthedocs.io/en/latest/stateful.html
"""

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dobook.errors import UsageError
from dobook.explorer.decisions import Chooser, Decisions, Event
from dobook.explorer.fault_injection import Mishaps
from dobook.explorer.invariants import Invariants, is_invariant
from dobook.explorer.run import FAULT_TEXTS, Case
from dobook.explorer.scheduler import Scheduler
from dobook.explorer.search import make_case
from dobook.runtime.access import kernel_of
from dobook.runtime.calls.answer import RpcPromise
from dobook.runtime.calls.rpc import RESERVED
from dobook.runtime.registry import default_binding
from dobook.runtime.runtime import Runtime
from dobook.workers import DurableObject

if TYPE_CHECKING:
    from hypothesis.stateful import RuleBasedStateMachine

_MOST_OCCASIONS: Final = 24  # of one step, among which Hypothesis chooses
_PAUSES_MS: Final = (1, 1_000, 60_000, 3_600_000)

Mishap = tuple[int, int] | None  # the number of an occasion, and of an option there


class Steps(Chooser):
    """Decides as Hypothesis has drawn it for the step that is under way."""

    def __init__(self) -> None:
        self._swerves: list[int] = []
        self._mishap: Mishap = None
        self._occasion = 0

    def begin(self, swerves: Sequence[int], mishap: Mishap) -> None:
        """Start a step."""
        self._swerves = list(swerves)
        self._mishap = mishap
        self._occasion = 0

    def pick(self, number: int, ready: Sequence[Event]) -> int:
        """Return the next that was drawn, else the oldest event."""
        return self._swerves.pop(0) % len(ready) if self._swerves else 0

    def fault(self, occasion: str, label: str, nth: int, options: Sequence[str]) -> str | None:
        """Return what was drawn, if this is the occasion."""
        self._occasion += 1
        if self._mishap is None or self._mishap[0] != self._occasion:
            return None
        return options[self._mishap[1] % len(options)]


class World:
    """The runtime of one example, and what the rules do with it.

    Args:
        case: The classes, and what may happen.
        binding: Of the class that is tested.
        allow: Exceptions that methods may raise.
    """

    def __init__(self, case: Case, binding: str, allow: tuple[type[Exception], ...]) -> None:
        self.steps = Steps()
        self._allow = allow
        self._decisions = Decisions(self.steps, case.kinds, case.most_faults, case.most_delays)
        self.runtime = runtime = Runtime(seed=case.seed)
        kernel_of(runtime).loop.set_exception_handler(lambda _loop, _context: None)
        self._scheduler = Scheduler(runtime, self._decisions)
        Mishaps(runtime, self._decisions, self._scheduler)
        for name, cls in case.classes.items():
            runtime.register(cls, name)
        self._namespace = runtime.namespace(binding)
        self._invariants = Invariants(runtime)
        self._under_way: list[RpcPromise] = []
        self._failed = False

    def call(self, name: str, method: str, arguments: Mapping[str, Any], *, wait: bool) -> None:
        """Call a method of an object; without `wait` it is only put on its way."""
        self._under_way.append(getattr(self._namespace.getByName(name), method)(**arguments))
        if wait:
            self.settle()

    def settle(self) -> None:
        """Wait for every call that is under way.

        Raises:
            Exception: What one has raised and may not.
        """
        waiting, self._under_way = self._under_way, []
        for promise in waiting:
            try:
                self.runtime.run(promise)
            except self._allow:
                pass
            except Exception as error:
                if str(error) not in FAULT_TEXTS:
                    self._failed = True
                    raise

    def pause(self, ms: int) -> None:
        """Let time pass."""
        self.runtime.advance(ms)

    def check(self) -> None:
        """Ask for what must always hold.

        Raises:
            Violation: If it does not.
        """
        self._decisions.active = False
        try:
            broken = self._invariants.broken()
        finally:
            self._decisions.active = True
        if broken is not None:
            self._failed = True
            raise broken

    def end(self) -> None:
        """Ask for what must hold eventually, and close.

        Raises:
            Violation: If it does not hold in time.
        """
        try:
            if self._failed:  # and has been reported
                return
            self.steps.begin((), None)
            self.settle()
            self._decisions.active = False
            self._invariants.wake_all()
            self.runtime.settle()
            self.check()
            self._decisions.active = False
            self._wait()
        finally:
            self.runtime.close()

    def _wait(self) -> None:
        broken = None
        kernel = kernel_of(self.runtime)
        patience_ms = self._invariants.patience_ms
        start_ms = kernel.loop.now_ms
        waiting = patience_ms is not None
        while broken is None and waiting:
            waited_ms = kernel.loop.now_ms - start_ms
            self._invariants.wake_all()
            self.runtime.settle()
            broken, waiting = self._invariants.overdue(waited_ms)
            if broken is None and waiting:
                timer = kernel.loop.next_timer()
                end = kernel.loop.seconds_at(start_ms + (patience_ms or 0))
                kernel.driver.turn(end if timer is None else min(end, timer))
        if broken is not None:
            raise broken


def state_machine(
    cls: type,
    *others: type | Mapping[str, type],
    names: Iterable[str] = ("a", "b"),
    arguments: Mapping[str, Mapping[str, Any]] | None = None,
    allow: Iterable[type[Exception]] = (),
    faults: str | Iterable[str] = "all",
    most_faults: int = 3,
) -> "type[RuleBasedStateMachine]":
    """Make a stateful Hypothesis test from a class; needs Hypothesis.

    Args:
        cls: The class whose public methods are called. Arguments come from their annotations.
        others: Further classes that it uses.
        names: Which of its objects are called.
        arguments: Hypothesis strategies by method and parameter, where an annotation says too
            little: `{"pay": {"amount": st.integers(1, 100)}}`.
        allow: Exceptions that methods may raise. Faults on purpose always may show.
        faults: What may happen; see `dobook.explore`.
        most_faults: How many crashes, evictions and losses in one example.

    Returns:
        A rule-based state machine; its `TestCase` is collected by pytest and unittest.

    Raises:
        UsageError: If a parameter has neither an annotation nor a strategy.

    Example:
        >>> import dobook
        >>> class Purse:
        ...     def __init__(self, ctx, env):
        ...         self.kv = ctx.storage.kv
        ...     def pay(self, amount: int) -> None:
        ...         self.kv.put("paid", (self.kv.get("paid") or 0) + abs(amount))
        ...     @dobook.invariant
        ...     def is_positive(self):
        ...         return (self.kv.get("paid") or 0) >= 0
        >>> TestPurse = state_machine(Purse).TestCase
        >>> TestPurse.__name__
        'PurseMachine.TestCase'
    """
    from hypothesis import stateful
    from hypothesis import strategies as st

    def what_must_always_hold(self: Any) -> None:
        self.world.check()

    base = stateful.RuleBasedStateMachine
    rule: Any = stateful.rule  # whose result has no type
    binding = default_binding(cls.__name__)
    case = make_case(_nothing, [{binding: cls}, *others], faults=faults, most_faults=most_faults)
    allowed = tuple(allow)
    mishaps: Any = st.none()
    if case.kinds:
        mishaps |= st.tuples(st.integers(1, _MOST_OCCASIONS), st.integers(0, 9))
    drawn = {
        "name": st.sampled_from(list(names)),
        "swerves": st.lists(st.integers(0, 3), max_size=4),
        "mishap": mishaps,
    }

    def __init__(self: Any) -> None:
        base.__init__(self)
        self.world = World(case, binding, allowed)

    def calling(method: str) -> Callable[..., None]:
        def call(
            self: Any, name: str, swerves: Any, mishap: Any, *, at_once: bool, **given: Any
        ) -> None:
            self.world.steps.begin(swerves, mishap)
            self.world.call(name, method, given, wait=not at_once)

        call.__name__ = method
        return call

    def let_time_pass(self: Any, ms: int, swerves: Any, mishap: Any) -> None:
        self.world.steps.begin(swerves, mishap)
        self.world.pause(ms)

    members: dict[str, Any] = {"__init__": __init__, "__module__": cls.__module__}
    for method, parameters in _methods(cls, arguments or {}, st).items():
        made = rule(**parameters, **drawn, at_once=st.booleans())(calling(method))
        members[f"call_{method}" if method in dir(base) else method] = made
    pauses = {"ms": st.sampled_from(_PAUSES_MS), **drawn}
    del pauses["name"]
    members["let_time_pass"] = rule(**pauses)(let_time_pass)
    members["what_must_always_hold"] = stateful.invariant()(what_must_always_hold)
    members["teardown"] = lambda self: self.world.end()
    return type(f"{cls.__name__}Machine", (base,), members)


def _methods(
    cls: type, arguments: Mapping[str, Mapping[str, Any]], st: Any
) -> dict[str, dict[str, Any]]:
    """Return the strategies of the parameters of each public method."""
    found: dict[str, dict[str, Any]] = {}
    for name, function in inspect.getmembers(cls, inspect.isfunction):
        inherited = getattr(DurableObject, name, None) is function
        if name.startswith("_") or name in RESERVED or inherited or is_invariant(function):
            continue
        given = arguments.get(name, {})
        hints = typing.get_type_hints(function)
        strategies: dict[str, Any] = {}
        for parameter in list(inspect.signature(function).parameters.values())[1:]:
            if parameter.name in given:
                strategies[parameter.name] = given[parameter.name]
            elif hints.get(parameter.name, Any) is not Any:
                strategies[parameter.name] = st.from_type(hints[parameter.name])
            elif parameter.default is parameter.empty and parameter.kind not in (
                parameter.VAR_POSITIONAL,
                parameter.VAR_KEYWORD,
            ):
                raise UsageError(
                    f"what should {cls.__name__}.{name}() be called with as {parameter.name!r}? "
                    f"Annotate it, or give arguments={{{name!r}: {{{parameter.name!r}: ...}}}}."
                )
        found[name] = strategies
    return found


async def _nothing(_env: Any) -> None:
    """Do nothing: an empty scenario."""
