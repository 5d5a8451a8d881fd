"""`%evict`, `%crash`, `%slow` and others: breaking things on purpose, and what that leaves."""

import argparse
from typing import Any

from IPython.core.magic import line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from dobook.clock import format_time, parse_duration
from dobook.errors import UsageError
from dobook.notebook.core.display import Card, count
from dobook.notebook.core.frame import Frame
from dobook.notebook.core.magic import MagicsBase, command, target_argument
from dobook.notebook.core.session import Target
from dobook.notebook.timeline.trace_frames import faults_frame
from dobook.runtime.access import kernel_of
from dobook.runtime.debug.snapshots import ObjectSnapshot

times_argument = argument(
    "times", type=int, nargs="?", default=1, metavar="N", help="How often; once by default."
)


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
        instance = kernel_of(runtime).actor_of(target.stub).instance
        if instance is not None and instance.sockets:
            raise UsageError(
                f"{target.label} stays in memory while anybody is connected: its sockets were "
                "accepted with accept(). With ctx.acceptWebSocket() they outlive its memory. To "
                f"end its life and its connections: %crash {target.label}"
            )
        runtime.run(runtime.evict(target.stub))
        return self._card(target, "evicted", "the instance and its attributes")

    @line_magic
    @command
    @magic_arguments()
    @target_argument
    @argument(
        "--at",
        metavar="POINT",
        nargs="+",
        help="Not now but at a point that it comes to: before commit, after commit, 2nd write, "
        "3rd await. Quotes are not needed.",
    )
    def crash(self, args: argparse.Namespace) -> Card | Frame:
        """End an object's life: calls under way fail, what was not committed is lost.

        What a caller has been answered survives. With --at the crash happens later and once;
        %faults shows what is planned.

        Returns a card of what was lost and what is kept; with --at a DataFrame of what is planned.

        Example::

            %crash COUNTER/a
            %crash COUNTER/a --at after commit
            %crash COUNTER/a --at 2nd write
        """
        if args.at is not None:
            target = self.session.target(args.target)
            self.session.runtime.faults.crash(target.stub, " ".join(args.at))
            return self._planned()
        target, found = self._living(args.target)
        runtime = self.session.runtime
        runtime.crash(target.stub)
        runtime.settle()
        lost = "the instance and its attributes"
        if found.state == "running":
            lost += ", the calls under way, what they had not committed"
        return self._card(target, "crashed", lost)

    @line_magic
    @command
    @magic_arguments()
    @argument("target", metavar="OBJ", help="An object, BINDING/name, or BINDING for its class.")
    @argument("latency", metavar="LATENCY", help="How long an operation takes: 50ms, 1s; or off.")
    def slow(self, args: argparse.Namespace) -> Frame:
        """Have each storage operation take virtual time, so that gates can be watched at work.

        The input gate is shut meanwhile, unless the operation has allowConcurrency; answers wait
        until what was written is durable.

        Returns a DataFrame of what is planned: object, fault, detail.

        Example::

            %slow COUNTER/a 50ms
            %slow COUNTER off
        """
        ms = 0 if args.latency == "off" else parse_duration(args.latency)
        self.session.runtime.faults.slow(self._which(args.target), ms)
        return self._planned()

    @line_magic
    @command
    @magic_arguments()
    @target_argument
    @times_argument
    def fail_writes(self, args: argparse.Namespace) -> Frame:
        """Have an object's next commits fail, as on a broken disk: each resets the object.

        Returns a DataFrame of what is planned: object, fault, detail.

        Example::

            %fail_writes COUNTER/a
        """
        self.session.runtime.faults.fail_writes(self._which(args.target), args.times)
        return self._planned()

    @line_magic
    @command
    @magic_arguments()
    @target_argument
    @times_argument
    def lose_replies(self, args: argparse.Namespace) -> Frame:
        """Have an object's next answers get lost: its work is done, its callers get an error.

        Returns a DataFrame of what is planned: object, fault, detail.

        Example::

            %lose_replies COUNTER/a 2
        """
        self.session.runtime.faults.lose_replies(self._which(args.target), args.times)
        return self._planned()

    @line_magic
    @command
    @magic_arguments()
    @target_argument
    @times_argument
    def network_errors(self, args: argparse.Namespace) -> Frame:
        """Have the next calls to an object not arrive; their callers get an error.

        Returns a DataFrame of what is planned: object, fault, detail.

        Example::

            %network_errors COUNTER/a
        """
        self.session.runtime.faults.network_errors(self._which(args.target), args.times)
        return self._planned()

    @line_magic
    @command
    @magic_arguments()
    @argument(
        "target", metavar="OBJ", nargs="?", help="With --clear: only of an object or a binding."
    )
    @argument("--clear", action="store_true", help="Take back what is planned.")
    def faults(self, args: argparse.Namespace) -> Frame:
        """Show the faults that are in force or planned, or take them back.

        Returns a DataFrame of what is planned: object, fault, detail.

        Example::

            %faults
            %faults --clear
        """
        if args.clear:
            which = None if args.target is None else self._which(args.target)
            self.session.runtime.faults.clear(which)
        return self._planned()

    def _which(self, text: str) -> Any:
        """Return the object, or the class, that a word names."""
        if "/" in text:
            return self.session.target(text).stub
        return self.session.runtime.namespace(text)

    def _planned(self) -> Frame:
        runtime = self.session.runtime
        return faults_frame(runtime.faults.planned(), runtime.clock.now_ms)

    def _living(self, text: str) -> tuple[Target, ObjectSnapshot]:
        target = self.session.target(text)
        self.session.runtime.settle(alarms=False)
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
