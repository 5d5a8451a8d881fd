"""02 Identity: one object for each seat."""

from collections.abc import Iterator

from dobook.notebook.exercises.registry import exercise
from dobook.notebook.exercises.verdict import Point
from dobook.notebook.exercises.work import Work


@exercise("identity-1", "A class Seat: book(who) is True for the first person only.")
def identity_1(work: Work) -> Iterator[Point]:
    """Check for one winner, also in a race and after eviction, and an object for each seat."""
    work.class_of("Seat", "book", "holder")
    yield Point(holds=True, text="there is a class Seat with book and holder")
    with work.playing("Seat") as play:
        seat = play.stub("Seat", "12A")
        empty = play.call(seat, "holder")
        yield Point(
            holds=empty is None,
            text="a free seat has no holder"
            if empty is None
            else f"holder() of a free seat is {empty!r}. Return None.",
        )
        first, second = play.call(seat, "book", "ada"), play.call(seat, "book", "grace")
        if (first, second) != (True, False):
            yield Point(
                holds=False,
                text=f"book('ada') and then book('grace') returned {first!r} and {second!r}. The "
                "first gets True, everyone after her False.",
            )
            return
        yield Point(holds=True, text="the first to book gets the seat")
        holder = play.call(seat, "holder")
        yield Point(
            holds=holder == "ada",
            text="holder says who it is"
            if holder == "ada"
            else f"after ada has booked and grace has tried, holder() is {holder!r}. Write only "
            "when the seat is free.",
        )
        again = play.call(seat, "book", "ada")
        yield Point(
            holds=again is True,
            text="whoever holds the seat is told so when asking again"
            if again is True
            else f"book('ada') a second time returned {again!r}. Her first answer may have been "
            "lost on the way, so the same person gets True again.",
        )
        play.evict(seat)
        kept = play.call(seat, "holder")
        yield Point(
            holds=kept == "ada",
            text="the booking outlives the instance"
            if kept == "ada"
            else f"after eviction holder() is {kept!r}: keep it in self.ctx.storage, not in an "
            "attribute.",
        )
        race = play.race(play.stub("Seat", "12B"), "book", *[(f"p{i}",) for i in range(20)])
        won = sum(answer is True for answer in race)
        yield Point(
            holds=won == 1,
            text="of twenty who book another seat at once, one gets it"
            if won == 1
            else f"of twenty who booked seat 12B at once, {won} got True. Between reading and "
            "writing, wait for nothing but storage.",
        )
