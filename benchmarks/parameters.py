"""How much each workload does. `peers/workerd/bench.mjs` holds the same numbers."""

from dataclasses import dataclass

PERIOD_MS = 100  # W8: how often each object's alarm fires, in virtual time
RUN_LIMIT_S = 60  # the longest that a run of one workload may take, without its set-up


@dataclass(frozen=True, slots=True)
class Parameters:
    """One workload.

    Attributes:
        n: What is counted: requests, calls, entries, rows, handler runs or deliveries.
        objects: Objects that take part (W9: sockets).
        width: Closed-loop clients; 1 is one call after another.
        what: What `n` counts.
    """

    n: int
    objects: int
    width: int
    what: str


WORKLOADS = {
    "W1": Parameters(20_000, 1, 100, "requests"),
    "W1seq": Parameters(2_000, 1, 1, "requests"),
    "W1rpc": Parameters(20_000, 1, 100, "calls"),
    "W1noop": Parameters(20_000, 1, 100, "requests"),
    "W2": Parameters(20_000, 1_000, 100, "requests"),
    "W3": Parameters(5_000, 5_000, 100, "objects"),
    "W4": Parameters(50_000, 1, 100, "calls"),
    "W4seq": Parameters(20_000, 1, 1, "calls"),
    "W5": Parameters(20_000, 200, 100, "checks"),
    "W6put": Parameters(10_000, 1, 1, "entries"),
    "W6list": Parameters(200, 1, 1, "lists"),
    "W7insert": Parameters(50_000, 1, 1, "rows"),
    "W7select": Parameters(5_000, 1, 1, "selects"),
    "W7aggregate": Parameters(100, 1, 1, "queries"),
    "W8": Parameters(100_000, 2_000, 100, "handler runs"),
    "W9": Parameters(10_000, 200, 1, "deliveries"),
    "W9net": Parameters(10_000, 200, 1, "deliveries"),
    "W10": Parameters(10_000, 10_000, 100, "objects"),
    "W11hot": Parameters(0, 1, 50, "requests in 10 s"),
    "W11spread": Parameters(0, 1_000, 50, "requests in 10 s"),
}
FROM_OUTSIDE = ("W9net", "W11hot", "W11spread")  # clients in another process, over loopback
ROWS = 50_000  # W7: rows in the table
KEYS = 10_000  # W6: entries to list
