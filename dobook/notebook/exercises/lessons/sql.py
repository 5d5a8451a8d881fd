"""10 SQL and recovery: wallets that can be rewound."""

from collections.abc import Iterator

from dobook.notebook.exercises.registry import exercise
from dobook.notebook.exercises.verdict import Point
from dobook.notebook.exercises.work import Play, Work


@exercise("sql-1", "A class Wallets: deposit, balance, transfer all or nothing, rewind to a time.")
def sql_1(work: Work) -> Iterator[Point]:
    """Check the sums, that a refused transfer changes nothing, and that a rewind restores rows."""
    work.class_of("Wallets", "deposit", "balance", "transfer", "rewind")
    yield Point(holds=True, text="there is a class Wallets with its four methods")
    with work.playing("Wallets") as play:
        bank = play.stub("Wallets", "bank")

        def balances(which: object = bank) -> tuple[object, ...]:
            return tuple(play.call(which, "balance", name) for name in ("ada", "ken"))

        empty = balances()
        yield Point(
            holds=empty == (0, 0),
            text="a wallet nobody has used holds 0"
            if empty == (0, 0)
            else f"before any deposit the balances are {empty}, not (0, 0).",
        )
        play.call(bank, "deposit", "ada", 100)
        play.call(bank, "deposit", "ada", 20)
        play.call(bank, "transfer", "ada", "ken", 50)
        found = balances()
        if found != (70, 50):
            yield Point(
                holds=False,
                text=f"ada got 100 and 20 and gave 50 to ken: the balances are {found}, not (70, "
                "50).",
            )
            return
        yield Point(holds=True, text="deposits and transfers add up")
        refused = play.refuses(bank, "transfer", "ada", "ken", 71)
        yield Point(
            holds=refused,
            text="who has 70 cannot give 71"
            if refused
            else "with 70 in her wallet, ada could give 71: raise ValueError instead.",
        )
        after = balances(bank)
        yield Point(
            holds=after == (70, 50),
            text="a refused transfer leaves nothing behind"
            if after == (70, 50)
            else f"after the refused transfer the balances are {after}, not (70, 50). What raises "
            "does not undo what was written before: check first, or write inside "
            "self.ctx.storage.transactionSync(...).",
        )
        play.evict(bank)
        kept = balances()
        yield Point(
            holds=kept == after,
            text="balances outlive the instance"
            if kept == after
            else f"after eviction the balances are {kept}: keep them in self.ctx.storage.sql.",
        )
        rewound = _rewound(play)
        yield Point(
            holds=rewound == (100, 0),
            text="rewind brings back what was there at that time"
            if rewound == (100, 0)
            else f"ada had 100, an hour later she gave it all away, and rewind to the time before "
            f"left {rewound}, not (100, 0). getBookmarkForTime, then onNextSessionRestoreBookmark, "
            "then self.ctx.abort().",
        )


def _rewound(play: Play) -> tuple[object, ...]:
    bank = play.stub("Wallets", "rewound")
    play.call(bank, "deposit", "ada", 100)
    play.wait("30m")
    good_ms = play.runtime.clock.now_ms
    play.wait("30m")
    play.call(bank, "transfer", "ada", "ken", 100)
    play.wait("1h")
    play.refuses(bank, "rewind", good_ms)  # abort() fails the call that asked for it
    again = play.stub("Wallets", "rewound")
    return tuple(play.call(again, "balance", name) for name in ("ada", "ken"))
