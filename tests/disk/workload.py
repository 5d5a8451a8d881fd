"""Programs that are played on a state directory while a recorder looks on, and what they expect.

A program is a list of steps, hand-picked or drawn from a seed. Its objects write rows, SQL rows and
the alarm; each step knows what an object will have afterwards. The log gets two marks a step: what
may be found from now on, and, once the caller has its answer, what must be.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import dobook
from dobook.errors import PlatformError
from dobook.runtime.access import kernel_of
from dobook.storage import journal, store
from tests.disk.recorder import Log, recording

FAR_MS: Final = 4_102_444_800_000
KEYS: Final = ("a", "b", "c")
OBJECTS: Final = ("SQL/one", "SQL/two", "KV/three", "KV/four")
DOOMED: Final = "DOOMED/five"

State = dict[str, Any]
"""What an object has: `rows`, the rows of its table `log`, and its `alarm`."""

EMPTY: Final[State] = {"rows": {}, "log": [], "alarm": None}
Step = tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class Mark:
    """What may be found of some objects from here on. `sure`: a caller has its answer."""

    states: dict[str, list[State]]
    sure: bool


class Subject:
    """Does what it is asked to, in one turn."""

    def __init__(self, ctx, env):
        self.ctx, self.storage = ctx, ctx.storage

    async def put(self, entries):
        await self.storage.put(entries)

    async def delete(self, keys):
        await self.storage.delete(keys)

    async def log(self, number):
        self._log(number)

    async def set_alarm(self, at_ms):
        await self.storage.setAlarm(at_ms)

    async def all_of_it(self, entries, number, at_ms):
        for key, value in entries.items():
            self.storage.put(key, value)
        if number is not None:
            self._log(number)
        self.storage.setAlarm(at_ms)

    async def start_again(self, entries, at_ms):
        self.storage.deleteAll()
        self.storage.put(entries)
        self.storage.setAlarm(at_ms)

    async def transaction(self, entries, *, fails):
        async def body(txn):
            for key, value in entries.items():
                await txn.put(key, value)
            if fails:
                raise ValueError("undo")

        with contextlib.suppress(ValueError):
            await self.storage.transaction(body)

    async def alarm(self):
        self.storage.put("rang", True)  # noqa: FBT003

    async def bookmark(self):
        return await self.storage.getCurrentBookmark()

    async def restore(self, bookmark):
        await self.storage.onNextSessionRestoreBookmark(bookmark)

    async def abort(self):
        self.ctx.abort("restart")

    async def look(self, *, sql):
        log = []
        if (
            sql
            and self.storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'log'").toArray()
        ):
            log = [row.n for row in self.storage.sql.exec("SELECT n FROM log ORDER BY rowid")]
        rows = dict(await self.storage.list())
        return {"rows": rows, "log": log, "alarm": await self.storage.getAlarm()}

    def _log(self, number):
        self.storage.sql.exec("CREATE TABLE IF NOT EXISTS log(n)")
        self.storage.sql.exec("INSERT INTO log VALUES (?)", number)


def opened(path: Path, **options: Any) -> dobook.Runtime:
    """Return a runtime with all classes."""
    runtime = dobook.Runtime(path, **options)
    try:
        runtime.register(Subject, "SQL", name="Sql")
        runtime.register(Subject, "KV", name="Kv", sqlite=False)
        runtime.register(Subject, "DOOMED", name="Doomed")
    except BaseException:
        runtime.close()
        raise
    return runtime


def look(runtime: dobook.Runtime, name: str) -> Any:
    """Return a promise of what an object has."""
    return runtime.stub(name).look(sql=not name.startswith("KV/"))


# Each of these is a module and the name of a size in it.
SMALL_JOURNAL: Final = {(journal, "CHUNK_BYTES"): 8_192, (journal, "CHECKPOINT_BYTES"): 6_000}
ROW_BY_ROW: Final = {(store, "WHOLE_LOAD_BYTES"): 10_000}


@contextlib.contextmanager
def small_sizes(*, row_by_row: bool = False) -> Iterator[None]:
    """Keep journals short, so that a state is quickly made, and checkpoints frequent.

    Args:
        row_by_row: Whether objects of more than a few rows are read row by row, as those of more
            than 4 MiB are.
    """
    sizes = SMALL_JOURNAL | (ROW_BY_ROW if row_by_row else {})
    before = {place: getattr(*place) for place in sizes}
    for (module, name), size in sizes.items():
        setattr(module, name, size)
    try:
        yield
    finally:
        for (module, name), size in before.items():
            setattr(module, name, size)


# ---------------------------------------------------------------------- playing


class Play:
    """A program as it is played."""

    def __init__(self, path: Path, log: Log, durability: str) -> None:
        self.path, self.log, self.durability = path, log, durability
        self.states: dict[str, State] = {}
        self.bookmarks: dict[str, tuple[str, State]] = {}
        self.runtime = opened(path, durability=durability)

    def step(self, step: Step) -> None:
        """Do one step."""
        getattr(self, f"do_{step[0]}")(*step[1:])

    def do_call(self, name: str, method: str, *args: Any, **options: Any) -> None:
        self.do_together([(name, method, *args)], **options)

    def do_together(self, calls: list[Step], **options: Any) -> None:
        """Call several objects in one tick."""
        after = {
            name: AFTER[method](self.states.get(name, EMPTY), *args, **options)
            for name, method, *args in calls
        }

        async def everything() -> None:
            begun = [
                getattr(self.runtime.stub(name), method)(*args, **options)
                for name, method, *args in calls
            ]
            for call in begun:
                await call

        self.do(after, lambda: self.runtime.run(everything()))

    def do(self, after: dict[str, State], act: Callable[[], object], *between: State) -> None:
        """Do something that changes objects, with marks around it."""
        before = {name: self.states.get(name, EMPTY) for name in after}
        self.log.mark(
            Mark({name: [before[name], *between, after[name]] for name in after}, sure=False)
        )
        act()
        self.states.update(after)
        self.log.mark(Mark({name: [state] for name, state in after.items()}, sure=True))

    def do_transaction(self, name: str, entries: dict[str, Any], fails: bool) -> None:  # noqa: FBT001
        """Write in an explicit transaction, which may be undone."""
        self.do_call(name, "transaction", entries, fails=fails)

    def do_ring(self, name: str) -> None:
        """Let an alarm run."""
        at_ms = self.runtime.clock.now_ms + 1_000
        self.do_call(name, "set_alarm", at_ms)
        state = self.states[name]
        written = state | {"rows": state["rows"] | {"rang": True}}
        after = written | {"alarm": None}
        # An alarm is over when its handler has returned: what that wrote may be there before.
        self.do({name: after}, lambda: self.runtime.advance("1s"), written)

    def do_bookmark(self, name: str) -> None:
        """Keep a bookmark of what an object has now."""
        bookmark = self.runtime.run(self.runtime.stub(name).bookmark())
        self.bookmarks[name] = (bookmark, self.states.get(name, EMPTY))

    def do_restore(self, name: str) -> None:
        """Take an object back to its bookmark."""
        bookmark, state = self.bookmarks[name]
        stub = self.runtime.stub

        def act() -> None:
            self.runtime.run(stub(name).restore(bookmark))
            with contextlib.suppress(PlatformError):
                self.runtime.run(stub(name).abort())
            self.runtime.run(look(self.runtime, name))

        self.do({name: state}, act)

    def do_delete_class(self) -> None:
        """Delete the class that nobody needs."""
        namespace = self.runtime.namespace("DOOMED")
        self.do(
            {DOOMED: EMPTY}, lambda: kernel_of(self.runtime).registry.delete(namespace.unique_key)
        )
        self.do_reopen()

    def do_evict(self, name: str) -> None:
        """Take an object out of memory."""
        with contextlib.suppress(PlatformError):  # it was not there
            self.runtime.run(self.runtime.evict(name))

    def do_idle(self) -> None:
        """Let time pass until every object has left memory."""
        self.runtime.advance("30s")

    def do_checkpoint(self) -> None:
        """Write every object's file."""
        kernel_of(self.runtime).stores.committer.checkpoint()

    def do_reopen(self) -> None:
        """Close the runtime and open it again."""
        self.runtime.close()
        self.runtime = opened(self.path, durability=self.durability)

    def finish(self) -> None:
        """Close the runtime, after a look at whether this module expects the right things."""
        try:
            for name, state in self.states.items():
                found = self.runtime.run(look(self.runtime, name))
                assert found == state, f"{name} has {found} without a crash, not {state}"
        finally:
            self.runtime.close()


