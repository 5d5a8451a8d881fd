"""Storage while somebody watches: each operation is reported, and faults on purpose take effect.

An object's `ctx.storage` becomes a `WatchedStorage` while the runtime records its trace or the
object has faults planned, and an ordinary one again afterwards. So neither costs anything while it
is off. The classes differ from the ordinary ones in what their methods do and in nothing else.

With `faults.slow` an operation takes virtual time. The input gate is locked meanwhile, unless
`allowConcurrency` is given, and whoever awaits it goes on before the events that had to wait. What
was written becomes durable as much later; the output gate is shut until then, unless
`allowUnconfirmed` is given.
"""

import asyncio
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from dobook.gates import GRACE_TICKS, InputGate, open_gate
from dobook.runtime.instance import DurableObjectAbort
from dobook.runtime.promise import Promise, Resolved
from dobook.runtime.storage import DurableObjectStorage, DurableObjectTransaction
from dobook.runtime.storage_operations import Operations
from dobook.runtime.sync_kv import SyncKvStorage
from dobook.runtime.turns import SectionEnd, StorageFuture, current_frame
from dobook.storage.sql import SqlStorage
from dobook.storage.sql_cursor import SqlStorageCursor

if TYPE_CHECKING:
    from dobook.runtime.instance import Instance

_WRITES = frozenset({"put", "delete", "setAlarm", "deleteAlarm", "deleteAll"})
_OPTIONS_AT = {"list": 0, "getAlarm": 0, "deleteAlarm": 0, "deleteAll": 0}  # else 1, or 2 for put


class _Lock:
    """The lock of one slow operation; given up once the turn that awaited it is over."""

    ended = True  # asked by nobody, but what SectionEnd expects of a section

    def __init__(self, instance: "Instance", gate: InputGate) -> None:
        self._instance = instance
        self._gate = gate
        self._held = True
        self.grace = False
        self._loop = instance.runtime.loop
        gate.lock()
        gate.passing += 1  # tasks that this turn has started are part of it
        self._loop.call_soon(self._turn_ends, GRACE_TICKS)
        _report(instance, "gate closed", why="storage")

    def _turn_ends(self, ticks: int) -> None:
        if ticks:
            self._loop.call_soon(self._turn_ends, ticks - 1)
        else:
            self._gate.passing -= 1

    def leave(self) -> None:
        """Give the lock up, or let the rest of this turn happen first."""
        if self.grace:
            self.grace = False
            self._gate.passing += 1
            self._loop.call_soon(self._turn_ends, GRACE_TICKS)
            self._loop.call_soon(self._leave_later, GRACE_TICKS)
        elif self._held:
            self._held = False
            _report(self._instance, "gate opened")
            self._gate.unlock()

    def _leave_later(self, ticks: int) -> None:
        if ticks:
            self._loop.call_soon(self._leave_later, ticks - 1)
        else:
            self.leave()


class SlowPromise(Promise):
    """The outcome of an operation that takes virtual time."""

    __slots__ = ("_caller", "_done", "_ends", "_instance", "_lock", "_plain", "_promise")

    def __init__(self, instance: "Instance", promise: Promise, ms: float, *, locks: bool) -> None:
        loop = instance.runtime.loop
        self._instance = instance
        self._promise = promise
        self._done = False
        self._caller = asyncio.current_task(loop)
        self._ends: list[SectionEnd] = []
        self._plain: list[asyncio.Future[None]] = []
        frame = current_frame.get()
        inside = frame is not None and frame.instance is instance
        gate = open_gate(frame.gate) if frame is not None and inside else instance.gate
        self._lock = _Lock(instance, gate) if locks else None
        loop.call_later(ms / 1000, self._over)

    def _over(self) -> None:
        self._done = True
        for future in self._plain:
            if not future.done():
                future.set_result(None)
        if self._lock is None:
            return
        for end in self._ends[:1]:
            end.complete()
        for end in self._ends[1:]:  # awaited more than once: the others follow as events do
            end.section = _NOTHING  # type: ignore[assignment]
            end.complete()
        if not self._ends:
            self._lock.leave()

    def __await__(self) -> Generator[Any, None, Any]:
        loop = self._instance.runtime.loop
        if not self._done:
            if self._lock is None:
                future = StorageFuture(loop=loop)
                self._plain.append(future)
                yield from future
            else:
                if asyncio.current_task(loop) is not self._caller:
                    self._lock.grace = True
                end = SectionEnd(loop, self._lock)  # type: ignore[arg-type]
                self._ends.append(end)
                yield end
        return (yield from self._promise.__await__())


