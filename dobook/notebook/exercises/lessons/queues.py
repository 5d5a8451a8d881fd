"""09 Queues and coordination: a room with so many places."""

from collections.abc import Iterator

from dobook.notebook.exercises.registry import exercise
from dobook.notebook.exercises.verdict import Point
from dobook.notebook.exercises.work import Work


@exercise(
    "queues-1", "A class Workshop: enter(who) for three at a time, each for a minute's lease."
)
def queues_1(work: Work) -> Iterator[Point]:
    """Check that three fit at most, and that places come free by leaving or after a minute."""
    work.class_of("Workshop", "enter", "leave")
    yield Point(holds=True, text="there is a class Workshop with enter and leave")
    with work.playing("Workshop") as play:
        room = play.stub("Workshop", "room")
        answers = [play.call(room, "enter", who) for who in ("a", "b", "c", "d")]
        if answers != [True, True, True, False]:
            yield Point(
                holds=False,
                text=f"enter for a, b, c and d returned {answers}, not [True, True, True, False].",
            )
            return
        yield Point(holds=True, text="three may enter, the fourth may not")
        again = play.call(room, "enter", "a")
        play.call(room, "leave", "b")
        full = [play.call(room, "enter", who) for who in ("d", "e")]
        yield Point(
            holds=again is True,
            text="whoever is inside is told so again"
            if again is True
            else f"a is inside, and enter('a') returned {again!r}: that is True as well.",
        )
        yield Point(
            holds=full == [True, False],
            text="who leaves makes one place, and who asks twice takes one"
            if full == [True, False]
            else f"a asked twice, b left; then enter for d and e returned {full}, not [True, "
            "False]. Keep who is inside, not how many.",
        )
        play.call(room, "leave", "nobody")
        still = play.call(room, "enter", "e")
        yield Point(
            holds=still is False,
            text="somebody who is not inside cannot make a place"
            if still is False
            else "leave('nobody') made a place: only who is inside can leave.",
        )
        play.evict(room)
        kept = play.call(room, "enter", "f")
        yield Point(
            holds=kept is False,
            text="who is inside is kept across eviction"
            if kept is False
            else "after eviction the room was empty: keep it in self.ctx.storage.",
        )

        slow = play.stub("Workshop", "slow")
        for who in ("a", "b", "c"):
            play.call(slow, "enter", who)
        play.wait(30_000)
        play.call(slow, "enter", "a")  # a renews, b and c have gone silent
        play.wait(29_999)
        before = play.call(slow, "enter", "d")
        play.wait(1)
        after = [play.call(slow, "enter", who) for who in ("d", "e", "f")]
        yield Point(
            holds=before is False,
            text="a place is kept for a minute"
            if before is False
            else "59,999 ms after the three had entered, a fourth was let in: a lease is 60,000 ms.",
        )
        yield Point(
            holds=after == [True, True, False],
            text="after a minute it is free by itself, unless its owner has entered again"
            if after == [True, True, False]
            else f"a minute after a, b and c had entered, with a renewed after 30 s, enter for d, "
            f"e and f returned {after}, not [True, True, False]. Keep the end of each lease.",
        )
        race = play.race(play.stub("Workshop", "race"), "enter", *[(f"p{i}",) for i in range(12)])
        inside = sum(answer is True for answer in race)
        yield Point(
            holds=inside == 3,
            text="of twelve who come at once, three get in"
            if inside == 3
            else f"of twelve who came at once, {inside} got in: between reading and writing wait "
            "for storage alone.",
        )
