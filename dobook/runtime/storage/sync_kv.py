"""`ctx.storage.kv`: the rows without promises, for classes declared with `new_sqlite_classes`.

Source: developers.cloudflare.com/durable-objects/api/sqlite-storage-api/#synchronous-kv-api
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from dobook.codec import deserialize, freeze, serialize
from dobook.errors import PlatformError, misspelt
from dobook.ownership import LISTING, Owner, check_owner
from dobook.runtime.storage.arguments import (
    LIST_OPTIONS,
    SMALL,
    list_range,
    read_options,
)
from dobook.storage.kv import KV, MISSING, fresh
from dobook.storage.live_rows import LiveRows

if TYPE_CHECKING:
    from dobook.runtime.storage.storage import DurableObjectStorage

SUPERSEDED: Final = (
    "kv.list() iterator was invalidated because a new call to kv.list() was started. Only one "
    "kv.list() iterator can exist at a time."
)
TAKEN_BACK: Final = (
    "internal error: the rows of this kv.list() iterator are gone, because of deleteAll() or of a "
    "transaction that was undone. Begin a new kv.list()."
)


class SyncKvStorage:
    """`ctx.storage.kv`: the same rows, without promises.

    Source: developers.cloudflare.com/durable-objects/api/sqlite-storage-api/#synchronous-kv-api
    """

    def __init__(self, storage: "DurableObjectStorage") -> None:
        self._storage = storage
        self._kv: KV = storage._kv

    def _use(self) -> None:
        self._storage._check()
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
        """Return the value of a key, or None."""
        self._use()
        return self._kv.get(self._storage._check_key(key))

    def put(self, key: str, value: object) -> None:
        """Store a value."""
        self._use()
        key = self._storage._check_key(key)
        frozen = freeze(value)
        if self._storage._limited and type(frozen) not in SMALL:
            self._storage._check_size(key, frozen)
        self._storage._store.touch()
        self._kv.put(key, frozen)

    def delete(self, key: str) -> bool:
        """Remove a key; returns whether there was a value."""
        self._use()
        key = self._storage._check_key(key)
        self._storage._store.touch()
        return self._kv.delete(key)

    def list(self, options: object = None, **keywords: Any) -> Iterator[tuple[str, Any]]:
        """Return an iterator over (key, value), live; a second `list` ends the first.

        Takes the options of `storage.list`.
        """
        self._use()
        chosen = read_options("SyncKvStorage", "list", LIST_OPTIONS, options, keywords)
        low, high, limit = list_range(**chosen)
        reverse = bool(chosen.get("reverse"))
        return Rows(
            self._kv, low, high, limit, reverse=reverse, owner=self._storage._instance.actor
        )

    if not TYPE_CHECKING:  # a type checker is to find a misspelt name itself

        def __getattr__(self, name: str) -> Any:
            raise misspelt(self, name)

    def __repr__(self) -> str:
        return f"<kv of {self._storage!r}>"


class Rows(Iterator[tuple[str, Any]]):
    """What `kv.list` returns: the first row is read at once, each further one when asked for.

    It is live: it meets what is written meanwhile as the engine's own iterator does. A range that
    cannot contain a key, and an object that never had a row, need no cursor: such an iterator
    neither ends another one nor is ended.
    """

    __slots__ = (
        "_at",
        "_canceled",
        "_first",
        "_high",
        "_kv",
        "_left",
        "_live",
        "_low",
        "_owner",
        "_reverse",
    )

    def __init__(
        self,
        kv: KV,
        low: str,
        high: str | None,
        limit: int | None,
        *,
        reverse: bool,
        owner: Owner | None = None,
    ) -> None:
        self._owner = owner
        self._kv: KV | None = None
        self._canceled = ""
        self._first: tuple[str, Any] | None = None
        self._low, self._high, self._left, self._reverse = low, high, limit, reverse
        self._at: str | None = None  # the row it is at; None before the first and after the last
        self._live: LiveRows | None = None  # once there has been a write
        if (high is None or low < high) and kv.has_engine_table("_cf_KV"):
            if kv.cursor is not None:
                kv.cursor.cancel()
            kv.cursor = self
            self._kv = kv
            self._first = self._step(kv)
            if self._first is None:
                self._left = 0  # what is written from now on comes too late

    def cancel(self) -> None:
        """End it, because another listing has begun."""
        self._fail(SUPERSEDED)

    def lose(self) -> None:
        """End it, because its rows are gone; one without rows has nothing to lose."""
        if self._at is not None:
            self._fail(TAKEN_BACK)

    def _fail(self, why: str) -> None:
        if self._kv is not None:
            self._end(self._kv)
            self._canceled = why

    def will_write(self, key: str, frozen: object) -> None:
        """Follow a write that is about to be made; MISSING for a row that is removed."""
        if self._at is None or self._kv is None:
            return
        if self._live is None:
            self._live = self._follow(self._kv, self._at)
        if frozen is MISSING:
            self._live.delete(key)
        else:
            self._live.put(key, serialize(frozen))

    def _follow(self, kv: KV, at: str) -> LiveRows:
        low, high = (self._low, at + "\x00") if self._reverse else (at, self._high)
        rows = [(key, serialize(freeze(value))) for key, value in kv.scan(low, high).items()]
        bound = self._low if self._reverse else self._high
        return LiveRows(rows, at, bound, reverse=self._reverse)

    def __next__(self) -> tuple[str, Any]:
        check_owner(self._owner, LISTING)
        kv = self._kv
        if kv is None:
            if self._canceled:
                raise PlatformError(self._canceled)
            raise StopIteration
        row, self._first = self._first, None
        if row is None:
            row = self._step(kv)
        if row is None:
            self._end(kv)
            raise StopIteration
        return row

    def _end(self, kv: KV) -> None:
        kv.cursor = self._kv = self._at = None
        if self._live is not None:
            self._live.close()
            self._live = None

    def _step(self, kv: KV) -> tuple[str, Any] | None:
        row = None if self._left == 0 else self._next_row(kv)
        if row is None:
            self._at = None
            return None
        self._at = row[0]
        if self._left is not None:
            self._left -= 1
        return row

    def _next_row(self, kv: KV) -> tuple[str, Any] | None:
        if self._live is not None:
            row = self._live.next()
            return None if row is None else (row[0], fresh(freeze(deserialize(row[1]))))
        low, high = self._low, self._high
        if self._at is not None:
            low, high = (low, self._at) if self._reverse else (self._at + "\x00", high)
        if high is not None and low >= high:
            return None
        found = kv.scan(low, high, reverse=self._reverse, limit=1)
        return next(iter(found.items()), None)
