"""`%storage`, `%sql`, `%objects`: looking at objects without waking them."""

import argparse
from pathlib import Path

from IPython.core.magic import line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from dobook.errors import UsageError
from dobook.notebook.core.frame import Frame
from dobook.notebook.core.magic import MagicsBase, command, target_argument
from dobook.notebook.inspector.object_frames import objects_frame, sql_frame, storage_frame
from dobook.notebook.inspector.sql_reader import Reader
from dobook.notebook.inspector.state_frames import differences_frame
from dobook.notebook.past.moments import ObjectPast
from dobook.notebook.storage.diff_targets import compare
from dobook.notebook.storage.open_state import State
from dobook.notebook.timeline.trace_frames import costs_frame
from dobook.runtime.access import kernel_of
from dobook.storage.sql.storage import SqlStorage


@magics_class
class StorageMagics(MagicsBase):
    """The magics that look at what objects keep."""

    @line_magic
    @command
    @magic_arguments()
    @argument("target", nargs="?", metavar="OBJ", help="The object: BINDING/name.")
    @argument("--prefix", default="", metavar="TEXT", help="Only keys that begin so.")
    @argument(
        "--state",
        metavar="PATH",
        help="Look into a state directory or snapshot instead; OBJ is CLASS/name or CLASS/id there, "
        "CLASS its objects, nothing all of them.",
    )
    @argument(
        "--diff",
        metavar="OTHER",
        help="Compare with another object, a bookmark, a time (or how long ago, like 10m), a "
        "snapshot, a state directory, or $name of a fork. Without OBJ everything is compared.",
    )
    @argument(
        "--history",
        action="store_true",
        help="Give the moments that the object can go back to: look, compare, fork, go back.",
    )
    def storage(self, args: argparse.Namespace) -> Frame | ObjectPast:
        """Show the keys and values an object has stored, or what differs from another moment.

        Returns a DataFrame: key, value, type (of the value), bytes (as it is stored). With --diff:
        object, what, key, change, here, there. With --state and no object: the objects there. With
        --history: the object's moments; `.points()` is a DataFrame of them.

        Example::

            %storage COUNTER/a
            %storage COUNTER/a --diff 10m
            %storage COUNTER/a --history
            %storage --state ./state Counter/a
        """
        if args.state is not None:
            return _look_into(args)
        if args.diff is not None:
            found, here, there = compare(self.session, self.names, args.target, args.diff)
            return differences_frame(found, here, there, self.session.runtime.clock.now_ms)
        if args.target is None:
            raise UsageError("which object? Write %storage BINDING/name; %objects lists them.")
        if args.history:
            return ObjectPast(self.session, args.target)
        target = self.session.target(args.target)
        store = self.session.store(target)
        now_ms = self.session.runtime.clock.now_ms
        return storage_frame(store, target.label, args.prefix, now_ms)

    @line_magic
    @command
    @magic_arguments()
    @argument("--state", metavar="PATH", help="Look into a state directory or snapshot instead.")
    @target_argument
    @argument("query", nargs=argparse.REMAINDER, metavar="SQL", help="A statement that reads.")
    def sql(self, args: argparse.Namespace) -> Frame:
        """Ask an object's SQL database; nothing can be written this way.

        Returns a DataFrame with the query's columns.

        Example::

            %sql COUNTER/a select name from sqlite_master where type = 'table'
        """
        query = _behind(args)
        if not query:
            raise UsageError(f"write a query, for instance: %sql {args.target} select 1")
        if args.state is not None:
            return State(Path(args.state).expanduser()).sql(args.target, query)
        target = self.session.target(args.target)
        if not target.namespace.sqlite:
            raise UsageError(
                f"{target.namespace.class_name} keeps key-value rows only. Look at them with "
                f"%storage {target.label}"
            )
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
    @argument("--cost", action="store_true", help="Show what each has used, and its price.")
    def objects(self, args: argparse.Namespace) -> Frame:
        """Show the objects the runtime knows.

        Returns a DataFrame: object, class, state (running, idle or evicted), keys, alarm, requests,
        id. With --cost: object, requests, gb_s, reads, writes, stored_bytes, usd,
        storage_usd_month, at the published prices and with nothing included.

        Example::

            %objects COUNTER
            %objects --cost
        """
        runtime = self.session.runtime
        runtime.settle(alarms=False)
        known = [n.binding for n in kernel_of(runtime).namespaces]
        if args.binding is not None:
            known = [runtime.namespace(args.binding.partition("/")[0]).binding]
        now_ms = runtime.clock.now_ms
        if args.cost:
            return costs_frame([c for c in runtime.costs() if c.binding in known], now_ms)
        return objects_frame([o for o in runtime.objects() if o.binding in known], now_ms)


def _look_into(args: argparse.Namespace) -> Frame:
    state = State(Path(args.state).expanduser())
    if args.diff is not None:
        return state.diff(State(Path(args.diff).expanduser()), args.target)
    if args.target is not None and "/" in args.target:
        return state.storage(args.target, prefix=args.prefix)
    return state.objects(args.target)


def _behind(args: argparse.Namespace) -> str:
    """Return what stands behind the object on a line, without quotes round all of it."""
    rest, before = args.line, ""
    for written, word in zip(args.written, args.words, strict=True):
        rest = rest.partition(written)[2]
        if "/" in word and not word.startswith("-") and before != "--state":
            break
        before = word
    rest = rest.strip()
    if len(rest) > 1 and rest[0] == rest[-1] == '"':
        rest = rest[1:-1]
    return str(rest)