def _put(state: State, entries: dict[str, Any]) -> State:
    return state | {"rows": state["rows"] | entries}


AFTER: Final[dict[str, Callable[..., State]]] = {
    "put": _put,
    "delete": lambda s, keys: s | {"rows": {k: v for k, v in s["rows"].items() if k not in keys}},
    "log": lambda s, n: s | {"log": [*s["log"], n]},
    "set_alarm": lambda s, at_ms: s | {"alarm": at_ms},
    "all_of_it": lambda s, entries, n, at_ms: (
        _put(s, entries) | {"log": s["log"] + ([] if n is None else [n]), "alarm": at_ms}
    ),
    "start_again": lambda s, entries, at_ms: {"rows": entries, "log": [], "alarm": at_ms},
    "transaction": lambda s, entries, *, fails: s if fails else _put(s, entries),
}


@dataclasses.dataclass(frozen=True)
class Recording:
    """What a program did to its disk."""

    name: str
    durability: str
    log: Log


def record(
    name: str, steps: list[Step], durability: str, folder: Path, *, row_by_row: bool = False
) -> Recording:
    """Play a program in an empty folder; returns what was done there."""
    disk = folder / "disk"
    disk.mkdir()
    with recording(disk) as log, small_sizes(row_by_row=row_by_row):
        play = Play(disk / "state", log, durability)
        try:
            for step in steps:
                play.step(step)
        except BaseException:
            with contextlib.suppress(Exception):
                play.runtime.close()
            raise
        play.finish()
    return Recording(name, durability, log)
