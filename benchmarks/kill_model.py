"""What an object of `benchmarks.kills` may hold after a kill, worked out from what was acknowledged.

Nothing of dobook is used here: turns are announced by the process that is killed before they begin,
and acknowledged afterwards, over a pipe. A turn that was not acknowledged may have happened or not,
as a whole; so an object has one possible state, or two or three.
"""

from typing import NamedTuple

KEYS = tuple(f"k{n}" for n in range(5))
FAR_MS = 4_102_444_800_000
MOST_BOOKMARKS = 6

# What a turn may be; the second group takes SQL, the third point-in-time recovery.
ROWS = (
    "put",
    "put",
    "put one",
    "delete",
    "set alarm",
    "set alarm soon",
    "delete alarm",
    "transaction",
    "undone",
    "everything",
    "deleteAll",
)
SQL = ("insert", "write all", "transactionSync", "transaction with SQL", "drop table")
RECOVERY = ("bookmark", "restore", "write, restore")


class State(NamedTuple):
    """Rows as (key, number, size), in order; SQL rows, None if there is no table; the alarm."""

    rows: tuple[tuple[str, int, int], ...] = ()
    table: tuple[int, ...] | None = None
    alarm_ms: int | None = None

    def put(self, number, size, *keys):
        kept = tuple(row for row in self.rows if row[0] not in keys)
        return self._replace(rows=tuple(sorted((*kept, *((key, number, size) for key in keys)))))

    def delete(self, *keys):
        return self._replace(rows=tuple(row for row in self.rows if row[0] not in keys))

    def insert(self, number):
        return self._replace(table=(*(self.table or ()), number))

    def set_alarm(self, at_ms):
        return self._replace(alarm_ms=at_ms)

    def rung(self):
        """Return the state after the alarm has run."""
        return self.set_alarm(None).put(0, 0, "rung")


EMPTY = State()


def state_of(rows, table, alarm_ms):
    """Return a state: rows are a dict of [number, text], as objects store them."""
    kept = sorted((key, number, len(text)) for key, (number, text) in rows.items())
    return State(tuple(kept), None if table is None else tuple(table), alarm_ms)


def _write_all(state, number, size):
    written = state.put(number, size, *KEYS).set_alarm(FAR_MS + number)
    return written._replace(table=(number,) * 3)


def after(state, number, kind, size, extra):
    """Return the state that a turn makes of another one."""
    one = KEYS[number % len(KEYS)]
    alarm_ms = FAR_MS + number
    match kind:
        case "put":
            return state.put(number, size, *KEYS)
        case "put one":
            return state.put(number, size, one)
        case "delete":
            return state.delete(one, KEYS[0])
        case "set alarm":
            return state.set_alarm(alarm_ms)
        case "set alarm soon":
            return state.set_alarm(extra)
        case "delete alarm":
            return state.set_alarm(None)
        case "transaction":
            return state.put(number, size, *KEYS).set_alarm(alarm_ms)
        case "undone":
            return state.put(number, size, one)
        case "everything":
            return EMPTY.put(number, size, *KEYS).set_alarm(alarm_ms)
        case "deleteAll":
            return EMPTY
        case "insert":
            return state.insert(number)
        case "write all":
            return _write_all(state, number, size)
        case "transactionSync":
            return state.put(number, size, one).delete(KEYS[0]).insert(number)
        case "transaction with SQL":
            return state.put(number, size, *KEYS).insert(number)
        case "drop table":
            return state._replace(table=None)
        case "bookmark":
            return state
    raise ValueError(kind)


class Model:
    """What one object may hold."""

    def __init__(self):
        self.states = [EMPTY]
        self.turn = None  # announced, not acknowledged
        self.woken = True  # if not, it goes back to a bookmark when the next event comes
        self.told = []  # the last turns, for who has to find out what went wrong
        self.bookmarks = {}  # of each the states that it may stand for

    def announce(self, now_ms, *turn):
        """Note that a turn begins; an alarm that is due, or is again, may run before it."""
        self.turn = turn
        self.woken = True
        self.advance(now_ms, surely=False)
        self.told = [*self.told[-7:], turn]

    def acknowledge(self, answer):
        """Note that the turn that was announced has happened."""
        kind = self.turn[1]
        if kind == "bookmark":
            self.bookmarks[answer] = self.states
            while len(self.bookmarks) > MOST_BOOKMARKS:
                del self.bookmarks[next(iter(self.bookmarks))]
        self.states = self._outcomes()[-1]
        self.woken = "restore" not in kind
        self.turn = None

    def killed(self):
        """Note that the turn that was announced may have happened, or only its beginning."""
        if self.turn is not None:
            self._keep(*self.states, *(state for states in self._outcomes() for state in states))
            self.woken = self.woken and "restore" not in self.turn[1]
            self.turn = None

    def advance(self, now_ms, *, surely):
        """Note that alarms that are due at a time have run, or may have."""
        if not self.woken:  # the alarm that it had before may wake it, or nothing
            rung = [state.put(0, 0, "rung") for state in self.states]
            self._keep(*self.states, *rung, *(state.rung() for state in self.states))
            return
        due = [state for state in self.states if _is_due(state, now_ms)]
        kept = [state for state in self.states if not (surely and _is_due(state, now_ms))]
        self._keep(*kept, *(state.rung() for state in due))

    def see(self, state, now_ms):
        """Note what an object was found to hold; returns whether that can be."""
        self.advance(now_ms, surely=False)
        possible = state in self.states
        self.woken = True
        self.states = [state]
        return possible

    def _outcomes(self):
        """Return the lists of states that the announced turn makes, one after another."""
        number, kind, size, extra = self.turn
        if kind == "restore":
            return [self.bookmarks[extra]]
        if kind == "write, restore":
            return [[_write_all(s, number, size) for s in self.states], self.bookmarks[extra]]
        return [[after(state, number, kind, size, extra) for state in self.states]]

    def _keep(self, *states):
        self.states = list(dict.fromkeys(states))


def _is_due(state, now_ms):
    return state.alarm_ms is not None and state.alarm_ms <= now_ms
