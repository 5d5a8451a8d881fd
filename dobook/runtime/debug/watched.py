"""Storage that is traced: each operation is reported, and faults on purpose take effect.

An object's `ctx.storage` becomes a `WatchedStorage` while the runtime records its trace or the
object has faults planned, and an ordinary one again afterwards. So neither costs anything while it
is off. The classes differ from the ordinary ones in what their methods do and in nothing else.

With `faults.slow` an operation takes virtual time. The input gate is locked meanwhile, unless
`allowConcurrency` is given, and the code that awaits the operation continues before the events
that had to wait. What was written becomes durable as much later; the output gate is shut until
then, unless `allowUnconfirmed` is given.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dobook.events import OutputGateClosed, StorageOperation
from dobook.runtime.calls.promise import Promise, Rejected
from dobook.runtime.debug.meter import units
from dobook.runtime.debug.slow import CountedPromise, SlowPromise
from dobook.runtime.reports.shown import plain, shown
from dobook.runtime.storage.operations import Operations
from dobook.runtime.storage.storage import DurableObjectStorage, DurableObjectTransaction
from dobook.runtime.storage.stored import Stored
from dobook.runtime.storage.sync_kv import SyncKvStorage
from dobook.storage.sql.cursor import SqlStorageCursor
from dobook.storage.sql.storage import SqlStorage

if TYPE_CHECKING:
    from dobook.runtime.protocols import Instance, Meter

_WRITES = frozenset({"put", "delete", "setAlarm", "deleteAlarm", "deleteAll"})
_WITHOUT_KEYS = frozenset({"getAlarm", "deleteAlarm", "deleteAll"})
_OPTIONS_AT = {"list": 0, "getAlarm": 0, "deleteAlarm": 0, "deleteAll": 0}  # else 1, or 2 for put


class _WatchedOperations(Operations):
    __slots__ = ()

    def get(self, *args: Any, **keywords: Any) -> Promise:
        return self._watch("get", super().get(*args, **keywords), args, keywords)

    def list(self, *args: Any, **keywords: Any) -> Promise:
        return self._watch("list", super().list(*args, **keywords), args, keywords)

    def getAlarm(self, *args: Any, **keywords: Any) -> Promise:
        return self._watch("getAlarm", super().getAlarm(*args, **keywords), args, keywords)

    def put(self, *args: Any, **keywords: Any) -> Promise:
        shut = self._store.output_gate.commit
        return self._watch("put", super().put(*args, **keywords), args, keywords, shut)

    def delete(self, *args: Any, **keywords: Any) -> Promise:
        shut = self._store.output_gate.commit
        return self._watch("delete", super().delete(*args, **keywords), args, keywords, shut)

    def setAlarm(self, *args: Any, **keywords: Any) -> Promise:
        shut = self._store.output_gate.commit
        return self._watch("setAlarm", super().setAlarm(*args, **keywords), args, keywords, shut)

    def deleteAlarm(self, *args: Any, **keywords: Any) -> Promise:
        shut = self._store.output_gate.commit
        promise = super().deleteAlarm(*args, **keywords)
        return self._watch("deleteAlarm", promise, args, keywords, shut)

    def deleteAll(self, *args: Any, **keywords: Any) -> Promise:
        shut = self._store.output_gate.commit
        promise: Promise = super().deleteAll(*args, **keywords)  # type: ignore[misc]
        return self._watch("deleteAll", promise, args, keywords, shut)

    def _watch(
        self,
        operation: str,
        promise: Promise,
        args: tuple[Any, ...],
        keywords: dict[str, Any],
        shut: object = None,
    ) -> Promise:
        instance = self._instance
        if instance.dead is not None:
            return promise
        writes = operation in _WRITES
        if (meter := instance.actor.meter) is not None and type(promise) is not Rejected:
            self._count(meter, operation, promise, args)
        if instance.runtime.observers.detailed:
            keys, argument = _keys(operation, args, keywords)
            refused = promise._error if type(promise) is Rejected else None
            values = () if refused is not None else _values(operation, promise, args, keywords)
            report_operation(instance, operation, keys, argument, values, refused)
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

    def _count(
        self, meter: "Meter", operation: str, promise: Promise, args: tuple[Any, ...]
    ) -> None:
        """Count what the platform bills: rows, or units of 4 KB where there is no SQLite."""
        by_size = not self._sqlite
        first: Any = args[0] if args else None
        if operation == "get":
            found = promise._value if isinstance(promise, Stored) else None
            many = isinstance(first, list | tuple)
            values = [*found.values()] if many and found else [found]
            meter.reads += units(values) if by_size else len(first) if many else 1
        elif operation == "list":
            rows = promise._value if isinstance(promise, Stored) else {}
            meter.reads += units([rows]) if by_size else max(len(rows), 1)
        elif operation == "put":
            values = [*first.values()] if isinstance(first, Mapping) else [*args[1:2]]
            meter.writes += units(values) if by_size else len(values)
        elif operation == "delete":
            meter.writes += len(first) if isinstance(first, list | tuple) else 1
        elif operation == "setAlarm":
            meter.writes += 1


class WatchedTransaction(_WatchedOperations, DurableObjectTransaction):
    """A transaction that is watched."""

    __slots__ = ()


class WatchedStorage(_WatchedOperations, DurableObjectStorage):
    """Storage that is watched."""

    __slots__ = ()

    _transaction_class = WatchedTransaction

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
        """Return the value of a key, or None, and report the read."""
        value = super().get(key)
        if (meter := self._storage._instance.actor.meter) is not None:
            meter.reads += 1
        report_operation(self._storage._instance, "kv.get", (key,), values=(value,))
        return value

    def put(self, key: str, value: object) -> None:
        """Store a value and report the write."""
        with _written(self._storage._instance, "kv.put", key, (value,)):
            super().put(key, value)

    def delete(self, key: str) -> bool:
        """Delete a key and report the write."""
        with _written(self._storage._instance, "kv.delete", key):
            return super().delete(key)

    def list(self, *args: Any, **keywords: Any) -> Any:
        """Iterate over rows and report the read."""
        instance = self._storage._instance
        report_operation(instance, "kv.list", argument=_keys("list", args, keywords)[1])
        rows = super().list(*args, **keywords)
        return rows if instance.actor.meter is None else _counted(rows, instance.actor.meter)


class WatchedSql(SqlStorage):
    """The SQL interface, watched."""

    __slots__ = ()

    def exec(self, query: str, *bindings: Any) -> SqlStorageCursor:
        """Run a query and report it."""
        instance = self._host.storage._instance  # type: ignore[attr-defined]
        shut = instance.output_gate.commit
        cursor = super().exec(query, *bindings)
        report_operation(instance, "sql", argument=" ".join(str(query).split()))
        if (meter := instance.actor.meter) is not None:
            meter.watch(cursor)
        if cursor._plan is not None:
            report_output_gate(instance, shut)
            if instance.actor.faults is not None:
                instance.actor.faults.wrote(instance)
        return cursor


class _written:
    """Reports a write that happens inside of it, and lets faults follow."""

    def __init__(
        self, instance: "Instance", operation: str, key: str, values: tuple[Any, ...] = ()
    ) -> None:
        self._instance = instance
        self._operation = operation
        self._key = key
        self._values = values

    def __enter__(self) -> None:
        self._shut = self._instance.output_gate.commit

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if error is None:
            if (meter := self._instance.actor.meter) is not None:
                meter.writes += 1
            report_operation(self._instance, self._operation, (self._key,), values=self._values)
            report_output_gate(self._instance, self._shut)
            if self._instance.actor.faults is not None:
                self._instance.actor.faults.wrote(self._instance)


def set_watched(instance: "Instance") -> None:
    """Make an object's storage a watched one, or an ordinary one, as is needed now."""
    storage = instance.ctx.storage if instance.ctx is not None else None
    if storage is not None:
        make_watched(instance, storage)


