"""Point-in-time recovery: `ctx.storage`'s bookmarks, and going back to one.

Local workerd does not have it; here it works as the hosted service documents it, in virtual time.
Source: developers.cloudflare.com/durable-objects/api/sqlite-storage-api/#pitr-point-in-time-recovery-api
"""

import datetime as dt
import math

from dobook.errors import PlatformError, PlatformTypeError
from dobook.runtime.calls.promise import Promise, Rejected
from dobook.runtime.storage.operations import Operations
from dobook.runtime.storage.stored import Stored
from dobook.storage.history.history import History


class PointInTimeRecovery(Operations):
    """The methods of `ctx.storage` for going back in time, for SQLite-backed classes."""

    def getCurrentBookmark(self) -> Promise:
        """Return a promise of the bookmark of the storage as it is now.

        Inside a transaction it is that of the storage before the transaction.

        Returns:
            A promise of a text; later bookmarks of an object are greater.

        Example:
            >>> async def handler(storage):
            ...     before = await storage.getCurrentBookmark()
            ...     await storage.put("mode", "new")
            ...     return before

        Waits: only for own tasks that are ready.
        Source: developers.cloudflare.com/durable-objects/api/sqlite-storage-api/
        """
        try:
            return Stored(self._instance, self._history("getCurrentBookmark").current())
        except Exception as error:
            return Rejected(error)

    def getBookmarkForTime(self, timestamp: object) -> Promise:
        """Return a promise of the bookmark of the storage as it was at a time.

        Args:
            timestamp: Milliseconds since 1970 or a datetime (without a time zone: UTC), at most
                30 days ago on the runtime's clock.

        Returns:
            A promise of a text; awaiting raises PlatformError if history does not reach so far.

        Waits: only for own tasks that are ready.
        Source: developers.cloudflare.com/durable-objects/api/sqlite-storage-api/
        """
        try:
            history = self._history("getBookmarkForTime")
            return Stored(self._instance, history.at_time(_milliseconds(timestamp)))
        except Exception as error:
            return Rejected(error)

    def onNextSessionRestoreBookmark(self, bookmark: str) -> Promise:
        """Restore the storage to a bookmark when the object is next started.

        This restores rows, SQL tables and the alarm. Call `ctx.abort()` afterwards to restore now.

        Args:
            bookmark: What one of the other methods returned.

        Returns:
            A promise of the bookmark of the storage just before it goes back, so that the
            recovery can be undone.

        Example:
            >>> async def handler(ctx, bookmark):
            ...     undo = await ctx.storage.onNextSessionRestoreBookmark(bookmark)
            ...     ctx.abort()

        Waits: only for own tasks that are ready.
        Source: developers.cloudflare.com/durable-objects/api/sqlite-storage-api/
        """
        try:
            return Stored(
                self._instance, self._history("onNextSessionRestoreBookmark").restore_next(bookmark)
            )
        except Exception as error:
            return Rejected(error)

    def _history(self, method: str) -> History:
        self._use(f"{method}()")
        if not self._sqlite:
            raise PlatformError(
                "This Durable Object's storage back-end does not implement point-in-time recovery."
            )
        history = self._store.history
        if history is None:
            raise PlatformError(
                "This Durable Object's storage back-end does not implement point-in-time recovery."
                '\nIt does with Runtime(history="30d"), which is the default.'
            )
        if not self._kv.layers:
            self._instance.runtime.stores.committer.flush()
        self._use(f"{method}()")  # the commit may have broken the object
        return history


def _milliseconds(value: object) -> float:
    if isinstance(value, dt.datetime):
        value = value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)
        return float(value.timestamp() * 1000)
    if isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value):
        return float(value)
    raise PlatformTypeError(
        "Failed to execute 'getBookmarkForTime' on 'DurableObjectStorage': parameter 1 is not of "
        "type 'date'."
    )
