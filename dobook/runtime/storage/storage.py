"""`ctx.storage`: the platform's storage methods, with Cloudflare's names, for an object's code.

Each method acts when it is called: the rows are in memory or one synchronous read away. Awaiting its
promise lets other tasks of the same object run that are ready, and no event (see `stored`). What
has to wait for the disk is the answer to the caller, and that is the output gate's business.
Options are taken as a dict or as keywords.

Source: developers.cloudflare.com/durable-objects/api/storage-api/,
cloudflare/workerd src/workerd/api/actor-state.c++
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dobook.errors import PlatformError, PlatformTypeError
from dobook.runtime.calls.promise import Promise, Rejected
from dobook.runtime.calls.sections import Section, SectionPromise
from dobook.runtime.loop.frame import current_frame
from dobook.runtime.reports.portable import remark
from dobook.runtime.storage.arguments import PUT_OPTIONS, UNSET, read_options
from dobook.runtime.storage.operations import NOBODY, Operations
from dobook.runtime.storage.recovery import PointInTimeRecovery
from dobook.runtime.storage.sync_kv import SyncKvStorage
from dobook.storage.sql.storage import SqlStorage

if TYPE_CHECKING:
    from dobook.runtime.protocols import Instance


class DurableObjectTransaction(Operations):
    """`txn`, what a transaction's closure is given. It is dead once the transaction is over."""

    __slots__ = ("_over", "_rolled_back")

    _NAME = "DurableObjectTransaction"

    def __init__(self, instance: "Instance") -> None:
        super().__init__(instance)
        self._frame = NOBODY
        self._rolled_back = False
        self._over = False

    def put(
        self, key: object = UNSET, value: object = UNSET, options: object = None, **keywords: Any
    ) -> Promise:
        """Store like `storage.put`; with the SDK a dict or list has to be JavaScript's own."""
        if type(key) is dict or type(value) in (dict, list, set):
            remark(
                "txn.put(…) of a dict or list: a transaction's txn is JavaScript's own with "
                "Cloudflare's Python SDK (DataCloneError). Write to_js(value, "
                "dict_converter=Object.fromEntries)."
            )
        return super().put(key, value, options, **keywords)

    def rollback(self) -> None:
        """Undo what the transaction did; it cannot be used afterwards.

        Raises:
            PlatformError: If the transaction is over.
        """
        if self._rolled_back:
            return
        self._use("rollback()")
        self._store.rollback_transaction(explicit=True)
        self._instance.runtime.alarms.written(self._instance.actor)
        self._rolled_back = True

    def deleteAll(self, *_: Any, **__: Any) -> Promise:
        """Refuse: everything cannot be deleted inside a transaction."""
        return Rejected(PlatformError("Cannot call deleteAll() within a transaction"))

    def _use(self, operation: str) -> None:
        if self._rolled_back:
            raise PlatformError(f"Cannot {operation} on rolled back transaction")
        if self._over:
            raise PlatformError(
                f"Cannot call {operation} on transaction that has already committed: did you move "
                "`txn` outside of the closure?"
            )
        super()._use(operation)

    def __repr__(self) -> str:
        return f"<transaction of {self._instance.actor.label}>"