class _Nothing:
    def leave(self) -> None:
        """Nothing is held."""


_NOTHING = _Nothing()


class CountedPromise(Promise):
    """A promise that tells the planned faults when it is awaited."""

    __slots__ = ("_instance", "_promise")

    def __init__(self, instance: "Instance", promise: Promise) -> None:
        self._instance = instance
        self._promise = promise

    def __await__(self) -> Generator[Any, None, Any]:
        instance = self._instance
        if instance.actor.faults is not None and instance.dead is None:
            instance.actor.faults.awaited(instance)
            if instance.dead is not None:
                raise DurableObjectAbort(str(instance.dead))
        return (yield from self._promise.__await__())


class _WatchedOperations(Operations):
    __slots__ = ()

    def get(self, *args: Any, **keywords: Any) -> Promise:
        """Watch."""
        return self._watch("get", super().get(*args, **keywords), args, keywords)

    def list(self, *args: Any, **keywords: Any) -> Promise:
        """Watch."""
        return self._watch("list", super().list(*args, **keywords), args, keywords)

    def getAlarm(self, *args: Any, **keywords: Any) -> Promise:
        """Watch."""
        return self._watch("getAlarm", super().getAlarm(*args, **keywords), args, keywords)

    def put(self, *args: Any, **keywords: Any) -> Promise:
        """Watch."""
        shut = self._store.output_gate.commit
        return self._watch("put", super().put(*args, **keywords), args, keywords, shut)

    def delete(self, *args: Any, **keywords: Any) -> Promise:
        """Watch."""
        shut = self._store.output_gate.commit
        return self._watch("delete", super().delete(*args, **keywords), args, keywords, shut)

    def setAlarm(self, *args: Any, **keywords: Any) -> Promise:
        """Watch."""
        shut = self._store.output_gate.commit
        return self._watch("setAlarm", super().setAlarm(*args, **keywords), args, keywords, shut)

    def deleteAlarm(self, *args: Any, **keywords: Any) -> Promise:
        """Watch."""
        shut = self._store.output_gate.commit
        promise = super().deleteAlarm(*args, **keywords)
        return self._watch("deleteAlarm", promise, args, keywords, shut)

    def deleteAll(self, *args: Any, **keywords: Any) -> Promise:
        """Watch."""
        shut = self._store.output_gate.commit
        promise: Promise = super().deleteAll(*args, **keywords)  # type: ignore[misc]
        return self._watch("deleteAll", promise, args, keywords, shut)

    def _watch(
        self,
        operation: str,
        promise: Promise,
        args: tuple[Any, ...],
        keywords: dict[str, Any],
        shut: Any = None,
    ) -> Promise:
        instance = self._instance
        if instance.dead is not None:
            return promise
        writes = operation in _WRITES
        report_operation(
            instance,
            operation,
            _keys(operation, args, keywords),
            _value(operation, promise, args, keywords),
        )
        if writes:
            report_output_gate(instance, shut)
        faults = instance.actor.faults
        if faults is None:
            return promise
        if writes:
            faults.wrote(instance)
        if slow_ms := faults.operation_ms(instance):
            options = _options(operation, args, keywords)
            promise = SlowPromise(
                instance, promise, slow_ms, locks=not options.get("allowConcurrency")
            )
        return CountedPromise(instance, promise) if faults.awaits_left else promise


class WatchedTransaction(_WatchedOperations, DurableObjectTransaction):
    """A transaction that is watched."""

    __slots__ = ()


class WatchedStorage(_WatchedOperations, DurableObjectStorage):
    """Storage that is watched."""

    __slots__ = ()

    transaction_class = WatchedTransaction

    @property
    def kv(self) -> SyncKvStorage:
        """The synchronous interface, watched."""
        face = super().kv
        if type(face) is SyncKvStorage:
            face.__class__ = WatchedKv
        return face

    @property
    def sql(self) -> SqlStorage:
        """The SQL interface, watched."""
        face = super().sql
        if type(face) is SqlStorage:
            face.__class__ = WatchedSql
        return face


