"""The clock and what it will set off: the facts that its card and its live view both show."""

from typing import Any

from dobook.clock import format_duration, format_time
from dobook.notebook.clock.alarms_picture import schedule_picture
from dobook.notebook.core.display import Card, clock_text
from dobook.runtime.runtime import Runtime

MOST_ALARMS = 12


def schedule(runtime: Runtime) -> dict[str, Any]:
    """Return the facts of a clock, as plain JSON: now, and the next alarms, soonest first."""
    now_ms = runtime.clock.now_ms
    alarms = runtime.scheduled_alarms()
    following = [
        {
            "object": alarm.object,
            "runs": format_time(alarm.runs_ms),
            "in": format_duration(max(alarm.runs_ms - now_ms, 0)),
            "in_ms": max(alarm.runs_ms - now_ms, 0),
            "attempt": alarm.attempt,
        }
        for alarm in alarms[:MOST_ALARMS]
    ]
    return {
        "title": "Clock",
        "now": format_time(now_ms),
        "now_ms": now_ms,
        "virtual": runtime.clock.virtual,
        "alarms": following,
        "count": len(alarms),
        "picture": schedule_picture(following),
    }


def schedule_card(facts: dict[str, Any]) -> Card:
    """Return the static card with a clock's facts."""
    texts = [alarm_line(alarm) for alarm in facts["alarms"]]
    if facts["count"] > len(texts):
        texts.append(f"… and {facts['count'] - len(texts):,} more")
    rows = (
        ("now", clock_text(facts["now_ms"], virtual=facts["virtual"])),
        ("now_ms", str(facts["now_ms"])),
        ("alarms", "\n".join(texts) or "none are set"),
    )
    return Card("Clock", rows, picture=facts["picture"])


def alarm_line(alarm: dict[str, Any]) -> str:
    """Return an alarm as people read it."""
    retry = f", retry {alarm['attempt']}" if alarm["attempt"] else ""
    return f"{alarm['object']} in {alarm['in']} ({alarm['runs']}{retry})"
