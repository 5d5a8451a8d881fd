"""`ctx.storage`: the platform's storage methods, with Cloudflare's names, for an object's code.

Each method acts when it is called and returns a promise that awaiting does not hold up: the rows
are in memory or one synchronous read away. What has to wait for the disk is the answer to the
caller, and that is the output gate's business. Options are taken as a dict or as keywords.

Source: developers.cloudflare.com/durable-objects/api/storage-api/,
cloudflare/workerd src/workerd/api/actor-state.c++
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dobook import limits
from dobook.codec import freeze, serialize
from dobook.errors import PlatformError, PlatformRangeError, PlatformTypeError, suggest
from dobook.runtime.promise import NOTHING, Promise, Rejected, Resolved
from dobook.runtime.sections import Section, SectionPromise
from dobook.storage.sql import SqlStorage
from dobook.storage.store import ObjectStore

if TYPE_CHECKING:
    from dobook.runtime.instance import Instance

UNSET: Final = object()
GET_OPTIONS: Final = ("allowConcurrency", "noCache")
PUT_OPTIONS: Final = ("allowConcurrency", "allowUnconfirmed", "noCache")
ALARM_OPTIONS: Final = ("allowConcurrency", "allowUnconfirmed")
LIST_OPTIONS: Final = (
    "start",
    "startAfter",
    "end",
    "prefix",
    "reverse",
    "limit",
    "allowConcurrency",
    "noCache",
)
LAST_CODE_POINT: Final = chr(0x10FFFF)
_SMALL: Final = frozenset({int, float, bool, type(None)})


def read_options(
    method: str, kind: str, known: tuple[str, ...], options: Any, keywords: dict[str, Any]
) -> dict[str, Any]:
    """Return the options of a call, from the dict, the keywords or both.

    Raises:
        PlatformTypeError: If the options are no dict, or a keyword is none of the known ones.
    """
    for name in keywords:
        if name not in known:
            raise PlatformTypeError(f"{method}() has no option {name!r}. {suggest(name, known)}")
    if options is None:
        return keywords
    if not isinstance(options, Mapping):
        raise PlatformTypeError(
            f"Failed to execute '{method}' on 'DurableObjectStorage': parameter "
            f"{1 if method in ('list', 'deleteAll', 'getAlarm', 'deleteAlarm') else 2} is not of "
            f"type '{kind}'."
        )
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        # The platform ignores options it does not know; a misspelt one is worth an error.
        if "_" in str(name) and str(name).replace("_", "").lower() in {k.lower() for k in known}:
            raise PlatformTypeError(f"{method}() has no option {name!r}. {suggest(name, known)}")
    return given | keywords


def read_key(key: Any) -> str:
    """Return a key as text; numbers are taken as their text, as the platform does.

    Raises:
        PlatformTypeError: If it is neither, or longer than the platform allows.
    """
    if type(key) is not str:
        if isinstance(key, str):
            key = str.__str__(key)
        elif isinstance(key, int | float) and not isinstance(key, bool):
            key = str(key)
        else:
            raise PlatformTypeError(
                f"a storage key is a text or a list of texts, not {type(key).__name__}: {key!r:.60}"
            )
    return key


def list_range(
    prefix: Any = None,
    start: Any = None,
    startAfter: Any = None,
    end: Any = None,
    **_: Any,  # noqa: N803
) -> tuple[str, str | None]:
    """Return the half-open range of keys that the options of `list` mean.

    Raises:
        PlatformTypeError: If both `start` and `startAfter` are given.
    """
    if start is not None and startAfter is not None:
        raise PlatformTypeError("list() cannot be called with both start and startAfter values.")
    low = "" if start is None else read_key(start)
    if startAfter is not None:
        low = read_key(startAfter) + "\x00"
    high = None if end is None else read_key(end)
    if prefix is not None and (prefix := read_key(prefix)):
        low = max(low, prefix)
        past = after_prefix(prefix)
        if past is not None:
            high = past if high is None else min(high, past)
    return low, high


def after_prefix(prefix: str) -> str | None:
    """Return the first key after all that begin with `prefix`, None if there can be none."""
    stem = prefix.rstrip(LAST_CODE_POINT)
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    if following == 0xD800:  # the surrogates are no characters
        following = 0xE000
    return stem[:-1] + chr(following)


def list_limit(options: Mapping[str, Any]) -> int | None:
    """Return the limit of `list`.

    Raises:
        PlatformTypeError: If it is below 1.
    """
    limit = options.get("limit")
    if limit is None:
        return None
    if not isinstance(limit, int | float) or int(limit) < 1:
        raise PlatformTypeError("List limit must be positive.")
    return int(limit)


class Operations:
    """The methods that `ctx.storage` and a transaction have in common."""

    def __init__(self, instance: "Instance") -> None:
        self._instance = instance
        self._store: ObjectStore = instance.actor.store
        self._kv = self._store.kv
        self._limited = not self._store.unsafe_limits
        namespace = instance.actor.namespace
        self._max_entry = (
            limits.MAX_SQLITE_ENTRY_BYTES if namespace.sqlite else limits.MAX_KV_VALUE_BYTES
        )
        self._sqlite = namespace.sqlite
        self._ended: BaseException | None = None

    def _use(self, operation: str) -> None:  # noqa: ARG002 - transactions name it in their errors
        if self._ended is not None:
            raise self._ended

    # ------------------------------------------------------------------ reading

    def get(self, key: Any, options: Any = None, **keywords: Any) -> Promise:
        """Return the value of a key, or the values of a list of up to 128 keys.

        Args:
            key: A text, or a list of texts.
            options: `allowConcurrency`, `noCache`; also as keywords.

        Returns:
            A promise of the value (None if there is none); for a list, of a dict of those that
            exist, ordered by the keys' UTF-8 bytes. Each is a fresh copy.

        Example:
            >>> async def handler(storage):
            ...     return await storage.get("n") or 0

        Waits: never. Source: developers.cloudflare.com/durable-objects/api/storage-api/#get
        """
        try:
            self._use("get()")
            if options is not None or keywords:
                read_options("get", "GetOptions", GET_OPTIONS, options, keywords)
            if type(key) is str and len(key) <= 512:
                return Resolved(self._kv.get(key))
            if isinstance(key, list | tuple):
                keys = self._check_keys(key)
                found = ((k, self._kv.get(k)) for k in sorted(set(keys)) if self._kv.has(k))
                return Resolved(dict(found))
            return Resolved(self._kv.get(self._check_key(key)))
        except Exception as error:  # noqa: BLE001 - awaiting raises it
            return Rejected(error)

    def list(self, options: Any = None, **keywords: Any) -> Promise:
        """Return the rows in order of the keys' UTF-8 bytes.

        Args:
            options: `start`, `startAfter`, `end`, `prefix`, `reverse`, `limit`,
                `allowConcurrency`, `noCache`; also as keywords.

        Returns:
            A promise of a dict, empty when nothing matches.

        Example:
            >>> async def handler(storage):
            ...     return await storage.list(prefix="user:", limit=10)

        Waits: never. Source: developers.cloudflare.com/durable-objects/api/storage-api/#list
        """
        try:
            self._use("list()")
            chosen = read_options("list", "ListOptions", LIST_OPTIONS, options, keywords)
            limit = list_limit(chosen)
            low, high = list_range(**chosen)
            if high is not None and low >= high:
                return Resolved({})
            reverse = bool(chosen.get("reverse"))
            return Resolved(self._kv.scan(low, high, reverse=reverse, limit=limit))
        except Exception as error:  # noqa: BLE001 - awaiting raises it
            return Rejected(error)

    def getAlarm(self, options: Any = None, **keywords: Any) -> Promise:  # noqa: N802
        """Return the alarm's time in ms since 1970, None without one or while its handler runs.

        Waits: never. Source: developers.cloudflare.com/durable-objects/api/alarms/#getalarm
        """
        try:
            self._use("getAlarm()")
            read_options("getAlarm", "GetAlarmOptions", ALARM_OPTIONS, options, keywords)
            return Resolved(self._instance.runtime.alarms.visible_ms(self._instance.actor))
        except Exception as error:  # noqa: BLE001 - awaiting raises it
            return Rejected(error)

    # ------------------------------------------------------------------ writing

    def put(self, key: Any, value: Any = UNSET, options: Any = None, **keywords: Any) -> Promise:
        """Store a value under a key, or a dict of up to 128 entries.

        Args:
            key: A text; or a dict of entries, followed by nothing but options.
            value: What structured clone can copy; it is copied now.
            options: `allowUnconfirmed`, `allowConcurrency`, `noCache`; also as keywords.

        Returns:
            A promise of None. The answer to whoever called the object waits for the disk, unless
            `allowUnconfirmed`.

        Example:
            >>> async def handler(storage):
            ...     await storage.put("n", 1)
            ...     await storage.put({"a": 1, "b": 2})

        Waits: never. Source: developers.cloudflare.com/durable-objects/api/storage-api/#put
        """
        try:
            self._use("put()")
            if type(key) is str and value is not UNSET:
                confirmed = True
                if options is not None or keywords:
                    confirmed = self._confirmed("put", PUT_OPTIONS, options, keywords)
                if len(key) > 512:
                    self._check_key(key)
                frozen = freeze(value)
                if self._limited and type(frozen) not in _SMALL:
                    self._check_size(key, frozen)
                self._store.touch(confirmed=confirmed)
                self._kv.put(key, frozen)
                return NOTHING
            return self._put_general(key, value, options, keywords)
        except Exception as error:  # noqa: BLE001 - awaiting raises it
            return Rejected(error)

    def _put_general(self, key: Any, value: Any, options: Any, keywords: dict[str, Any]) -> Promise:
        if isinstance(key, Mapping):
            if value is not UNSET:
                if options is not None or not (value is None or isinstance(value, Mapping)):
                    raise PlatformTypeError(
                        "put() may only be called with a single key-value pair and optional "
                        "options as put(key, value, options) or with multiple key-value pairs and "
                        "optional options as put(entries, options)"
                    )
                options = value
            entries = [(self._check_key(k), freeze(v)) for k, v in key.items()]
            self._check_count(len(entries))
        elif value is UNSET:
            raise PlatformTypeError("put() called with undefined value.")
        else:
            entries = [(self._check_key(key), freeze(value))]
        confirmed = self._confirmed("put", PUT_OPTIONS, options, keywords)
        if self._limited:
            for k, frozen in entries:
                if type(frozen) not in _SMALL:
                    self._check_size(k, frozen)
        if entries:
            self._store.touch(confirmed=confirmed)
            put = self._kv.put
            for k, frozen in entries:
                put(k, frozen)
        return NOTHING

    def delete(self, key: Any, options: Any = None, **keywords: Any) -> Promise:
        """Remove a key, or a list of up to 128 keys.

        Returns:
            A promise of whether there was a value; for a list, of how many there were.

        Waits: never. Source: developers.cloudflare.com/durable-objects/api/storage-api/#delete
        """
        try:
            self._use("delete()")
            confirmed = self._confirmed("delete", PUT_OPTIONS, options, keywords)
            if isinstance(key, list | tuple):
                keys = self._check_keys(key)
                self._store.touch(confirmed=confirmed)
                return Resolved(sum(self._kv.delete(k) for k in keys))
            key = self._check_key(key)
            self._store.touch(confirmed=confirmed)
            return Resolved(self._kv.delete(key))
        except Exception as error:  # noqa: BLE001 - awaiting raises it
            return Rejected(error)

    def setAlarm(  # noqa: N802
        self,
        scheduledTime: Any = UNSET,
        options: Any = None,
        **keywords: Any,  # noqa: N803
    ) -> Promise:
        """Have `alarm()` called at a time; an alarm that is set already is replaced.

        Args:
            scheduledTime: Milliseconds since 1970 or a datetime (without a time zone: UTC). A
                time that has passed means now.
            options: `allowConcurrency`, `allowUnconfirmed`; also as keywords.

        Waits: never. Source: developers.cloudflare.com/durable-objects/api/alarms/#setalarm
        """
        try:
            self._use("setAlarm()")
            at_ms = alarm_time(scheduledTime)
            if not hasattr(self._instance.object or self._instance.actor.namespace.cls, "alarm"):
                raise PlatformTypeError(
                    "Your Durable Object class must have an alarm() handler in order to call "
                    "setAlarm()"
                )
            confirmed = self._confirmed("setAlarm", ALARM_OPTIONS, options, keywords)
            self._store.touch(confirmed=confirmed)
            self._kv.set_alarm(at_ms)
            self._instance.runtime.alarms.written(self._instance.actor)
            return NOTHING
        except Exception as error:  # noqa: BLE001 - awaiting raises it
            return Rejected(error)

    def deleteAlarm(self, options: Any = None, **keywords: Any) -> Promise:  # noqa: N802
        """Remove the alarm, if there is one; the run that is under way goes on.

        Waits: never. Source: developers.cloudflare.com/durable-objects/api/alarms/#deletealarm
        """
        try:
            self._use("deleteAlarm()")
            confirmed = self._confirmed("deleteAlarm", ALARM_OPTIONS, options, keywords)
            actor = self._instance.actor
            alarms = self._instance.runtime.alarms
            if self._kv.alarm_ms is not None:
                self._store.touch(confirmed=confirmed)
                self._kv.set_alarm(None)
                alarms.written(actor)
            return NOTHING
        except Exception as error:  # noqa: BLE001 - awaiting raises it
            return Rejected(error)

    # ------------------------------------------------------------------ checks

    def _confirmed(
        self, method: str, known: tuple[str, ...], options: Any, keywords: dict[str, Any]
    ) -> bool:
        if options is None and not keywords:
            return True
        return not read_options(method, "PutOptions", known, options, keywords).get(
            "allowUnconfirmed"
        )

    def _check_key(self, key: Any) -> str:
        key = read_key(key)
        if self._limited and len(key) > 512:
            size = len(key.encode("utf-8", "surrogatepass"))
            if size > limits.MAX_KEY_BYTES:
                raise PlatformRangeError(
                    f"Keys cannot be larger than {limits.MAX_KEY_BYTES} bytes. A key of size "
                    f"{size} was provided."
                )
        return key

    def _check_keys(self, keys: Iterable[Any]) -> Sequence[str]:
        checked = [self._check_key(key) for key in keys]
        self._check_count(len(checked))
        return checked

    def _check_count(self, count: int) -> None:
        if self._limited and count > limits.MAX_BATCH_KEYS:
            raise PlatformRangeError(
                f"Maximum number of key value pairs is {limits.MAX_BATCH_KEYS}. {count} pairs were "
                "provided."
            )

    def _check_size(self, key: str, frozen: Any) -> None:
        maximum = self._max_entry
        if weight(frozen) * 3 < maximum - len(key) * 4:
            return
        size = len(serialize(frozen))
        if self._sqlite:
            size += len(key.encode("utf-8", "surrogatepass"))
        if self._sqlite:
            if size > maximum:
                raise PlatformError("string or blob too big: SQLITE_TOOBIG")
        elif size > maximum + limits.KV_VALUE_GRACE_BYTES:
            raise PlatformRangeError(
                f"Values cannot be larger than {maximum} bytes. A value of size {size} was "
                "provided."
            )


def weight(value: Any) -> int:
    """Return a number that three times over is surely more than the bytes a value takes."""
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value) + 8
    if isinstance(value, dict):
        return 8 + sum(weight(k) + weight(v) for k, v in value.items())
    if isinstance(value, list | set):
        return 8 + sum(map(weight, value))
    if kind in _SMALL:
        return 8 if kind is not int else 8 + value.bit_length() // 8
    return limits.MAX_SQLITE_ENTRY_BYTES  # rare kinds are measured


def alarm_time(value: Any) -> int:
    """Return an alarm's time in ms since 1970.

    Raises:
        PlatformTypeError: If it is no time, or not positive.
    """
    if isinstance(value, dt.datetime):
        value = value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)
        at_ms = value.timestamp() * 1000
    elif isinstance(value, int | float) and not isinstance(value, bool):
        at_ms = value
        if at_ms != at_ms or at_ms in (float("inf"), float("-inf")):
            raise PlatformTypeError("The value cannot be converted because it is not a valid Date.")
    else:
        raise PlatformTypeError(
            "Failed to execute 'setAlarm' on 'DurableObjectStorage': parameter 1 is not of type "
            "'date'."
        )
    if at_ms <= 0:
        raise PlatformTypeError("setAlarm() cannot be called with an alarm time <= 0")
    return round(at_ms)


class DurableObjectTransaction(Operations):
    """`txn`, what a transaction's closure is given. It is dead once the transaction is over."""

    def __init__(self, instance: "Instance") -> None:
        super().__init__(instance)
        self._rolled_back = False
        self._over = False

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

    def deleteAll(self, *_: Any, **__: Any) -> Promise:  # noqa: N802
        """Refuse: everything cannot be deleted inside a transaction."""
        return Rejected(PlatformError("Cannot call deleteAll() within a transaction"))

    def _use(self, operation: str) -> None:
        super()._use(operation)
        if self._rolled_back:
            raise PlatformError(f"Cannot {operation} on rolled back transaction")
        if self._over:
            raise PlatformError(
                f"Cannot call {operation} on transaction that has already committed: did you move "
                "`txn` outside of the closure?"
            )

    def __repr__(self) -> str:
        return f"<transaction of {self._instance.actor.label}>"


