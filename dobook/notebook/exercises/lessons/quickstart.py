"""01 Quickstart: an object that counts."""

from collections.abc import Iterator

from dobook.notebook.exercises.registry import exercise
from dobook.notebook.exercises.verdict import Point
from dobook.notebook.exercises.work import Work


@exercise("quickstart-1", "A class Visits: visit(page) counts, total() sums, all of it durable.")
def quickstart_1(work: Work) -> Iterator[Point]:
    """Check that counts are right, for each page and object, and survive an eviction."""
    work.class_of("Visits", "visit", "total")
    yield Point(holds=True, text="there is a class Visits with visit and total")
    with work.playing("Visits") as play:
        site = play.stub("Visits", "site")
        counts = [play.call(site, "visit", page) for page in ("home", "home", "shop")]
        if counts[:2] != [1, 2]:
            yield Point(
                holds=False,
                text=f"visit('home') twice returned {counts[0]!r} and {counts[1]!r}, not 1 and 2. "
                "Return the page's new count.",
            )
            return
        yield Point(holds=True, text="visit returns the page's count")
        apart = counts[2] == 1
        yield Point(
            holds=apart,
            text="each page has a count of its own"
            if apart
            else f"the first visit('shop') returned {counts[2]!r}: pages share a count. Put the "
            "page's name into the key.",
        )
        other = play.call(play.stub("Visits", "other site"), "total")
        total = play.call(site, "total")
        yield Point(
            holds=total == 3,
            text="total adds up all pages"
            if total == 3
            else f"after three visits total() is {total!r}, not 3. Without visits it is 0.",
        )
        yield Point(
            holds=not other,
            text="each object counts for itself"
            if not other
            else f"an object nobody has visited has a total of {other!r}: what is on the class or "
            "in a variable of the notebook is shared by all. Use self.ctx.storage.",
        )
        play.evict(site)
        after = play.call(site, "visit", "home")
        yield Point(
            holds=after == 3,
            text="the counts outlive the instance"
            if after == 3
            else f"after eviction visit('home') returned {after!r}, not 3: attributes are lost with "
            "the instance. Read the count from self.ctx.storage each time.",
        )
