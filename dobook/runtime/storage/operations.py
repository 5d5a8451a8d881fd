"""The storage methods that `ctx.storage` and a transaction have in common.

Source: cloudflare/workerd src/workerd/api/actor-state.c++ (`DurableObjectStorageOperations`)
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from dobook import limits
from dobook.codec import freeze, serialize
from dobook.errors import PlatformError, PlatformRangeError, PlatformTypeError, misspelt
from dobook.ownership import STORAGE
from dobook.runtime.calls.foreign import refuse_foreign
from dobook.runtime.calls.promise import Promise, Rejected
from dobook.runtime.loop.frame import current_frame
from dobook.runtime.storage.arguments import (
    ALARM_OPTIONS,
    GET_OPTIONS,
    LIST_OPTIONS,
    PUT_OPTIONS,
    SMALL,
    UNSET,
    alarm_time,
    check_alarm_handler,
    list_range,
    read_key,
    read_options,
    weight,
    wrong_type,
)
from dobook.runtime.storage.listing import Listed
from dobook.runtime.storage.stored import Stored, StoredAlarm
from dobook.storage.kv import KV
from dobook.storage.store import ObjectStore

if TYPE_CHECKING:
    from dobook.runtime.protocols import Instance

NOBODY: Final = object()  # in place of a frame: check each use of the storage


class Operations:
    """The methods that `ctx.storage` and a transaction have in common."""

    __slots__ = (
        "_done",
        "_ended",
        "_frame",
        "_instance",
        "_kv",
        "_limited",
        "_max_entry",
        "_sqlite",
        "_store",
    )

    _NAME: ClassVar[str]
    """What the platform calls the interface, for its errors."""

    def __init__(self, instance: "Instance") -> None:
        self._instance = instance
        self._frame: object = instance  # its code need not pass the checks of `_use`; or NOBODY
        self._store: ObjectStore = instance.actor.store
        self._kv: KV = self._store.kv
        self._limited = not self._store.unsafe_limits
        namespace = instance.actor.namespace
        self._max_entry = (
            limits.MAX_SQLITE_ENTRY_BYTES if namespace.sqlite else limits.MAX_KV_VALUE_BYTES
        )
        self._sqlite = namespace.sqlite
        self._ended: BaseException | None = None
        self._done = Stored(instance, None)  # the promise of all writes of a turn

    if not TYPE_CHECKING:  # a type checker is to find a misspelt name itself

        def __getattr__(self, name: str) -> Any:
            raise misspelt(self, name)

    def _use(self, operation: str) -> None:
        """Refuse an operation whose storage cannot be used any more, or not by this code.

        The engine reads the arguments first: a wrong one is refused with its own error, and a
        listing of no keys at all is answered, whatever the state of the storage.
        """
        frame = current_frame.get()
        if frame is not None and frame.instance is not self._instance:
            refuse_foreign(frame.instance.actor, self._instance.actor, STORAGE)
        if self._ended is not None:
            raise self._ended

    # ------------------------------------------------------------------ reading

    def get(self, key: object = UNSET, options: object = None, **keywords: Any) -> Promise:
        """Return the value of a key, or the values of a list of up to 128 keys.

        Args:
            key: A text, or a list of texts.
            options: `allowConcurrency`, `noCache`; also as keywords.

        Returns:
            A promise of the value, or of None; for a list, of a dict of those that
            exist, ordered by the keys' UTF-8 bytes. Each is a fresh copy.

        Example:
            >>> async def handler(storage):
            ...     return await storage.get("n") or 0

        Waits: only for own tasks that are ready.
        Source: developers.cloudflare.com/durable-objects/api/storage-api/#get
        """
        try:
            if options is not None or keywords:
                read_options(self._NAME, "get", GET_OPTIONS, options, keywords)
            if type(key) is str and len(key) <= 512 and key.isascii():
                if current_frame.get() is not self._frame:
                    self._use("get()")
                return Stored(self._instance, self._kv.get(key))
            if isinstance(key, list | tuple):
                keys = self._check_keys(key)
                if current_frame.get() is not self._frame:
                    self._use("get()")
                found = ((k, self._kv.get(k)) for k in sorted(set(keys)) if self._kv.has(k))
                return Stored(self._instance, Listed(found))
            if key is UNSET:
                raise wrong_type(self._NAME, "get", 1, "string or Array")
            key = self._check_key(key)
            if current_frame.get() is not self._frame:
                self._use("get()")
            return Stored(self._instance, self._kv.get(key))
        except Exception as error:
            return Rejected(error)

    def list(self, options: object = None, **keywords: Any) -> Promise:
        """Return the rows in order of the keys' UTF-8 bytes.

        Args:
            options: `start`, `startAfter`, `end`, `prefix`, `reverse`, `limit`,
                `allowConcurrency`, `noCache`; also as keywords.

        Returns:
            A promise of a dict, empty when nothing matches.

        Example:
            >>> async def handler(storage):
            ...     return await storage.list(prefix="user:", limit=10)

        Waits: only for own tasks that are ready.
        Source: developers.cloudflare.com/durable-objects/api/storage-api/#list
        """
        try:
            chosen = read_options(self._NAME, "list", LIST_OPTIONS, options, keywords)
            low, high, limit = list_range(**chosen)
            if high is not None and low >= high:
                return Stored(self._instance, Listed())
            self._use("list()")
            if self._kv.cursor is not None:
                self._kv.cursor.cancel()
            reverse = bool(chosen.get("reverse"))
            return Stored(
                self._instance, Listed(self._kv.scan(low, high, reverse=reverse, limit=limit))
            )
        except Exception as error:
            return Rejected(error)

    def getAlarm(self, options: object = None, **keywords: Any) -> Promise:
        """Return the alarm's time in ms since 1970, None without one or while its handler runs.

        Waits: only for own tasks that are ready.
        Source: developers.cloudflare.com/durable-objects/api/alarms/#getalarm
        """
        try:
            read_options(self._NAME, "getAlarm", ALARM_OPTIONS, options, keywords)
            self._use("getAlarm()")
            return StoredAlarm(
                self._instance, self._instance.runtime.alarms.visible_ms(self._instance.actor)
            )
        except Exception as error:
            return Rejected(error)

    # ------------------------------------------------------------------ writing

    def put(
        self, key: object = UNSET, value: object = UNSET, options: object = None, **keywords: Any
    ) -> Promise:
        """Store a value under a key, or a dict of up to 128 entries.

        Args:
            key: A text; or a dict of entries, followed by nothing but options.
            value: What structured clone can copy; it is copied now.
            options: `allowUnconfirmed`, `allowConcurrency`, `noCache`; also as keywords.

        Returns:
            A promise of None. The answer to the object's caller waits for the disk, unless
            `allowUnconfirmed`.

        Example:
            >>> async def handler(storage):
            ...     await storage.put("n", 1)
            ...     await storage.put({"a": 1, "b": 2})

        Waits: only for own tasks that are ready.
        Source: developers.cloudflare.com/durable-objects/api/storage-api/#put
        """
        try:
            if type(key) is str and value is not UNSET and key.isascii():
                confirmed = True
                if options is not None or keywords:
                    confirmed = self._confirmed("put", PUT_OPTIONS, options, keywords)
                if len(key) > 512:
                    self._check_key(key)
                frozen = freeze(value)
                if self._limited and type(frozen) not in SMALL:
                    self._check_size(key, frozen)
                if current_frame.get() is not self._frame:
                    self._use("put()")
                store = self._store
                store.touch(confirmed=confirmed)
                store.kv.put(key, frozen)
                done, instance = self._done, self._instance  # `_wrote`, written out for speed
                if instance.tasks:
                    return Stored(instance, None)
                done._state = (instance, None, instance.runtime.loop.tick)
                return done
            return self._put_general(key, value, options, keywords)
        except Exception as error:
            return Rejected(error)

    def _put_general(
        self, key: object, value: object, options: object, keywords: dict[str, Any]
    ) -> Promise:
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
        elif key is UNSET:
            raise wrong_type(self._NAME, "put", 1, "string or object")
        elif value is UNSET:
            raise PlatformTypeError("put() called with undefined value.")
        else:
            entries = [(self._check_key(key), freeze(value))]
        confirmed = self._confirmed("put", PUT_OPTIONS, options, keywords)
        if self._limited:
            for k, frozen in entries:
                if type(frozen) not in SMALL:
                    self._check_size(k, frozen)
        if current_frame.get() is not self._frame:
            self._use("put()")
        if entries:
            self._store.touch(confirmed=confirmed)
            put = self._kv.put
            for k, frozen in entries:
                put(k, frozen)
        else:
            self._kv.note_engine_table("_cf_KV")
        return self._wrote()

    def delete(self, key: object = UNSET, options: object = None, **keywords: Any) -> Promise:
        """Remove a key, or a list of up to 128 keys.

        Returns:
            A promise of whether there was a value; for a list, of how many there were.

        Waits: only for own tasks that are ready.
        Source: developers.cloudflare.com/durable-objects/api/storage-api/#delete
        """
        try:
            confirmed = self._confirmed("delete", PUT_OPTIONS, options, keywords)
            if isinstance(key, list | tuple):
                keys = self._check_keys(key)
                if current_frame.get() is not self._frame:
                    self._use("delete()")
                self._store.touch(confirmed=confirmed)
                return Stored(self._instance, sum(self._kv.delete(k) for k in keys))
            if key is UNSET:
                raise wrong_type(self._NAME, "delete", 1, "string or Array")
            key = self._check_key(key)
            if current_frame.get() is not self._frame:
                self._use("delete()")
            self._store.touch(confirmed=confirmed)
            return Stored(self._instance, self._kv.delete(key))
        except Exception as error:
            return Rejected(error)

    def setAlarm(
        self,
        scheduledTime: object = UNSET,
        options: object = None,
        **keywords: Any,
    ) -> Promise:
        """Schedule a call of `alarm()`; this replaces an alarm that is set already.

        Args:
            scheduledTime: Milliseconds since 1970 or a datetime (without a time zone: UTC). A
                time that has passed means now.
            options: `allowConcurrency`, `allowUnconfirmed`; also as keywords.

        Waits: only for own tasks that are ready.
        Source: developers.cloudflare.com/durable-objects/api/alarms/#setalarm
        """
        try:
            at_ms = alarm_time(self._NAME, scheduledTime)
            # A constructor may: the engine does not know the object's methods yet.
            made = self._instance.object
            kind = self._instance.actor.namespace.cls if made is None else made
            if not hasattr(kind, "alarm") and (
                made is not None or getattr(kind, "_has_every_name_", False)
            ):
                check_alarm_handler(kind)
            confirmed = True
            if options is not None or keywords:
                confirmed = self._confirmed("setAlarm", ALARM_OPTIONS, options, keywords)
            if current_frame.get() is not self._frame:
                self._use("setAlarm()")
            self._store.touch(confirmed=confirmed)
            # The platform takes a time that has passed for now.
            runtime = self._instance.runtime
            now_ms = runtime.loop.now_ms
            self._kv.set_alarm(max(at_ms, now_ms))
            runtime.alarms.written(self._instance.actor, later=at_ms > now_ms)
            return self._wrote()
        except Exception as error:
            return Rejected(error)

    def deleteAlarm(self, options: object = None, **keywords: Any) -> Promise:
        """Remove the alarm, if there is one; a run that is under way continues.

        Waits: only for own tasks that are ready.
        Source: developers.cloudflare.com/durable-objects/api/alarms/#deletealarm
        """
        try:
            confirmed = self._confirmed("deleteAlarm", ALARM_OPTIONS, options, keywords)
            self._use("deleteAlarm()")
            actor = self._instance.actor
            alarms = self._instance.runtime.alarms
            if self._kv.alarm_ms is not None:
                self._store.touch(confirmed=confirmed)
                self._kv.set_alarm(None)
                alarms.written(actor)
            return self._wrote()
        except Exception as error:
            return Rejected(error)

    def _wrote(self) -> Stored:
        """Return the promise of a write: while there are no tasks, one for all writes of a turn."""
        done, instance = self._done, self._instance
        if instance.tasks:
            return Stored(instance, None)
        done._state = (instance, None, instance.runtime.loop.tick)
        return done

    # ------------------------------------------------------------------ checks

    def _confirmed(
        self, method: str, known: tuple[str, ...], options: object, keywords: dict[str, Any]
    ) -> bool:
        if options is None and not keywords:
            return True
        return not read_options(self._NAME, method, known, options, keywords).get(
            "allowUnconfirmed"
        )

    def _check_key(self, given: object) -> str:
        key = read_key(given)
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

    def _check_size(self, key: str, frozen: object) -> None:
        maximum = self._max_entry
        if weight(frozen) * 3 < maximum - len(key) * 4:
            return
        size = len(serialize(frozen))
        if self._sqlite:
            size += len(key.encode("utf-8", "surrogatepass"))
        if self._sqlite:
            if size > maximum:
                error = PlatformError("string or blob too big: SQLITE_TOOBIG")
                error.add_note(
                    f"The value of {key!r:.60} has {size:,} bytes with its key; at most {maximum:,} "
                    "can be kept under one key. Divide it."
                )
                raise error
        elif size > maximum + limits.KV_VALUE_GRACE_BYTES:
            raise PlatformRangeError(
                f"Values cannot be larger than {maximum} bytes. A value of size {size} was "
                "provided."
            )
