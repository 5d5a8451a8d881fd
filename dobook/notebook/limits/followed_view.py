"""Views of a frame that follow the clock: a rate limiter's gauge, a workflow's progress."""

from typing import Any

from dobook.clock import parse_duration
from dobook.errors import UsageError
from dobook.notebook.core.display import count
from dobook.notebook.core.session import Session
from dobook.notebook.core.view import View
from dobook.notebook.limits.followed_frames import FollowedFrame

MOST_HITS = 1_000


class FollowedView(View):
    """A live view of a frame that is made again after every turn.

    Args:
        session: The session.
        frame: The frame, which knows how it is made.
    """

    file = "followed"
    kind = ""

    def __init__(self, session: Session, frame: FollowedFrame) -> None:
        self.frame = frame
        super().__init__(session)

    def look(self) -> dict[str, Any]:
        """Return the frame's facts."""
        frame = self.frame.again()
        return {
            "kind": self.kind,
            "title": self.frame.label,
            "caption": str(frame.attrs["caption"]),
            "picture": frame.svg,
            "table": frame.table,
            "rows": len(frame),
        }

    def static(self) -> tuple[str, str]:
        """Return the frame as it is shown without a front end."""
        frame = self.frame.again()
        return repr(frame), frame._repr_html_()

    def do_step(self, by: str) -> str:
        """Let a duration pass."""
        runs = self.session.runtime.advance(parse_duration(by))
        return f"{count(len(runs), 'alarm')} ran" if runs else ""


class RateLimitGauge(FollowedView):
    """A rate limiter's gauge: it follows the clock, and can be asked."""

    shown_by = r"%rate_limit"

    kind = "gauge"

    def do_hit(self, times: str = "1") -> str:
        """Ask the limiter so many times, at this moment."""
        number = int(times) if times.isdecimal() else 0
        if not 1 <= number <= MOST_HITS:
            raise UsageError(f"{times[:20]!r} is not a number from 1 to {MOST_HITS:,}.")
        attrs, runtime = self.frame.again().attrs, self.session.runtime
        stub = runtime.stub(self.frame.label)
        path = f"/check?limit={attrs['limit']}&window={round(attrs['window_s'] * 1000)}"
        answers = [runtime.run(stub.fetch(f"http://limiter{path}")) for _ in range(number)]
        passed = sum(answer.status < 400 for answer in answers)
        refused = [answer for answer in answers if answer.status >= 400]
        said = f"{passed} of {count(number, 'request')} passed"
        if refused:
            said += f"; the last was answered {refused[-1].status}"
            wait = refused[-1].headers.get("retry-after")
            said += f", retry after {wait} s" if wait else ""
        return said

    def do_free(self) -> None:
        """Let time pass until one more is allowed."""
        wait_s = self.frame.again().attrs["retry_after"]
        if not wait_s:
            raise UsageError("one more is allowed already.")
        self.session.runtime.advance(wait_s * 1000)


class WorkflowProgress(FollowedView):
    """A workflow's steps as they progress."""

    shown_by = r"%workflow"

    kind = "workflow"

    def do_next(self) -> str:
        """Let time pass until the next alarm of any object has run."""
        runs = self.session.runtime.advance_next()
        if not runs:
            raise UsageError("no alarm is set.")
        return "\n".join(map(str, runs))
