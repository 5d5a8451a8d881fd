"""04 Alarms: many reminders on one alarm."""

from collections.abc import Iterator

from dobook.notebook.exercises.registry import exercise
from dobook.notebook.exercises.verdict import Point
from dobook.notebook.exercises.work import Work


@exercise("alarms-1", "A class Reminders: remind(text, in_ms), many of them on the one alarm.")
def alarms_1(work: Work) -> Iterator[Point]:
    """Check that each reminder comes once, at its time, whatever the order they were set in."""
    work.class_of("Reminders", "remind", "sent", "alarm")
    yield Point(holds=True, text="there is a class Reminders with remind, sent and alarm")
    with work.playing("Reminders") as play:
        one = play.stub("Reminders", "one")
        play.call(one, "remind", "tea", 60_000)
        play.wait(59_999)
        early = play.call(one, "sent")
        play.wait(1)
        due = play.call(one, "sent")
        if list(early or []) or list(due or []) != ["tea"]:
            yield Point(
                holds=False,
                text=f"a reminder in 60,000 ms: after 59,999 ms sent() was {early!r}, after 60,000 "
                f"{due!r}. It is [] and then ['tea'].",
            )
            return
        yield Point(holds=True, text="a reminder comes at its time, and not a millisecond early")

        two = play.stub("Reminders", "two")
        play.call(two, "remind", "late", 60_000)
        play.call(two, "remind", "early", 20_000)
        play.wait(20_000)
        first = list(play.call(two, "sent"))
        play.wait("1h")
        both = list(play.call(two, "sent"))
        if both != ["early", "late"]:
            yield Point(
                holds=False,
                text=f"reminders in 60 s and in 20 s: an hour later sent() was {both}, not "
                "['early', 'late']. setAlarm replaces the alarm there was: keep all reminders in "
                "storage, and after each change set the alarm for the earliest.",
            )
            return
        yield Point(holds=True, text="a second reminder does not replace the first")
        yield Point(
            holds=first == ["early"],
            text="one that was set later and is due earlier comes earlier"
            if first == ["early"]
            else f"after 20 s sent() was {first}, not ['early']: the alarm has to be set for the "
            "earliest reminder, not for the newest or the oldest.",
        )

        many = play.stub("Reminders", "many")
        for i in (3, 1, 2, 1):
            play.call(many, "remind", f"in {i} min", i * 60_000)
        play.evict(many)
        play.wait("1m")
        play.evict(many)
        play.wait("1h")
        found = list(play.call(many, "sent"))
        want = ["in 1 min", "in 1 min", "in 2 min", "in 3 min"]
        yield Point(
            holds=found == want,
            text="many reminders, two of them at the same time, come once each and in order, "
            "across evictions"
            if found == want
            else f"reminders in 3, 1, 2 and 1 minutes, with evictions: sent() was {found}, not "
            f"{want}. Remove what has been sent, and give two at the same time different keys.",
        )
        left = play.runtime.scheduled_alarms()
        yield Point(
            holds=not left,
            text="when nothing is left, no alarm is set"
            if not left
            else "all reminders are sent, and an alarm is still set: set it only if one is left.",
        )