class DurableObjectStorage(Operations):
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

    def deleteAll(self, options: Any = None, **keywords: Any) -> Promise:  # noqa: N802
        """Remove all rows, all SQL tables and the alarm.

        Waits: never. Source: developers.cloudflare.com/durable-objects/api/storage-api/#deleteall
        """
        try:
            self._use("deleteAll()")
            read_options("deleteAll", "PutOptions", PUT_OPTIONS, options, keywords)
            if self._store.transactions:
                raise PlatformError("Cannot call deleteAll() within a transaction")
            self._store.touch()
            self._store.delete_all()
            actor = self._instance.actor
            if self._kv.alarm_ms is not None:
                self._kv.set_alarm(None)
                self._instance.runtime.alarms.written(actor)
            return NOTHING
        except Exception as error:  # noqa: BLE001 - awaiting raises it
            return Rejected(error)

    def sync(self) -> Promise:
        """Return a promise that is done when everything written so far is durable.

        Source: developers.cloudflare.com/durable-objects/api/storage-api/#sync
        """
        try:
            self._use("sync()")
        except Exception as error:  # noqa: BLE001 - awaiting raises it
            return Rejected(error)
        return self._instance.runtime.durable(self._instance)

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
            store.begin_transaction(explicit=True)
            txn = DurableObjectTransaction(self._instance)
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
                store.commit_transaction(explicit=True)
            txn._over = True
            return result

        return SectionPromise(Section(self._instance, body, breaks=False))

    def transactionSync(self, closure: Callable[[], Any]) -> Any:  # noqa: N802
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
            result = closure()
        except BaseException:
            self._store.rollback_transaction(explicit=False)
            self._instance.runtime.alarms.written(self._instance.actor)
            raise
        self._store.commit_transaction(explicit=False)
        return result

    def end(self, error: BaseException) -> None:
        """Refuse everything from now on: the instance is gone."""
        self._ended = error

    def check(self) -> None:
        """Raise if the instance is gone."""
        if self._ended is not None:
            raise self._ended

    def __repr__(self) -> str:
        return f"<storage of {self._instance.actor.label}>"


