"""`%fast_forward` and `%alarms`: the virtual clock, and what it will set off."""

import argparse
import re
from collections.abc import Iterator

from IPython.core.magic import line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from dobook.clock import format_time, parse_duration, parse_time
from dobook.errors import DurationError, UsageError
from dobook.notebook.core.frame import Frame
from dobook.notebook.core.magic import MagicsBase, command
from dobook.notebook.inspector.object_frames import alarms_frame, runs_frame
from dobook.progress import Progress
from dobook.runtime.objects.alarm import AlarmRun
from dobook.runtime.runtime import Runtime

_STEPS = 200  # of a long way, between two looks at the progress
_BATCH = 100


@magics_class
class TimingMagics(MagicsBase):
    """The magics of time."""

    @line_magic
    @command
    @magic_arguments()
    @argument("duration", nargs="*", metavar="DURATION", help="How far: 30s, 1h30m, 7d.")
    @argument("--to", metavar="TIME", help="Until a time in UTC, like 2026-01-31T18:00.")
    @argument(
        "--next",
        type=int,
        nargs="?",
        const=1,
        metavar="N",
        help="Until the next alarm has run, or the next N.",
    )
    @argument("--until-idle", action="store_true", help="Until no alarm is set any more.")
    @argument(
        "--limit",
        type=int,
        default=10_000,
        metavar="N",
        help="With --until-idle: stop after N alarms (10,000), recurring ones never end.",
    )
    def fast_forward(self, args: argparse.Namespace) -> Frame:
        """Let virtual time pass; alarms and timers on the way run in order, at once.

        A bar shows the progress when it takes longer than a second; interrupting the kernel stops
        it where it is.

        Returns a DataFrame of the alarm handlers that ran: object, ran, scheduled, attempt,
        outcome, error, retry_at.

        Example::

            %fast_forward 1h30m
            %fast_forward --to 2026-01-31T18:00
            %fast_forward --next
        """
        runtime = self.session.runtime
        ways = [bool(args.duration), args.to is not None, args.next is not None, args.until_idle]
        if sum(ways) != 1:
            raise UsageError(
                "say how far: a duration (1h30m), --to TIME, --next [N] or --until-idle."
            )
        began_ms = runtime.clock.now_ms
        note = ""
        if args.duration or args.to is not None:
            to_ms = (
                parse_time(args.to)
                if args.to is not None
                else began_ms + _read_duration(" ".join(args.duration))
            )
            runs = _collect(_pass(runtime, to_ms), to_ms - began_ms)
        elif args.next is not None:
            if args.next < 1:
                raise UsageError("--next is 1 or more.")
            runs = _collect(_pass_alarms(runtime, args.next), args.next)
        else:
            runs = _collect(_pass_alarms(runtime, args.limit), args.limit)
            if runtime.scheduled_alarms():
                note = f"; stopped at --limit {args.limit:,}, more are set"
        return runs_frame(runs, began_ms, runtime.clock.now_ms, note)

    @line_magic
    @command
    @magic_arguments()
    def alarms(self, _args: argparse.Namespace) -> Frame:
        """Show the alarms that are set, soonest first.

        Returns a DataFrame: object, due, runs, in_s, attempt.

        Example::

            %alarms
        """
        runtime = self.session.runtime
        runtime.settle(alarms=False)
        return alarms_frame(runtime.scheduled_alarms(), runtime.clock.now_ms)


def _read_duration(text: str) -> int:
    """Return a duration in ms.

    Raises:
        DurationError: If it is not a duration, with what was probably meant.
    """
    try:
        return parse_duration(text)
    except DurationError as error:
        meant = ""
        if re.fullmatch(r"\d+", text):
            meant = f"Of what? Write {text}s for seconds, {text}ms for milliseconds."
        elif re.match(r"\d{4}-\d\d", text):
            meant = f"For a time there is --to: %fast_forward --to {text.replace(' ', 'T')}"
        elif re.search(r"\d:\d\d", text):
            meant = "Write a duration as 1h30m; for a time there is --to 2026-01-31T18:00."
        elif text in ("end", "all", "until") or "idle" in text:
            meant = "For that there is %fast_forward --until-idle."
        elif text.startswith("next"):
            meant = "For that there is %fast_forward --next."
        if not meant:
            raise
        raise DurationError(f"cannot read {text!r} as a duration. {meant}") from error


def _pass(runtime: Runtime, to_ms: int) -> Iterator[tuple[int, list[AlarmRun]]]:
    """Let time pass in steps; yields how far each went, and what ran."""
    began_ms = now_ms = runtime.clock.now_ms
    if to_ms <= now_ms:
        yield 0, runtime.advance_to(to_ms)
        return
    for step in range(1, _STEPS + 1):
        at_ms = began_ms + (to_ms - began_ms) * step // _STEPS
        if at_ms > now_ms:
            yield at_ms - now_ms, runtime.advance_to(at_ms)
            now_ms = at_ms


def _pass_alarms(runtime: Runtime, most: int) -> Iterator[tuple[int, list[AlarmRun]]]:
    """Let time pass until so many alarms have run, or none is set; yields as `_pass` does."""
    left = most
    while left > 0:
        runs = runtime.advance_next(min(left, _BATCH))
        if not runs:
            return
        left -= len(runs)
        yield len(runs), runs
        if runs[-1].outcome == "running":
            return  # the handler waits for something that no passing of time brings


def _collect(steps: Iterator[tuple[int, list[AlarmRun]]], total: int) -> list[AlarmRun]:
    """Run the steps, with a bar when they take long."""
    runs: list[AlarmRun] = []
    form = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining} {postfix}"
    with Progress(total, bar_format=form) as progress:
        for went, ran in steps:
            runs += ran
            note = f"{len(runs):,} alarms, {format_time(runs[-1].ran_ms)}" if runs else ""
            progress.add(went, note)
    return runs
