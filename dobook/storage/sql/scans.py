"""How many rows a statement has looked at, worked out from SQLite's bytecode.

Python's SQLite module does not count them. The bytecode (`EXPLAIN`) says which tables and indexes a
statement goes through, and whether from end to end; how many entries those have is a question to
the database. That is exact for what reads one table, whatever it returns; of a loop inside a loop it
is the most that can be, and of a search in an index or under a LIMIT what has been returned.
Source: sqlite.org/opcode.html, cloudflare/workerd patches/sqlite/0001-row-counts-plain.patch
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

BEGINS: Final = frozenset({"Rewind", "Last", "Sort", "SorterSort", "VFilter"})
SEEKS: Final = frozenset({"SeekGE", "SeekGT", "SeekLE", "SeekLT"})
STEPS: Final = frozenset({"Next", "Prev", "SorterNext", "VNext"})
BOUNDS: Final = frozenset({"IdxGT", "IdxGE", "IdxLT", "IdxLE"})
COUNTS: Final = 0x01  # OPFLAG_NCHANGE; a Delete that an Insert of the same row follows lacks it
IS_UPDATE: Final = 0x04  # OPFLAG_ISUPDATE; SQLite 3.51 updates without a Delete before
ONE_ROW: Final = frozenset({"SeekRowid", "NotExists"})

Step = tuple[Any, ...]  # address, opcode, p1, p2, p3, p4, p5, …


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop over a cursor: where it begins and ends, and over what."""

    cursor: int
    first: int
    last: int
    root: int | None  # the root page of a table or index; None for rows kept aside
    seeks: bool  # begins in the middle of the table
    bounded: bool  # ends at a bound, which reads one more row
    leaves: bool  # may end early
    answers: bool  # gives rows of the result
    exists: bool  # ends with its first match: EXISTS, which SQLite 3.51 makes a loop outside


def rows_looked_at(
    code: Sequence[Step], entries: Callable[[int], int], returned: int, changed: int
) -> int:
    """Return how many rows the statement has read that SQLite explains so, once it is over.

    Args:
        code: What `EXPLAIN` gave.
        entries: Says how many entries the table or index with a root page has now.
        returned: How many rows it has given.
        changed: How many rows it has inserted, updated or deleted.
    """
    roots = {s[2]: s[3] for s in code if s[1] in {"OpenRead", "OpenWrite"} and s[4] == 0}
    deleting = {s[2] for s in code if s[1] == "Delete" and s[3] & COUNTS}
    grown = {roots.get(s[2]) for s in code if s[1] == "Insert"} if not deleting else set()
    updating = any(s[1] == "Delete" or (s[1] == "Insert" and s[6] & IS_UPDATE) for s in code)
    loops = _loops(code, roots)
    begun = {loop.first for loop in loops}
    once = [(s[0], s[3]) for s in code if s[1] == "Once"]

    def size(loop: Loop) -> int:
        touched = max(returned, changed)
        if loop.exists:
            return 1
        if loop.leaves:
            return returned if loop.answers else 1
        if loop.seeks:
            return touched + loop.bounded
        if loop.root is None:
            return returned if loop.answers else scanned
        count = entries(loop.root)
        if loop.cursor in deleting:
            return count + changed  # they were there when it looked
        return count - changed if loop.root in grown and not updating else count

    total = scanned = 0
    for step in code:
        if step[1] == "Count":
            total += entries(roots[step[2]])
        elif (step[1] in ONE_ROW or (step[1] in SEEKS and step[0] not in begun)) and not any(
            _inside(step[0], loop) for loop in loops
        ):
            total += 1
    for loop in loops:
        times = 1
        for other in loops:
            if _inside(loop.first, other) and not any(
                other.first < at < loop.first and after > loop.last for at, after in once
            ):
                times *= max(size(other), 1)
        found = size(loop)
        total += times * max(found, 1)
        if loop.root is not None:
            scanned += found
    return max(total, returned) if any(s[1] in BEGINS for s in code) else total


def _inside(address: int, loop: Loop) -> bool:
    return loop.first < address < loop.last


def _loops(code: Sequence[Step], roots: dict[int, int]) -> list[Loop]:
    found = []
    for step in code:
        if step[1] not in BEGINS and step[1] not in SEEKS:
            continue
        ends = [s for s in code if s[1] in STEPS and s[2] == step[2] and s[0] > step[0]]
        if not ends:
            continue
        first, last = step[0], ends[0][0]
        body = [s for s in code if first < s[0] < last]
        found.append(
            Loop(
                step[2],
                first,
                last,
                roots.get(step[2]),
                step[1] in SEEKS,
                any(s[1] in BOUNDS and s[2] == step[2] for s in body),
                any(s[1] in {"DecrJumpZero", "Goto"} and s[3] > last for s in body),
                any(s[1] == "ResultRow" for s in body),
                bool(body) and body[-1][1] == "Goto" and body[-1][3] > last,
            )
        )
    return found
