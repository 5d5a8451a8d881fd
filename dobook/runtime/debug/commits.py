"""Commits as events of the trace, and as moments at which planned faults happen."""

from typing import TYPE_CHECKING, Any

from dobook.events import AlarmDeleted, AlarmSet, Commit, OutputGateOpened
from dobook.storage.kv import ALARM
from dobook.storage.store import ObjectStore

if TYPE_CHECKING:
    from dobook.runtime.protocols import Kernel


def watch_commits(kernel: "Kernel") -> None:
    """Report commits from now on, or not, as the listeners and the planned faults need."""
    watched = kernel.observers.detailed or kernel.faults.any

    def committed(store: ObjectStore, log: dict[str, Any]) -> None:
        _report(kernel, store, log)

    kernel.stores.committer.after = committed if watched else None


def _report(kernel: "Kernel", store: ObjectStore, log: dict[str, Any]) -> None:
    actor, observers = store.owner, kernel.observers
    if observers.detailed:
        observers.emit(Commit, actor.label, 0, tuple(key for key in log if key is not ALARM))
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
