"""Alarms: what is due, running it, and trying again when the handler raises.

An object has at most one alarm. It is armed when the write that set it is committed, so an alarm
of a transaction that was undone never fires. While its handler runs it is kept in storage but not
shown; it is removed with the handler's last writes, so that a crash leads to another run. A
handler that raises is tried again after 2 s, then 4 s and so on with up to a quarter more at
random (from the runtime's seed), six times; a newly set alarm replaces a pending retry.

Source: developers.cloudflare.com/durable-objects/api/alarms/,
cloudflare/workerd src/workerd/server/alarm-scheduler.c++, src/workerd/io/actor-sqlite.c++
"""

import asyncio
import contextlib
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from dobook import limits
from dobook.errors import PlatformError, StateDirectoryError
from dobook.events import Alarm, AlarmOver, AlarmRetry, Error
from dobook.runtime.calls.call import Call
from dobook.runtime.loop.asyncio_names import callback_of, is_set
from dobook.runtime.loop.livelock import link
from dobook.runtime.objects.alarm import AlarmInvocationInfo, AlarmRun, Entry
from dobook.storage.kv import ALARM

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor, Kernel, Namespace

TOO_LONG: Final = "Alarm exceeded its allowed execution time"


class AlarmCall(Call):
    """The run of an alarm's handler."""

    inside = True
    begun = False  # whether the gate has admitted it

    def start(self) -> None:
        """Run the first turn; the gate has admitted the event."""
        self.begun = not self.done
        super().start()


