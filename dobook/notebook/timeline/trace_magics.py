"""`%trace`: events as a table or a space-time diagram; `%why_awake`: what keeps an object."""

import argparse
from collections.abc import Callable

from IPython.core.magic import line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from dobook.errors import UsageError, suggest
from dobook.events import AnyEvent
from dobook.notebook.core.arguments import read_moment
from dobook.notebook.core.display import Card
from dobook.notebook.core.frame import Frame
from dobook.notebook.core.magic import MagicsBase, command, target_argument
from dobook.notebook.timeline.diagram import Diagram
from dobook.notebook.timeline.plan import MOST_LANES, MOST_ROWS
from dobook.notebook.timeline.trace_frames import trace_frame
from dobook.runtime.access import kernel_of

_VERBS = ("on", "off", "clear")


@magics_class
class TraceMagics(MagicsBase):
    """The magic of what happened."""

    @line_magic
    @command
    @magic_arguments()
    @argument(
        "verb",
        nargs="?",
        metavar="on|off|clear",
        help="on: begin to record. off: stop, and keep what is recorded. clear: forget it.",
    )
    @argument("--diagram", action="store_true", help="Draw it: lanes, messages, closed gates.")
    @argument("--object", metavar="OBJ", help="Only what concerns one object: BINDING/name.")
    @argument(
        "--since",
        metavar="WHEN",
        help="Only what happened since: a time in UTC, or how long ago, like 10s.",
    )
    @argument(
        "--lanes",
        type=int,
        default=MOST_LANES,
        metavar="N",
        help=f"At most N lanes ({MOST_LANES}); the others share one.",
    )
    @argument(
        "--rows",
        type=int,
        default=MOST_ROWS,
        metavar="N",
        help=f"At most N rows of the diagram ({MOST_ROWS}); the middle is left out.",
    )
    def trace(self, args: argparse.Namespace) -> Frame | Diagram:
        """Record every event, and show what was recorded: requests, gates, storage, commits.

        The last 10,000 events are kept. The same program with the same seed gives the same trace.

        Returns a DataFrame: seq, time, object, kind, what, cause, detail. With --diagram a
        space-time diagram; its `standalone()` is the text of an SVG file.

        Example::

            %trace on
            %trace
            %trace --diagram --object COUNTER/a --since 10s
        """
        runtime = self.session.runtime
        if args.verb is not None and args.verb not in _VERBS:
            raise UsageError(f"%trace {args.verb}: {suggest(args.verb, _VERBS)}")
        if args.lanes < 2 or args.rows < 3:
            raise UsageError("a diagram has at least 2 lanes and 3 rows.")
        runtime.settle(alarms=False)
        if args.verb == "clear":
            kernel_of(runtime).recorder.clear()
        elif args.verb is not None:
            runtime.tracing = args.verb == "on"
        chosen = self._chosen(args)
        events = chosen()
        if args.diagram:
            return Diagram(events, chosen, most_lanes=args.lanes, most_rows=args.rows)
        recorder = kernel_of(runtime).recorder
        return trace_frame(
            events, runtime.clock.now_ms, on=recorder.on, forgotten=recorder.forgotten
        )

    @line_magic
    @command
    @magic_arguments()
    @target_argument
    def why_awake(self, args: argparse.Namespace) -> Card:
        """Show what keeps an object from being evicted or hibernating, and so is billed.

        Returns a card with a line for each reason.

        Example::

            %why_awake COUNTER/a
        """
        target = self.session.target(args.target)
        runtime = self.session.runtime
        runtime.settle(alarms=False)
        reasons = runtime.why_awake(target.stub)
        if reasons:
            return Card(target.label, tuple(("because", text) for text in reasons), "awake")
        if kernel_of(runtime).actor_of(target.stub).instance is None:
            return Card(target.label, (("state", "not in memory"),), "asleep")
        return Card(target.label, (("state", "idle: nothing keeps it awake"),), "may sleep")

    def _chosen(self, args: argparse.Namespace) -> Callable[[], list[AnyEvent]]:
        runtime = self.session.runtime
        since_ms = None if args.since is None else read_moment(args.since, runtime.clock.now_ms)
        which = None if args.object is None else self.session.target(args.object).stub
        return lambda: runtime.trace(which, since_ms=since_ms)
