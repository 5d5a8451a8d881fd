"""11 Anti-patterns: a picture larger than a value may be."""

from collections.abc import Iterator

from dobook.notebook.exercises.registry import exercise
from dobook.notebook.exercises.verdict import Point
from dobook.notebook.exercises.work import Work


@exercise(
    "anti-1", "A class Album: save(name, data), load(name), remove(name), data of a megabyte."
)
def anti_1(work: Work) -> Iterator[Point]:
    """Check that large data comes back whole, in rows that each fit, with no old rows left."""
    work.class_of("Album", "save", "load", "remove")
    yield Point(holds=True, text="there is a class Album with save, load and remove")
    with work.playing("Album", sqlite=False) as play:
        album = play.stub("Album")
        nothing = play.call(album, "load", "nothing")
        yield Point(
            holds=nothing is None,
            text="what was never saved is None"
            if nothing is None
            else f"load('nothing') returned {nothing!r:.60}, not None.",
        )
        small = b"small"
        play.call(album, "save", "cat", small)
        back = play.call(album, "load", "cat")
        if back != small:
            yield Point(
                holds=False,
                text=f"save('cat', b'small'), and load('cat') returned {back!r:.60}.",
            )
            return
        yield Point(holds=True, text="small data comes back")
        large = bytes(range(256)) * 4_096  # a megabyte
        play.call(album, "save", "dog", large)
        back = play.call(album, "load", "dog")
        if back != large:
            size = len(back) if isinstance(back, bytes) else repr(back)[:40]
            yield Point(
                holds=False,
                text=f"a megabyte was saved, and load returned {size} bytes, or others, or in "
                "another order: keys are ordered as text, so 10 comes before 9 unless it is "
                "written 09.",
            )
            return
        yield Point(holds=True, text="a megabyte comes back whole")
        play.evict(album)
        kept = play.call(album, "load", "dog") == large
        yield Point(
            holds=kept,
            text="also after eviction" if kept else "after eviction it was gone: it was in memory.",
        )
        play.call(album, "save", "dog", small)
        shorter = play.call(album, "load", "dog")
        yield Point(
            holds=shorter == small,
            text="a shorter picture replaces a longer one entirely"
            if shorter == small
            else f"b'small' saved over a megabyte loads as {len(shorter or b''):,} bytes: remove "
            "the old chunks before writing the new ones.",
        )
        play.call(album, "save", "do", large)
        play.call(album, "remove", "do")
        left = play.call(album, "load", "dog")
        yield Point(
            holds=left == small,
            text="removing one leaves the others"
            if left == small
            else "removing 'do' also took 'dog': end the name with something in the key, as in "
            "'do:0001', and take that for the prefix.",
        )
        for name in ("cat", "dog"):
            play.call(album, "remove", name)
        rows = play.rows(album)
        yield Point(
            holds=not rows,
            text="after removing everything no row is left"
            if not rows
            else f"after removing everything {len(rows)} rows are left: {', '.join(rows)[:60]}.",
        )