class DurableObjectStorage(PointInTimeRecovery):
    """`ctx.storage` of a Durable Object.

    Example:
        >>> class Counter:
        ...     def __init__(self, ctx, env):
        ...         self.ctx = ctx
        ...     async def increment(self):
        ...         n = (await self.ctx.storage.get("n") or 0) + 1
        ...         await self.ctx.storage.put("n", n)
        ...         return n

    Source: developers.cloudflare.com/durable-objects/api/storage-api/
    """

    __slots__ = ("_kv_face", "_sql_face")

    _NAME = "DurableObjectStorage"

    _transaction_class = DurableObjectTransaction

    def __init__(self, instance: "Instance") -> None:
        super().__init__(instance)
        self._kv_face: SyncKvStorage | None = None
        self._sql_face: SqlStorage | None = None

    @property
    def kv(self) -> "SyncKvStorage":
        """The synchronous key-value interface of SQLite-backed classes."""
        if self._kv_face is None:
            self._kv_face = SyncKvStorage(self)
        return self._kv_face

    @property
    def sql(self) -> SqlStorage:
        """The SQL interface of SQLite-backed classes.

        Raises:
            PlatformError: If the class was declared with `new_classes`.
        """
        if not self._sqlite:
            raise PlatformError(
                "SQL is not enabled for this Durable Object class. To enable it, change "
                "`new_classes` to `new_sqlite_classes` within the 'migrations' field in your "
                "wrangler.jsonc or wrangler.toml file. If using workerd directly,set `enableSql = "
                "true` in your workerd config for the class. Note that this change cannot be made "
                "after the class is already deployed to production."
            )
        if self._sql_face is None:
            self._sql_face = SqlStorage(_SqlHost(self))
        return self._sql_face

    def deleteAll(self, options: object = None, **keywords: Any) -> Promise:
        """Remove all rows, all SQL tables and the alarm, at once: an abort does not undo it.

        Waits: only for own tasks that are ready.
        Source: developers.cloudflare.com/durable-objects/api/storage-api/#deleteall
        """
        try:
            self._use("deleteAll()")
            read_options(self._NAME, "deleteAll", PUT_OPTIONS, options, keywords)
            if self._store.transactions:
                raise PlatformError("Cannot call deleteAll() within a transaction")
            self._store.touch()
            self._store.delete_all()
            actor = self._instance.actor
            if self._kv.alarm_ms is not None:
                self._kv.set_alarm(None)
                self._instance.runtime.alarms.written(actor)
            return self._wrote()
        except Exception as error:
            return Rejected(error)

    def sync(self) -> Promise:
        """Return a promise that is done when everything written so far is durable.

        Source: developers.cloudflare.com/durable-objects/api/storage-api/#sync
        """
        try:
            self._use("sync()")
            durable: Promise = self._instance.runtime.stores.durable(self._instance)
        except Exception as error:
            return Rejected(error)
        return durable

    def transaction(self, closure: Callable[[DurableObjectTransaction], Any]) -> SectionPromise:
        """Run a function whose writes are kept together or, if it raises, undone together.

        Args:
            closure: Called with the transaction; what it returns is awaited. No other event of the
                object runs meanwhile.

        Returns:
            A promise of what the closure returns.

        Source: developers.cloudflare.com/durable-objects/api/storage-api/#transaction
        """
        self._use("transaction()")
        if not callable(closure):
            raise PlatformTypeError(
                "Failed to execute 'transaction' on 'DurableObjectStorage': parameter 1 is not of "
                "type 'function'. Pass the function itself, not what calling it returns."
            )
        store = self._store
        alarms = self._instance.runtime.alarms
        actor = self._instance.actor

        async def body() -> Any:
            store.commit_before_transaction()
            self._check()  # if that commit has failed, the object is gone
            store.begin_transaction(explicit=True)
            txn = self._transaction_class(self._instance)
            try:
                result = closure(txn)
                if hasattr(type(result), "__await__"):
                    result = await result
            except BaseException:
                if not txn._rolled_back and self._ended is None:
                    store.rollback_transaction(explicit=True)
                    alarms.written(actor)
                    txn._rolled_back = True
                raise
            if not txn._rolled_back:
                try:
                    store.check_read()
                except PlatformError as error:
                    self._instance.reset(error)
                    raise
                store.commit_transaction(explicit=True)
            txn._over = True
            return result

        return SectionPromise(Section(self._instance, body, breaks=False))

    def transactionSync(self, closure: Callable[[], Any]) -> Any:
        """Run a function whose writes are kept together or, if it raises, undone together.

        Args:
            closure: Called without arguments; it must not wait.

        Returns:
            What the closure returns.

        Source: developers.cloudflare.com/durable-objects/api/sqlite-storage-api/#transactionsync
        """
        self._use("transactionSync()")
        self._store.begin_transaction(explicit=False)
        try:
            try:
                result = closure()
            finally:
                self._store.check_read()  # goes before what the closure raises
        except BaseException:
            self._store.rollback_transaction(explicit=False)
            self._instance.runtime.alarms.written(self._instance.actor)
            raise
        self._store.commit_transaction(explicit=False)
        if hasattr(type(result), "__await__"):
            remark(
                f"transactionSync() was given {getattr(closure, '__name__', 'a function')}, which is "
                "async: it has not run when transactionSync() returns, and nothing of it is in the "
                "transaction. Write def instead of async def, or use await storage.transaction(…)."
            )
        return result

    def _end(self, error: BaseException) -> None:
        """Refuse everything from now on: the instance is gone."""
        self._ended = error
        self._frame = NOBODY

    def _check(self) -> None:
        """Raise if the instance is gone, or not that whose code runs."""
        if current_frame.get() is not self._frame:
            self._use("sql")

    def __repr__(self) -> str:
        return f"<storage of {self._instance.actor.label}>"


class _SqlHost:
    """What SQL needs of an object's storage."""

    def __init__(self, storage: DurableObjectStorage) -> None:
        self.storage = storage
        self.unsafe_limits = storage._store.unsafe_limits
        self.owner = storage._instance.actor
        self.connection = storage._store.connection
        self.will_write = storage._store.will_write
        self.settle_schema = storage._store.settle_schema
        self.check = storage._check
