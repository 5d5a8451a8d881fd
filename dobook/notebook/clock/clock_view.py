"""The clock: now, the next alarms on a line, and buttons that let time pass."""

from typing import Any

from dobook.clock import format_duration, parse_duration, parse_time
from dobook.errors import DurationError, UsageError
from dobook.notebook.clock.alarms_ahead import schedule, schedule_card
from dobook.notebook.core.display import count
from dobook.notebook.core.player import RATES
from dobook.notebook.core.session import Session
from dobook.notebook.core.view import View
from dobook.runtime.objects.alarm import AlarmRun

_MOST_RUNS_SAID = 5


class ClockActions:
    """The part of a view that shows the session's clock and lets time pass."""

    session: Session

    def clock(self) -> dict[str, Any]:
        """Return the clock's facts, and how it is being played."""
        player = self.session.views.player
        return schedule(self.session.runtime) | {
            "rate": player.rate,
            "rates": [[rate, _rate_text(rate)] for rate in RATES],
            "ran": [str(run) for run in player.ran],
        }

    def do_step(self, by: str) -> str:
        """Let a duration pass."""
        return self._moved(self.session.runtime.advance(parse_duration(by)))

    def do_next(self) -> str:
        """Let time pass until the next alarm has run."""
        runs = self.session.runtime.advance_next()
        if not runs:
            raise UsageError("no alarm is set.")
        return self._moved(runs)

    def do_jump(self, to: str) -> str:
        """Let time pass until a time, or for a duration."""
        runtime = self.session.runtime
        try:
            to_ms = runtime.clock.now_ms + parse_duration(to)
        except DurationError:
            try:
                to_ms = parse_time(to)
            except DurationError:
                raise UsageError(
                    f"{to[:40]!r} is not a duration, like 1h30m, nor a time, like 2026-01-31T18:00."
                ) from None
        return self._moved(runtime.advance_to(to_ms))

    def do_play(self, rate: str) -> None:
        """Let time pass at a rate."""
        try:
            number = float(rate)
        except ValueError:
            raise UsageError(f"{rate[:20]!r} is not a number.") from None
        self.session.views.play(number)

    def do_pause(self) -> None:
        """Stop the clock."""
        self.session.views.player.pause()

    def _moved(self, runs: list[AlarmRun]) -> str:
        self.session.views.player.note(runs)
        if not runs:
            return "no alarm ran"
        shown = [str(run) for run in runs[-_MOST_RUNS_SAID:]]
        before = ["…"] if len(runs) > len(shown) else []
        return "\n".join([f"{count(len(runs), 'alarm')} ran", *before, *shown])


class ClockView(ClockActions, View):
    """A live view of the session's clock; all of them stay in step.

    Args:
        session: The session.
        clock: Its clock; not looked at, since a session may have another one later.
    """

    file = "clock"
    shown_by = r"^runtime\.clock$"

    def __init__(self, session: Session, clock: object = None) -> None:
        super().__init__(session)

    def look(self) -> dict[str, Any]:
        """Return the clock's facts, and how it is being played."""
        return self.clock()

    def static(self) -> tuple[str, str]:
        """Return the clock's card."""
        card = schedule_card(self.look())
        return repr(card), card._repr_html_()


def _rate_text(rate: float) -> str:
    """Return a rate as people read it.

    Example:
        >>> _rate_text(60)
        '1m a second'
    """
    return f"{format_duration(rate * 1000)} a second"
