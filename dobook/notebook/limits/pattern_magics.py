"""`%pattern`, `%rate_limit`, `%workflow`: classes for the usual jobs, and looking into them."""

import argparse
import dataclasses
from importlib import import_module
from typing import Any

from IPython.core.magic import line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import Code

from dobook import patterns
from dobook.clock import parse_duration
from dobook.errors import UnknownNameError, UsageError
from dobook.notebook.core.definitions import run_cell
from dobook.notebook.core.display import Card
from dobook.notebook.core.frame import Frame
from dobook.notebook.core.magic import MagicsBase, command, target_argument
from dobook.notebook.limits.followed_frames import RateLimitFrame, WorkflowFrame
from dobook.notebook.limits.limiter_frames import limiter_frame
from dobook.notebook.limits.limiter_states import read_limiter
from dobook.notebook.limits.workflow_steps import WORKFLOW_KEY, read_workflow, workflow_frame


@magics_class
class PatternMagics(MagicsBase):
    """The magics of the patterns."""

    @line_magic
    @command
    @magic_arguments()
    @argument("name", nargs="?", metavar="NAME", help="The pattern's class; none lists them all.")
    @argument("--binding", metavar="NAME", help="The name in env; by default TOKEN_BUCKET.")
    @argument("--source", action="store_true", help="Show the file instead of running it.")
    def pattern(self, args: argparse.Namespace) -> Any:
        """Define a class from dobook.patterns, as a %%durable_object cell with its file would.

        Each is a file that deploys as it is; --source shows it. Without a name: what there is.

        Returns the class's card, the source, or a card of all patterns.

        Example::

            %pattern
            %pattern TokenBucket --binding LIMITER
            %pattern TokenBucket --source
        """
        if args.name is None:
            if args.binding or args.source:
                raise UsageError("say which pattern: %pattern TokenBucket --source")
            return Card(
                "patterns", tuple((n, _summary(n)) for n in patterns.__all__), "%pattern NAME"
            )
        if args.name not in patterns.__all__:
            raise UnknownNameError("pattern", args.name, patterns.__all__)
        source = patterns.source_of(args.name)
        if args.source:
            return Code(source, language="python")
        line = f"%%durable_object --binding {args.binding}" if args.binding else "%%durable_object"
        (definition,) = run_cell(self.shell, line, source)
        self.session.cells.texts.append(f"{line}\n{source}")  # %export takes it along
        return self.session.define(dataclasses.replace(definition, binding=args.binding or ""))

    @line_magic
    @command
    @magic_arguments()
    @target_argument
    @argument("--window", metavar="DURATION", help="The window's length; the stored one, or 60s.")
    @argument("--limit", type=int, metavar="N", help="Hits it may have; the stored one, or 10.")
    @argument("--key", metavar="KEY", help="Where the state is; found automatically for patterns.")
    def rate_limit(self, args: argparse.Namespace) -> Frame:
        """Show what a rate limiter counts, how much is left, and when capacity frees.

        A sliding log is any list of times under `requests` or --key, in ms since 1970 or as
        datetimes. The other kinds are those of %pattern: FixedWindow, SlidingCounter, TokenBucket.

        Returns a DataFrame of what counts; `.attrs` has used, remaining and retry_after.

        Example::

            %rate_limit RATE_LIMITER/ada --window 60s --limit 10
        """
        window_ms = None if args.window is None else parse_duration(args.window)
        if window_ms == 0 or (args.limit is not None and args.limit < 1):
            raise UsageError("--window and --limit are more than 0.")

        def make() -> Frame:
            label, values = self._values(args.target)
            limiter = read_limiter(
                values, label, key=args.key, limit=args.limit, window_ms=window_ms
            )
            return limiter_frame(limiter, label, self.session.runtime.clock.now_ms)

        self.session.runtime.settle(alarms=False)
        return RateLimitFrame.follow(args.target, make)

    @line_magic
    @command
    @magic_arguments()
    @target_argument
    @argument("--key", default=WORKFLOW_KEY, metavar="KEY", help="Where it is stored: workflow.")
    def workflow(self, args: argparse.Namespace) -> Frame:
        """Show a workflow's steps: status, attempts, how long each took.

        A workflow is any stored dict with `status` and `steps`, as %pattern's StatefulWorkflow and
        Saga store it.

        Returns a DataFrame: name, status, attempts, started, ended, took_ms, outcome.

        Example::

            %workflow SAGA/trip-1
        """

        def make() -> Frame:
            label, values = self._values(args.target)
            workflow = read_workflow(values, label, args.key)
            return workflow_frame(workflow, label, self.session.runtime.clock.now_ms)

        self.session.runtime.settle(alarms=False)
        return WorkflowFrame.follow(args.target, make)

    def _values(self, text: str) -> tuple[str, dict[str, Any]]:
        target = self.session.target(text)
        store = self.session.peek(target)
        return target.label, {} if store is None else dict(store.kv.scan())


def _summary(name: str) -> str:
    module = import_module(f"dobook.patterns.{patterns.module_of(name)}")
    return (module.__doc__ or "").partition("\n")[0]
