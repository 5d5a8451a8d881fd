"""`%evict` and `%crash`: ending an object's life in memory, and what that leaves."""

import argparse

from IPython.core.error import UsageError
from IPython.core.magic import line_magic, magics_class
from IPython.core.magic_arguments import magic_arguments

from dobook.clock import format_time
from dobook.notebook.display import Card, count
from dobook.notebook.magics.base import MagicsBase, command, target_argument
from dobook.notebook.session import Target
from dobook.runtime.snapshots import ObjectSnapshot


@magics_class
class FaultMagics(MagicsBase):
    """The magics that break things on purpose."""

    @line_magic
    @command
    @magic_arguments()
    @target_argument
    def evict(self, args: argparse.Namespace) -> Card:
        """Take an object out of memory once it is idle, as the platform does after a while.

        Its attributes are lost; its storage and its alarm stay. The next event makes a new
        instance.

        Returns a card of what was lost and what is kept.

        Example::

            %evict COUNTER/a
        """
        target, _ = self._living(args.target)
        runtime = self.session.runtime
        runtime.run(runtime.evict(target.stub))
        return self._card(target, "evicted", "the instance and its attributes")

    @line_magic
    @command
    @magic_arguments()
    @target_argument
    def crash(self, args: argparse.Namespace) -> Card:
        """End an object's life at once: calls under way fail, what was not committed is lost.

        What a caller has been answered survives.

        Returns a card of what was lost and what is kept.

        Example::

            %crash COUNTER/a
        """
        target, found = self._living(args.target)
        runtime = self.session.runtime
        runtime.crash(target.stub)
        runtime.settle()
        lost = "the instance and its attributes"
        if found.state == "running":
            lost += ", the calls under way, what they had not committed"
        return self._card(target, "crashed", lost)

    def _living(self, text: str) -> tuple[Target, ObjectSnapshot]:
        target = self.session.target(text)
        self.session.runtime.settle()
        found = self._snapshot(target)
        if found is None or found.state == "evicted":
            raise UsageError(f"{text} is not in memory; there is nothing to end.")
        return target, found

    def _snapshot(self, target: Target) -> ObjectSnapshot | None:
        identity = target.stub.id.toString()
        for found in self.session.runtime.objects():
            if found.id == identity and found.binding == target.namespace.binding:
                return found
        return None

    def _card(self, target: Target, what: str, lost: str) -> Card:
        store = self.session.store(target)
        kept = "nothing was stored"
        if store is not None:
            kept = count(len(list(store.kv.keys())), "key")
            if store.kv.alarm_ms is not None:
                kept += f", alarm at {format_time(store.kv.alarm_ms)}"
        return Card(target.label, (("lost", lost), ("kept", kept)), what)
