"""`%storage`, `%sql`, `%objects`, `%rate_limit`: looking at objects without waking them."""

import argparse
import datetime as dt
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from dobook.clock import parse_duration
from dobook.errors import UnknownNameError
from dobook.notebook.frames import Frame, objects_frame, sql_frame, storage_frame, window_frame
from dobook.notebook.magics.base import MagicsBase, command, target_argument
from dobook.notebook.reading import Reader
from dobook.storage.sql import SqlStorage
from dobook.storage.store import ObjectStore


@magics_class
class StorageMagics(MagicsBase):
    """The magics that look at what objects keep."""

    @line_magic
    @command
    @magic_arguments()
    @target_argument
    @argument("--prefix", default="", metavar="TEXT", help="Only keys that begin so.")
    def storage(self, args: argparse.Namespace) -> Frame:
        """Show the keys and values an object has stored.

        Returns a DataFrame: key, value, type (of the value), bytes (as it is stored).

        Example::

            %storage COUNTER/a
        """
        target = self.session.target(args.target)
        store = self.session.store(target)
        now_ms = self.session.runtime.clock.now_ms
        return storage_frame(store, target.label, args.prefix, now_ms)

    @line_magic
    @command
    @magic_arguments()
    @target_argument
    @argument("query", nargs=argparse.REMAINDER, metavar="SQL", help="A statement that reads.")
    def sql(self, args: argparse.Namespace) -> Frame:
        """Ask an object's SQL database; nothing can be written this way.

        Returns a DataFrame with the query's columns.

        Example::

            %sql COUNTER/a select name from sqlite_master where type = 'table'
        """
        target = self.session.target(args.target)
        if not target.namespace.sqlite:
            raise UsageError(
                f"{target.namespace.class_name} keeps key-value rows only. Look at them with "
                f"%storage {target.label}"
            )
        query = args.line.partition(args.words[0])[2].strip()
        if len(query) > 1 and query[0] == query[-1] == '"':
            query = query[1:-1]
        if not query:
            raise UsageError(f"write a query, for instance: %sql {target.label} select 1")
        store = self.session.store(target)
        now_ms = self.session.runtime.clock.now_ms
        if store is None:
            return sql_frame((), (), f"{target.label} has never been used", now_ms)
        cursor = SqlStorage(Reader(store)).exec(query)
        return sql_frame(cursor.columnNames, list(cursor.raw()), target.label, now_ms)

    @line_magic
    @command
    @magic_arguments()
    @argument("binding", nargs="?", metavar="BINDING", help="Only the objects of this class.")
    def objects(self, args: argparse.Namespace) -> Frame:
        """Show the objects the runtime knows.

        Returns a DataFrame: object, class, state (running, idle or evicted), keys, alarm, requests,
        id.

        Example::

            %objects COUNTER
        """
        runtime = self.session.runtime
        runtime.settle()
        found = runtime.objects()
        if args.binding is not None:
            wanted = args.binding.partition("/")[0]
            known = {n.binding for n in runtime.namespaces}
            if wanted not in known:
                raise UnknownNameError("binding", wanted, known)
            found = [o for o in found if o.binding == wanted]
        return objects_frame(found, runtime.clock.now_ms)

    @line_magic
    @command
    @magic_arguments()
    @target_argument
    @argument("--window", default="60s", metavar="DURATION", help="The window's length, 60s.")
    @argument("--limit", type=int, default=10, metavar="N", help="Hits a window may have, 10.")
    @argument("--key", default="requests", metavar="KEY", help="Where the times are stored.")
    def rate_limit(self, args: argparse.Namespace) -> Frame:
        """Show a rate limiter's sliding window: each hit, its age and when it frees.

        The object stores the times of its hits as a list, in ms since 1970 or as datetimes.

        Returns a DataFrame: hit, age_s, frees, frees_in_s; `.attrs` has remaining and retry_after.

        Example::

            %rate_limit RATE_LIMITER/ada --window 60s --limit 10
        """
        target = self.session.target(args.target)
        window_ms = parse_duration(args.window)
        if window_ms < 1 or args.limit < 1:
            raise UsageError("--window and --limit are more than 0.")
        store = self.session.store(target)
        hits = [] if store is None else self._hits(store, target.label, args.key)
        now_ms = self.session.runtime.clock.now_ms
        return window_frame(hits, target.label, window_ms, args.limit, now_ms)

    def _hits(self, store: ObjectStore, label: str, key: str) -> list[int]:
        value = store.kv.get(key)
        if value is None:
            keys = list(store.kv.keys())
            if keys:
                raise UnknownNameError("key", key, keys)
            return []
        times = [_milliseconds(item) for item in value] if isinstance(value, list) else [None]
        if None in times:
            raise UsageError(
                f"{key!r} of {label} is no list of times: {value!r:.60}. A limiter stores when its "
                "hits were, in ms since 1970."
            )
        return [time for time in times if time is not None]


def _milliseconds(value: Any) -> int | None:
    if isinstance(value, dt.datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return round(value)
    return None
