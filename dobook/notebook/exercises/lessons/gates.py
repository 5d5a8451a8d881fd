"""03 Gates: a till that asks for the price elsewhere."""

from collections.abc import Iterator

from dobook.notebook.exercises.registry import exercise
from dobook.notebook.exercises.verdict import Point
from dobook.notebook.exercises.work import Work

_ASKING_MS = 50


@exercise(
    "gates-1", "A class Till: buy() waits 50 ms elsewhere, and never sells what is not there."
)
def gates_1(work: Work) -> Iterator[Point]:
    """Check that exactly the stock is sold, and that buyers do not wait for one another."""
    work.class_of("Till", "fill", "buy", "left")
    yield Point(holds=True, text="there is a class Till with fill, buy and left")
    with work.playing("Till") as play:
        one = play.stub("Till", "one")
        play.call(one, "fill", 2)
        began_ms = play.runtime.clock.now_ms
        bought = [play.call(one, "buy") for _ in range(3)]
        took_ms = play.runtime.clock.now_ms - began_ms
        if bought != [True, True, False]:
            yield Point(
                holds=False,
                text=f"with two in stock, three buyers one after the other got {bought}, not [True, "
                "True, False].",
            )
            return
        yield Point(holds=True, text="one after the other: two are sold, the third buyer gets none")
        if took_ms < 2 * _ASKING_MS:
            yield Point(
                holds=False,
                text=f"buying took {took_ms} ms in all: the price is to be asked for each time, "
                "await asyncio.sleep(0.05) stands for it.",
            )
            return
        yield Point(holds=True, text="the price is asked for each time")

        many = play.stub("Till", "many")
        play.call(many, "fill", 5)
        began_ms = play.runtime.clock.now_ms
        race = play.race(many, "buy", *[()] * 10)
        took_ms = play.runtime.clock.now_ms - began_ms
        sold = sum(answer is True for answer in race)
        left = play.call(many, "left")
        yield Point(
            holds=sold == 5,
            text="ten at once for five: five are sold"
            if sold == 5
            else f"ten at once for five: {sold} were sold. While buy() waits for the price others "
            "are let in, so what it has read before is old. Read after the wait, right before "
            "writing.",
        )
        yield Point(
            holds=left == 0,
            text="and nothing is left"
            if left == 0
            else f"after ten at once for five, left() is {left}, not 0.",
        )
        yield Point(
            holds=took_ms < 2 * _ASKING_MS,
            text="the ten did not wait for one another"
            if took_ms < 2 * _ASKING_MS
            else f"the ten took {took_ms} ms: blockConcurrencyWhile round the wait makes everybody "
            "queue. Let them wait together, and keep reading and writing free of other waits.",
        )
