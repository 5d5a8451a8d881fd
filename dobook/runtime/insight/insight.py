"""What a runtime tells of itself: its trace, its faults on purpose, its costs, what is awake.

A part of `Runtime`, apart so that each stays readable.
"""

from typing import TYPE_CHECKING, Any

from dobook.events import AlarmDeleted, AlarmSet, AnyEvent, Commit, OutputGateOpened
from dobook.runtime.insight.reckoning import Reckoning
from dobook.runtime.insight.snapshots import (
    AlarmSnapshot,
    ObjectSnapshot,
    alarm_snapshots,
    object_snapshots,
)
from dobook.runtime.insight.trace import Recorder
from dobook.storage.kv import ALARM
from dobook.storage.store import ObjectStore

if TYPE_CHECKING:
    from dobook.runtime.loop.drive import Driver
    from dobook.runtime.runtime import Runtime


class Insight(Reckoning):
    """The part of a runtime that looks at itself."""

    recorder: Recorder

    driver: "Driver"

    def objects(self: Any) -> list[ObjectSnapshot]:
        """Return the objects the runtime knows, by binding and in the order of first use."""
        with self.driver.held:
            return object_snapshots(self)

    def scheduled_alarms(self: Any) -> list[AlarmSnapshot]:
        """Return the alarms that are waiting, soonest first."""
        with self.driver.held:
            return alarm_snapshots(self)

    @property
    def tracing(self) -> bool:
        """Whether events are recorded; off at first. Recorded events stay when it is set off."""
        return self.recorder.on

    @tracing.setter
    def tracing(self, on: bool) -> None:
        with self.driver.held:
            self.recorder.switch(on=on)
            self.watch_commits()

    def trace(self, which: Any = None, *, since_ms: int | None = None) -> list[AnyEvent]:
        """Return what has been recorded, oldest first: the last 10,000 events.

        Args:
            which: Only what concerns one object (a stub or `BINDING/name`): what happened at it
                and what was sent to it.
            since_ms: Only what happened then or later, in ms since 1970.

        Example:
            >>> import dobook
            >>> class Greeter:
            ...     def __init__(self, ctx, env): ...
            ...     def greet(self):
            ...         return "hello"
            >>> with dobook.Runtime() as runtime:
            ...     runtime.tracing = True
            ...     greeter = runtime.register(Greeter).getByName("a")
            ...     greeting = runtime.run(greeter.greet())
            ...     [event.kind for event in runtime.trace()]
            ['sent', 'rpc', 'started', 'answer']
        """
        events = self.recorder.events()
        if since_ms is not None:
            events = [event for event in events if event.t_ms >= since_ms]
        if which is None:
            return events
        label = self.actor_of(which).label  # type: ignore[attr-defined]
        return [event for event in events if label in (event.object, event.get("to"))]

    def watch_commits(self: Any) -> None:
        """Have commits reported if somebody wants to know of them."""
        runtime: Runtime = self
        watched = runtime.observers.detailed or runtime.faults.any
        runtime.stores.committer.after = runtime._committed if watched else None

    def _committed(self: Any, store: ObjectStore, log: dict[str, Any]) -> None:
        runtime: Runtime = self
        actor, observers = store.owner, runtime.observers
        if observers.detailed:
            keys = [key for key in log if key is not ALARM]
            observers.emit(Commit, actor.label, 0, tuple(keys))
            if ALARM in log:
                at_ms = store.kv.alarm_ms
                if at_ms is None:
                    seq = observers.emit(AlarmDeleted, actor.label, 0)
                else:
                    seq = observers.emit(AlarmSet, actor.label, 0, at_ms)
                if actor.alarm is not None:
                    actor.alarm.set_by = seq
            if store.output_gate.commit is not None:
                observers.emit(OutputGateOpened, actor.label, 0)
        if actor.faults is not None:
            actor.faults.after_commit(actor)