def make_watched(instance: "Instance", storage: DurableObjectStorage) -> None:
    """Watch like `set_watched`, for storage that its object does not have yet."""
    actor = instance.actor
    wanted = instance.runtime.observers.detailed or actor.faults is not None or actor.meter
    storage.__class__ = WatchedStorage if wanted else DurableObjectStorage
    for face, ordinary, watched in (
        (storage._kv_face, SyncKvStorage, WatchedKv),
        (storage._sql_face, SqlStorage, WatchedSql),
    ):
        if face is not None:
            face.__class__ = watched if wanted else ordinary


def report_operation(
    instance: "Instance",
    operation: str,
    keys: tuple[Any, ...] = (),
    argument: object = None,
    values: tuple[Any, ...] = (),
    refused: BaseException | None = None,
) -> None:
    """Report one operation on storage.

    Args:
        instance: Whose storage.
        operation: The method.
        keys: What was asked for.
        argument: The range, the query or the time that was given.
        values: What was read or written, one for each key.
        refused: Why it was not carried out; None if it was.
    """
    observers = instance.runtime.observers
    if not observers.detailed:
        return
    several = len(values) > 1
    value = values if several else values[0] if values else None
    observers.emit(
        StorageOperation,
        instance.actor.label,
        0,
        operation,
        tuple(map(str, keys)),
        plain(argument),
        plain(value),
        tuple([None if value is None else shown(value) for value in values]) if several else (),
        "" if refused is None else f"{type(refused).__name__}: {refused}".split("\n")[0],
    )


def report_output_gate(instance: "Instance", before: object) -> None:
    """Report that a write has shut the output gate, if it had been open."""
    observers = instance.runtime.observers
    if before is None and instance.output_gate.commit is not None and observers.detailed:
        observers.emit(OutputGateClosed, instance.actor.label, 0, "write")


def _keys(
    operation: str, args: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[tuple[Any, ...], Any]:
    """Return the keys that an operation is about, or else what it was given in their place."""
    if operation == "list":
        options = {**(args[0] if args and isinstance(args[0], Mapping) else {}), **keywords}
        return (), " ".join(f"{name}={value}" for name, value in options.items())
    if operation in _WITHOUT_KEYS:
        return (), ""
    key = args[0] if args else keywords.get("key", "")
    if operation == "setAlarm":
        return (), key
    if isinstance(key, list | tuple | Mapping):
        return tuple(key), None
    return (key,), None


def _counted(rows: Iterator[Any], meter: "Meter") -> Iterator[Any]:
    for row in rows:
        meter.reads += 1
        yield row


def _values(
    operation: str, promise: Promise, args: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[Any, ...]:
    """Return what was read or written, one value for each key; empty if that is not known."""
    key = args[0] if args else keywords.get("key")
    if operation == "put" and isinstance(key, Mapping):
        return tuple(key.values())
    if operation == "put":
        return (args[1] if len(args) > 1 else keywords.get("value"),)
    if operation != "get" or not isinstance(promise, Stored):
        return ()
    found: Any = promise._value
    return tuple([found.get(one) for one in key]) if isinstance(key, list | tuple) else (found,)


def _options(operation: str, args: tuple[Any, ...], keywords: dict[str, Any]) -> Mapping[str, Any]:
    at = _OPTIONS_AT.get(operation, 1)
    if operation == "put" and args and not isinstance(args[0], Mapping):
        at = 2
    given = args[at] if len(args) > at else keywords.get("options")
    return {**given, **keywords} if isinstance(given, Mapping) else keywords
