"""`ctx.storage.kv`: the rows without promises, for classes declared with `new_sqlite_classes`.

Source: developers.cloudflare.com/durable-objects/api/sqlite-storage-api/#synchronous-kv-api
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dobook.codec import freeze
from dobook.errors import PlatformError, misspelt
from dobook.runtime.storage_arguments import (
    LIST_OPTIONS,
    SMALL,
    list_limit,
    list_range,
    read_options,
)
from dobook.storage.kv import KV

if TYPE_CHECKING:
    from dobook.runtime.storage import DurableObjectStorage


class SyncKvStorage:
    """`ctx.storage.kv`: the same rows, without promises.

    Source: developers.cloudflare.com/durable-objects/api/sqlite-storage-api/#synchronous-kv-api
    """

    def __init__(self, storage: "DurableObjectStorage") -> None:
        self._storage = storage
        self._kv: KV = storage._kv
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
        reverse: bool,  # noqa: FBT001 - called in one place
        limit: int | None,
        iteration: int,
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

    def __getattr__(self, name: str) -> Any:
        raise misspelt(self, name)

    def __repr__(self) -> str:
        return f"<kv of {self._storage!r}>"