class WatchedKv(SyncKvStorage):
    """The synchronous key-value interface, watched."""

    __slots__ = ()

    def get(self, key: str) -> Any:
        """Watch."""
        value = super().get(key)
        report_operation(self._storage._instance, "kv.get", key, value)
        return value

    def put(self, key: str, value: Any) -> None:
        """Watch."""
        with _written(self._storage._instance, "kv.put", key, value):
            super().put(key, value)

    def delete(self, key: str) -> bool:
        """Watch."""
        with _written(self._storage._instance, "kv.delete", key):
            return super().delete(key)

    def list(self, *args: Any, **keywords: Any) -> Any:
        """Watch."""
        report_operation(self._storage._instance, "kv.list", _keys("list", args, keywords))
        return super().list(*args, **keywords)


class WatchedSql(SqlStorage):
    """The SQL interface, watched."""

    __slots__ = ()

    def exec(self, query: str, *bindings: Any) -> SqlStorageCursor:
        """Watch."""
        instance = self._host.storage._instance  # type: ignore[attr-defined]
        shut = instance.output_gate.commit
        cursor = super().exec(query, *bindings)
        report_operation(instance, "sql", " ".join(str(query).split()))
        if cursor._plan is not None:
            report_output_gate(instance, shut)
            if instance.actor.faults is not None:
                instance.actor.faults.wrote(instance)
        return cursor


class _written:
    """Reports a write that happens inside of it, and lets faults follow."""

    def __init__(self, instance: "Instance", operation: str, key: str, value: Any = None) -> None:
        self._instance = instance
        self._operation = operation
        self._key = key
        self._value = value

    def __enter__(self) -> None:
        self._shut = self._instance.output_gate.commit

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if error is None:
            report_operation(self._instance, self._operation, self._key, self._value)
            report_output_gate(self._instance, self._shut)
            if self._instance.actor.faults is not None:
                self._instance.actor.faults.wrote(self._instance)


def set_watched(instance: "Instance") -> None:
    """Make an object's storage a watched one, or an ordinary one, as is needed now."""
    storage = instance.ctx.storage if instance.ctx is not None else None
    if storage is not None:
        make_watched(instance, storage)


def make_watched(instance: "Instance", storage: DurableObjectStorage) -> None:
    """As `set_watched`, for storage that its object does not have yet."""
    wanted = instance.runtime.observers.detailed or instance.actor.faults is not None
    storage.__class__ = WatchedStorage if wanted else DurableObjectStorage
    for face, plain, watched in (
        (storage._kv_face, SyncKvStorage, WatchedKv),
        (storage._sql_face, SqlStorage, WatchedSql),
    ):
        if face is not None:
            face.__class__ = watched if wanted else plain


def report_operation(instance: "Instance", operation: str, keys: Any, value: Any = None) -> None:
    """Report one operation on storage, with the value that it read or wrote if it is of one key."""
    _report(instance, "storage", op=operation, keys=keys, value=value)


def report_output_gate(instance: "Instance", before: Any) -> None:
    """Report that a write has shut the output gate, if it had been open."""
    if before is None and instance.output_gate.commit is not None:
        _report(instance, "output gate closed", why="write")


def _report(instance: "Instance", kind: str, **detail: Any) -> None:
    observers = instance.runtime.observers
    if observers.detailed:
        observers.emit(instance.actor.label, kind, **detail)


def _keys(operation: str, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    if operation == "list":
        options = {**(args[0] if args and isinstance(args[0], Mapping) else {}), **keywords}
        return " ".join(f"{name}={value}" for name, value in options.items())
    key = args[0] if args else keywords.get("key", "")
    if isinstance(key, Mapping):
        key = list(key)
    if isinstance(key, list | tuple):
        return ", ".join(map(str, key[:8])) + (", …" if len(key) > 8 else "")
    return key if operation == "setAlarm" else str(key)


def _value(
    operation: str, promise: Promise, args: tuple[Any, ...], keywords: dict[str, Any]
) -> Any:
    key = args[0] if args else keywords.get("key")
    if not isinstance(key, str):
        return None
    if operation == "put":
        return args[1] if len(args) > 1 else keywords.get("value")
    return promise._value if operation == "get" and type(promise) is Resolved else None


def _options(operation: str, args: tuple[Any, ...], keywords: dict[str, Any]) -> Mapping[str, Any]:
    at = _OPTIONS_AT.get(operation, 1)
    if operation == "put" and args and not isinstance(args[0], Mapping):
        at = 2
    given = args[at] if len(args) > at else keywords.get("options")
    return {**given, **keywords} if isinstance(given, Mapping) else keywords
