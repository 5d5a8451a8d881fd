"""07 Rate limiting: a quota for each day."""

from collections.abc import Iterator

from dobook.notebook.exercises.registry import exercise
from dobook.notebook.exercises.verdict import Point
from dobook.notebook.exercises.work import Work


@exercise("limits-1", "A class DailyQuota: spend(amount, quota), fresh at midnight UTC.")
def limits_1(work: Work) -> Iterator[Point]:
    """Check that only what fits is spent, and that midnight renews the quota."""
    work.class_of("DailyQuota", "spend")
    yield Point(holds=True, text="there is a class DailyQuota with spend")
    with work.playing("DailyQuota") as play:
        ada = play.stub("DailyQuota", "ada")
        play.wait("20h")

        def spend(amount: int) -> tuple[object, object]:
            answer = play.call(ada, "spend", amount, 100)
            if not isinstance(answer, dict) or not {"allowed", "left"} <= answer.keys():
                return answer, None
            return answer["allowed"], answer["left"]

        first = spend(70)
        if first != (True, 30):
            yield Point(
                holds=False,
                text=f"spend(70, 100) on a fresh day gave {first[0]!r} with {first[1]!r} left, not "
                'True with 30. Return {"allowed": …, "left": …}.',
            )
            return
        yield Point(holds=True, text="an amount that fits is spent")
        refused = spend(31)
        yield Point(
            holds=refused == (False, 30),
            text="what does not fit is refused, and spends nothing"
            if refused == (False, 30)
            else f"with 30 left, spend(31, 100) gave {refused}, not (False, 30). A refusal writes "
            "nothing.",
        )
        exact = spend(30)
        yield Point(
            holds=exact == (True, 0),
            text="the quota can be spent to the last"
            if exact == (True, 0)
            else f"with 30 left, spend(30, 100) gave {exact}, not (True, 0). Equal is allowed.",
        )
        play.evict(ada)
        kept = spend(1)
        yield Point(
            holds=kept[0] is False,
            text="what is spent stays spent after eviction"
            if kept[0] is False
            else "after eviction the quota was whole again: keep it in self.ctx.storage.",
        )
        play.wait("3h 59m 59s")
        early = spend(1)
        yield Point(
            holds=early[0] is False,
            text="a second before midnight nothing has come back"
            if early[0] is False
            else "a second before midnight there was quota again. Count by the day of the date in "
            "UTC, not by 24 hours or less since the last time.",
        )
        play.wait("1s")
        fresh = spend(100)
        yield Point(
            holds=fresh == (True, 0),
            text="at midnight UTC all of it is there again"
            if fresh == (True, 0)
            else f"at midnight spend(100, 100) gave {fresh}, not (True, 0). Store the day beside "
            "the sum, and begin at 0 when it is another day.",
        )
        race = play.race(play.stub("DailyQuota", "grace"), "spend", *[(10, 100)] * 15)
        passed = sum(isinstance(a, dict) and a.get("allowed") is True for a in race)
        yield Point(
            holds=passed == 10,
            text="of fifteen who spend 10 of 100 at once, ten may"
            if passed == 10
            else f"of fifteen who spend 10 of 100 at once, {passed} may, not 10. Another object "
            "must not count, and between reading and writing wait for storage alone.",
        )
