"""`%storage`, `%sql`, `%objects`: looking at objects without waking them."""

import argparse

from IPython.core.error import UsageError
from IPython.core.magic import line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from dobook.errors import UnknownNameError
from dobook.notebook.frames import Frame, objects_frame, sql_frame, storage_frame
from dobook.notebook.magics.base import MagicsBase, command, target_argument
from dobook.notebook.reading import Reader
from dobook.storage.sql import SqlStorage


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