class _SqlHost:
    """What SQL needs of an object's storage."""

    def __init__(self, storage: DurableObjectStorage) -> None:
        self.unsafe_limits = storage._store.unsafe_limits
        self.connection = storage._store.connection
        self.will_write = storage._store.will_write
        self.check = storage.check


class SyncKvStorage:
    """`ctx.storage.kv`: the same rows, without promises.

    Source: developers.cloudflare.com/durable-objects/api/sqlite-storage-api/#synchronous-kv-api
    """

    def __init__(self, storage: DurableObjectStorage) -> None:
        self._storage = storage
        self._kv = storage._kv
        self._iteration = 0

    def _use(self) -> None:
        self._storage.check()
        if not self._storage._sqlite:
            raise PlatformError(
                "The storage.kv (synchronous KV) API is only available for SQLite-backed Durable "
                "Objects, but this object's namespace is not declared to use SQLite. You can use "
                "the older, asyncronous interface via methods of `storage` itself (e.g. "
                "`storage.get()`). Alternatively, to enable SQLite, change `new_classes` to "
                "`new_sqlite_classes` within the 'migrations' field in your wrangler.jsonc or "
                "wrangler.toml file. If using workerd directly, set `enableSql = true` in your "
                "workerd config for the class. Note that this change cannot be made after the "
                "class is already deployed to production."
            )

    def get(self, key: str) -> Any:
        """Return the value of a key, None if there is none."""
        self._use()
        return self._kv.get(self._storage._check_key(key))

    def put(self, key: str, value: Any) -> None:
        """Store a value."""
        self._use()
        key = self._storage._check_key(key)
        frozen = freeze(value)
        if self._storage._limited and type(frozen) not in _SMALL:
            self._storage._check_size(key, frozen)
        self._storage._store.touch()
        self._kv.put(key, frozen)

    def delete(self, key: str) -> bool:
        """Remove a key; returns whether there was a value."""
        self._use()
        key = self._storage._check_key(key)
        self._storage._store.touch()
        return self._kv.delete(key)

    def list(self, options: Any = None, **keywords: Any) -> Iterator[tuple[str, Any]]:
        """Return an iterator over (key, value), live; a second `list` ends the first.

        Takes the options of `storage.list`.
        """
        self._use()
        chosen = read_options("list", "ListOptions", LIST_OPTIONS, options, keywords)
        limit = list_limit(chosen)
        low, high = list_range(**chosen)
        self._iteration += 1
        return self._rows(low, high, bool(chosen.get("reverse")), limit, self._iteration)

    def _rows(
        self,
        low: str,
        high: str | None,
        reverse: bool,
        limit: int | None,
        iteration: int,  # noqa: FBT001
    ) -> Iterator[tuple[str, Any]]:
        left = limit
        while left is None or left > 0:
            if iteration != self._iteration:
                raise PlatformError(
                    "kv.list() iterator was invalidated because a new call to kv.list() was "
                    "started. Only one kv.list() iterator can exist at a time."
                )
            if high is not None and low >= high:
                return
            row = self._kv.scan(low, high, reverse=reverse, limit=1)
            if not row:
                return
            ((key, value),) = row.items()
            yield key, value
            if reverse:
                high = key
            else:
                low = key + "\x00"
            if left is not None:
                left -= 1

    def __repr__(self) -> str:
        return f"<kv of {self._storage!r}>"
