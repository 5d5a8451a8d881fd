"""The numbers to reach, against the real engine in the same run, and what to aim for after.

Source: the table "The numbers to reach" of the project's benchmark definitions. A ratio is dobook's
median rate divided by the real engine's. "disk" holds for durability "power" beside `workerd`,
"memory" for memory beside `workerd-mem`; "any" for each of the three pairs of like against like.
"""

from dataclasses import dataclass
from typing import Literal

Pair = Literal["disk", "tmpfs", "memory"]


@dataclass(frozen=True, slots=True)
class Target:
    """What a workload must reach.

    Attributes:
        reach: The ratio that counts; for W10 bytes for an evicted object, where less is better.
        aim: What to try for afterwards; None where there is none.
        holds: The pair that it is about, or "any".
        of: The field of the line that is compared.
    """

    reach: float
    aim: float | None
    holds: Pair | Literal["any"] = "any"
    of: str = "ops_per_s"


TARGETS: dict[str, tuple[Target, ...]] = {
    "W1": (Target(10, 25, "disk"), Target(4, None, "memory")),
    "W1seq": (Target(1.5, 2, "disk"),),
    "W2": (Target(5, 20, "disk"),),
    "W3": (Target(2.5, 40, "disk"), Target(3, None, "memory")),
    "W4": (Target(3, 6),),
    "W4seq": (Target(2, 4),),
    "W5": (Target(8, 20, "disk"),),
    "W6put": (Target(0.7, 1),),
    "W6list": (Target(1.2, 2),),
    "W7insert": (Target(1, 1.4),),
    "W7select": (Target(0.8, 1),),
    "W7aggregate": (Target(0.75, 1),),
    "W8": (Target(10, 40, "disk"),),
    "W9": (Target(2, 6),),
    "W9net": (Target(2, 5),),
    "W10": (Target(4_000, 1_000, of="bytes_per_evicted_object"),),
    "W11hot": (Target(3, 8, "disk"),),
    "W11spread": (Target(3, 8, "disk"),),
}

LIKE: dict[str, tuple[str, Pair]] = {
    "dobook": ("workerd", "disk"),
    "dobook-process": ("workerd-tmpfs", "tmpfs"),
    "dobook-mem": ("workerd-mem", "memory"),
}


def target(workload: str, system: str, peer: str) -> Target | None:
    """Return what a workload must reach; None if these two are not like, or nothing is asked."""
    like, pair = LIKE[system]
    if peer != like:
        return None
    return next((t for t in TARGETS.get(workload, ()) if t.holds in (pair, "any")), None)