class AlarmScheduler:
    """Keeps the alarms of a runtime and runs them."""

    def __init__(self, runtime: "Kernel", rng: random.Random) -> None:
        self._runtime = runtime
        runtime.loop.is_alarm = self.is_alarm
        self.rng = rng
        self._entries: dict[tuple[str, str], Entry] = {}
        self.runs: list[AlarmRun] = []
        self.keep_runs = False
        self._kept_back: list[Entry] | None = None  # those that came due while none may run

    # ------------------------------------------------------------------ what storage asks and tells

    def visible_ms(self, actor: "Actor") -> int | None:
        """Return what `getAlarm()` shows, in ms since 1970."""
        entry: Entry | None = actor.alarm
        kv = actor.store.kv
        if entry is not None and entry.deferred and (entry.absorbed or not _touched(actor)):
            return None
        return kv.alarm_ms

    def written(self, actor: "Actor", *, later: bool = False) -> None:
        """Note that an object's alarm was set, deleted or restored by a rollback.

        Args:
            actor: The object.
            later: Whether the alarm is known to be due later than now.
        """
        entry: Entry | None = actor.alarm
        if not later and actor.instance is not None:
            loop, at_ms = self._runtime.loop, actor.store.kv.alarm_ms
            if at_ms is not None and at_ms <= loop.now_ms:
                entry = self._entry(actor)
                entry.chain = link(loop, actor.instance, "sets its alarm for now")
        if entry is not None:
            entry.absorbed = False
        # Inside a transaction it is not settled yet; `visible_ms` looks at the undo log meanwhile.
        if entry is not None and entry.deferred and not actor.store.kv.layers:
            entry.deferred = not _touched(actor)

    def committed(self, actor: "Actor") -> None:
        """Arm, move or disarm an object's alarm after a commit that has changed it."""
        entry = actor.alarm or self._entry(actor)
        at_ms = actor.store.kv.alarm_ms
        if entry.running:
            if entry.absorbed and at_ms == entry.due_ms:
                entry.absorbed = False  # this run is the one of the time that was set
                return
            entry.deferred = False
            entry.queued_ms = at_ms
        elif at_ms is None and entry.orphaned:
            return
        elif at_ms != entry.due_ms or entry.backoff:
            self._set(entry, at_ms)

    def load(
        self,
        namespace: "Namespace",
        identity: Any,
        at_ms: int,
        *,
        retries: int = 0,
        runs_ms: int | None = None,
    ) -> None:
        """Take in an alarm that an earlier runtime left, perhaps while it was being retried."""
        key = (namespace.unique_key, identity.toString())
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = Entry(namespace, identity)
        self._set(entry, at_ms)
        if entry.timer is not None and runs_ms is not None:
            entry.timer.cancel()
            entry.retries = entry.backoff = retries
            self._arm(entry, runs_ms)

    def ensure(self, namespace: "Namespace", identity: Any, at_ms: int) -> None:
        """Take in the alarm that an object's file has, if it is not known."""
        entry = self._entries.get((namespace.unique_key, identity.toString()))
        if entry is None or (entry.due_ms is None and not entry.running):
            self.load(namespace, identity, at_ms)

    def forget(self, actor: "Actor") -> None:
        """Forget the alarm of an object that was deleted."""
        entry = self._entries.pop((actor.namespace.unique_key, actor.id.toString()), None)
        if entry is not None and entry.timer is not None:
            entry.timer.cancel()
        actor.alarm = None

    def forget_class(self, namespace: "Namespace") -> None:
        """Forget the alarms of a class that was deleted with all its objects."""
        for key, entry in list(self._entries.items()):
            if entry.namespace is namespace:
                del self._entries[key]
                if entry.timer is not None:
                    entry.timer.cancel()

    def scheduled(self) -> list[Entry]:
        """Return the alarms that are waiting, soonest first."""
        waiting = [e for e in self._entries.values() if e.timer is not None]
        return sorted(waiting, key=lambda e: e.timer)  # type: ignore[arg-type,return-value]

    def record_running(self) -> None:
        """Add the handlers that are under way to the record, as they have no outcome yet."""
        for entry in self._entries.values():
            if entry.running and entry.due_ms is not None:
                label = f"{entry.namespace.binding}/{entry.id.name or entry.id.toString()[:8]}"
                self.runs.append(
                    AlarmRun(label, entry.due_ms, entry.ran_ms, entry.retries, "running")
                )

    @property
    def running(self) -> bool:
        """Whether a handler is under way."""
        return any(entry.running for entry in self._entries.values())

    def of(self, namespace: "Namespace") -> list[Entry]:
        """Return the alarms of a class that are set, running ones included."""
        return [e for e in self._entries.values() if e.namespace is namespace and e.due_ms]

    def next_ms(self) -> int | None:
        """Return when the next alarm is due, in ms since 1970."""
        waiting = self.scheduled()
        if not waiting or waiting[0].timer is None:
            return None
        return self._runtime.loop.start_ms + round(waiting[0].timer.when() * 1000)

    def is_alarm(self, timer: asyncio.TimerHandle) -> bool:
        """Return whether a timer of the loop is that of an alarm."""
        return bool(callback_of(timer) == self._fire)

    # ------------------------------------------------------------------ running

    @contextlib.contextmanager
    def kept_back(self) -> Iterator[None]:
        """Run no alarm meanwhile; those that come due are due afterwards."""
        if self._kept_back is not None or not self._runtime.loop.virtual:
            yield
            return
        kept = self._kept_back = []
        try:
            yield
        finally:
            self._kept_back = None
            for entry in kept:
                if entry.timer is not None and not self._runtime.loop.is_closed():
                    when = entry.timer.when()
                    entry.timer = self._runtime.loop.call_at(
                        when, self._fire, entry, context=self._runtime.context
                    )

    def handler(self, actor: "Actor", found: Any) -> Any:
        """Return what runs the user's `alarm`, called when the gate admits the event."""
        entry = actor.alarm or self._entry(actor)
        kv = actor.store.kv
        entry.deferred = kv.alarm_ms == entry.due_ms
        # A write of this tick has not reached the engine's scheduler when an event that has waited
        # is let in; at the instant at which the alarm came due, it has.
        written = _touched(actor)
        waited = entry.ran_ms < self._runtime.loop.now_ms
        if not entry.deferred and not (written and waited):
            return _cancelled  # deleted or moved while the event waited
        entry.absorbed = entry.deferred and written

        async def run(info: AlarmInvocationInfo) -> None:
            result = found(info)
            if hasattr(type(result), "__await__"):
                await result
            if entry.deferred:
                actor.store.touch()
                kv.set_alarm(None)

        return run

    def mend(self, error: BaseException) -> None:
        """Set the alarms again after an exception has ended everything that was under way.

        Args:
            error: What the runs that were under way end with; whether they are tried again is
                decided as for any other.
        """
        for entry in list(self._entries.values()):
            call, entry.call = entry.call, None
            if call is not None and not call.done:
                call.settle(None, error)
            if entry.running:
                entry.running = entry.deferred = False
                if entry.limit is not None:
                    entry.limit.cancel()
                    entry.limit = None
                self._arm(entry, self._runtime.loop.now_ms)
        for namespace in self._runtime.namespaces:
            for actor in list(namespace.actors.values()):
                at_ms = actor.store.kv.alarm_ms
                if at_ms is not None or actor.alarm is not None:
                    entry = self._entry(actor)
                    if at_ms != entry.due_ms:
                        self._set(entry, at_ms)
        for entry in self._entries.values():
            timer = entry.timer
            if entry.due_ms is not None and not (timer is not None and is_set(timer)):
                self._arm(entry, entry.due_ms)

    def _entry(self, actor: "Actor") -> Entry:
        entry: Entry | None = actor.alarm
        if entry is None:
            key = (actor.namespace.unique_key, actor.id.toString())
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = Entry(actor.namespace, actor.id)
            actor.alarm = entry
        return entry

    def _set(self, entry: Entry, at_ms: int | None) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        entry.due_ms = at_ms
        entry.queued_ms = None
        entry.retries = entry.backoff = 0
        entry.counted = True
        entry.orphaned = False
        if at_ms is not None:
            self._arm(entry, at_ms)

    def _arm(self, entry: Entry, at_ms: int) -> None:
        loop = self._runtime.loop
        when = max(loop.seconds_at(at_ms), loop.time())
        entry.timer = loop.call_at(when, self._fire, entry, context=self._runtime.context)

    def _fire(self, entry: Entry) -> None:
        timer, entry.timer = entry.timer, None
        assert entry.due_ms is not None
        if entry.namespace.withdrawn:
            return
        if self._kept_back is not None:
            self._kept_back.append(entry)
            entry.timer = timer  # it counts as waiting
            return
        try:
            actor = entry.namespace.actor(entry.id)
        except StateDirectoryError as error:
            self._postpone(entry, error)
            return
        entry.running = entry.retried = True
        entry.orphaned = False
        actor.alarm = entry
        info = AlarmInvocationInfo(entry.retries > 0, entry.retries, entry.due_ms)
        call = entry.call = AlarmCall(actor, "alarm", (), (info,))
        if entry.chain is not None:
            call.chain, entry.chain = entry.chain._replace(depth=1), None
        ran_ms = entry.ran_ms = self._runtime.loop.now_ms
        call.on_done = lambda done: self._over(entry, done.actor, call, ran_ms)
        observers = self._runtime.observers
        if observers.active:
            seq = observers.emit(Alarm, actor.label, entry.set_by, entry.retries)
            if observers.detailed:
                call.seq = seq
        actor.deliver(call)
        if call.task is not None:
            entry.limit = self._runtime.loop.call_later(
                limits.ALARM_TIMEOUT_MS / 1000, self._take_too_long, call
            )

    def abandon(self, actor: "Actor") -> None:
        """Do not retry the running alarm."""
        if actor.alarm is not None and actor.alarm.running:
            actor.alarm.retried = False

    def _take_too_long(self, call: Call) -> None:
        if call.instance is not None and not call.done:
            error = PlatformError(TOO_LONG)
            error.overloaded = True  # type: ignore[attr-defined]
            call.instance.reset(error)

    def _postpone(self, entry: Entry, error: StateDirectoryError) -> None:
        """Retry later: the object's file cannot be used, which does not count as a failed run."""
        label = f"{entry.namespace.binding}/{entry.id.name or entry.id.toString()[:8]}"
        self._runtime.observers.emit(Error, label, 0, "alarm", str(error))
        entry.counted = False
        self._arm(entry, self._runtime.loop.now_ms + self._delay_ms(entry))

    def _delay_ms(self, entry: Entry) -> int:
        """Return how long to wait before the next try, which is longer each time."""
        delay_ms = limits.ALARM_RETRY_FIRST_MS << min(
            entry.backoff, limits.ALARM_RETRY_MAX_EXPONENT
        )
        entry.backoff += 1
        return delay_ms + int(self.rng.random() * (delay_ms * limits.ALARM_RETRY_JITTER + 1))

    def _over(self, entry: Entry, actor: "Actor", call: AlarmCall, ran_ms: int) -> None:
        entry.call = None
        entry.running = False
        entry.deferred = False
        if entry.limit is not None:
            entry.limit.cancel()
            entry.limit = None
        scheduled_ms, attempt = entry.due_ms or ran_ms, entry.retries
        outcome, text, retry_ms = "ok", "", None
        # What fails before the handler is called (a constructor, a block of one) is retried, but
        # not counted.
        counts = call.begun
        was_reset = counts and call.instance is not None and call.instance.dead is not None
        now_ms = actor.store.kv.alarm_ms
        if call.error is not None:
            outcome, text = "error", f"{type(call.error).__name__}: {call.error}"
            self._runtime.report(actor, "alarm", call.error, call.seq)
        elif call.value is _CANCELLED:
            outcome = "cancelled"
        if entry.queued_ms is not None:
            self._set(entry, entry.queued_ms)
        elif call.error is None or (now_ms is None and not (was_reset and entry.retried)):
            # The removal is on its way to disk with the handler's writes, or done.
            self._set(entry, None if now_ms == entry.due_ms else now_ms)
        elif not entry.retried or (entry.retries >= limits.ALARM_MAX_RETRIES and counts):
            outcome = "gave up"
            actor.store.touch()
            actor.store.kv.set_alarm(None)
            self._set(entry, None)
        else:
            if counts and not entry.counted:
                entry.backoff = 0  # what failed before was not the handler
            delay_ms = self._delay_ms(entry)
            entry.counted = counts
            entry.retries += counts
            retry_ms = self._runtime.loop.now_ms + delay_ms
            # The object was reset, so the scheduler never hears that it has deleted its alarm.
            entry.orphaned = now_ms is None
            self._arm(entry, retry_ms)
        observers = self._runtime.observers
        if observers.detailed:
            observers.emit(AlarmOver, actor.label, call.seq, outcome, text)
            if retry_ms is not None:
                entry.set_by = observers.emit(
                    AlarmRetry, actor.label, call.seq, attempt=entry.retries, at_ms=retry_ms
                )
        if self.keep_runs:
            self.runs.append(
                AlarmRun(actor.label, scheduled_ms, ran_ms, attempt, outcome, text, retry_ms)
            )


_CANCELLED = object()


def _cancelled(_info: AlarmInvocationInfo) -> Any:
    return _CANCELLED


def _touched(actor: "Actor") -> bool:
    kv = actor.store.kv
    return ALARM in kv.undo or any(ALARM in layer for layer in kv.layers)
