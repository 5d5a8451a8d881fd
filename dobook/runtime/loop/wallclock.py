"""`time.time()` and `datetime.now()` follow the virtual clock while the runtime's loop turns.

For that while the names are replaced where code finds them: in the modules `time` and `datetime`,
and in the globals of modules whose classes are registered (for `from time import time`). Other
threads keep the real time. Everything is put back when the loop stops. Randomness is replaced
along with it; see `chance`.

In real time, which lasts, less is replaced: nothing at all where the runtime's clock shows what
the one on the wall shows; otherwise the functions of `time`, and the names that registered classes
see, the modules `time` and `datetime` included, but not the class `datetime.datetime` of everybody
else. Randomness is real then.
"""

import datetime as dt_module
import threading
import time as time_module
import types
from collections.abc import Callable
from typing import Any

from dobook.runtime.loop import versions
from dobook.runtime.loop.chance import Chance, Swap, thread_is

_real_time = time_module.time
_real_time_ns = time_module.time_ns
_real_datetime = dt_module.datetime
_real_date = dt_module.date
SAME_MS = 1_000  # clocks that differ by less show the same


class WallClock:
    """A context manager that makes the virtual time the time of day.

    Args:
        now_ms: Reads the virtual clock, in ms since 1970.
        active: Says whether time is virtual at the moment.
        chance: The randomness that goes with it.
    """

    def __init__(
        self, now_ms: Callable[[], int], active: Callable[[], bool], chance: Chance
    ) -> None:
        self._now_ms = now_ms
        self._active = active
        self._chance = chance
        self.further: Callable[[], list[Swap]] | None = None  # asked at each turn
        self._depth = 0
        self._globals: dict[int, dict[str, Any]] = {}
        self._swaps: list[Swap] = []
        self._virtual = True  # during this turn
        time, time_ns = self._time, self._time_ns  # bound: a class that keeps one binds no more
        self._thread = 0
        self._stand_ins = {
            id(_real_time): time,
            id(_real_time_ns): time_ns,
            id(_real_datetime): _datetime_class(time),
            id(_real_date): _date_class(time),
        }
        self._always: list[Swap] = [
            (vars(time_module), "time", _real_time, time),
            (vars(time_module), "time_ns", _real_time_ns, time_ns),
            (vars(dt_module), "datetime", _real_datetime, self._stand_ins[id(_real_datetime)]),
            (vars(dt_module), "date", _real_date, self._stand_ins[id(_real_date)]),
            *chance.swaps(thread_is(lambda: self._thread)),
            *versions.swaps(thread_is(lambda: self._thread)),
        ]
        for _, _, value, stand_in in self._always:
            if stand_in is not None:
                self._stand_ins[id(value)] = stand_in
        # In real time.
        self._functions = self._always[:2]
        self._shifted_stand_ins: dict[int, Any] = {
            **{id(value): stand_in for _, _, value, stand_in in self._always[:4]},
            id(time_module): _like(time_module, time=time, time_ns=time_ns),
            id(dt_module): _like(
                dt_module,
                datetime=self._stand_ins[id(_real_datetime)],
                date=self._stand_ins[id(_real_date)],
            ),
        }

    def _time(self) -> float:
        return self._now_ms() / 1000 if threading.get_ident() == self._thread else _real_time()

    def _time_ns(self) -> int:
        here = threading.get_ident() == self._thread
        return self._now_ms() * 1_000_000 if here else _real_time_ns()

    def watch(self, cls: type) -> None:
        """Have the globals of a class's methods follow too."""
        for value in vars(cls).values():
            function = getattr(value, "__func__", value)
            function_globals = getattr(function, "__globals__", None)
            if function_globals is not None:
                self._globals[id(function_globals)] = function_globals

    def watch_names(self, names: dict[str, Any]) -> None:
        """Have the globals of a module follow too."""
        self._globals[id(names)] = names

    def __enter__(self) -> None:
        self._depth += 1
        if self._depth > 1:
            return
        stand_ins, swaps = self._stand_ins, self._swaps
        self._virtual = self._active()
        if self._virtual:
            swaps += self._always
            self._chance.enter()
        else:
            if abs(self._now_ms() - _real_time() * 1000) >= SAME_MS:
                swaps += self._functions
            stand_ins = self._shifted_stand_ins if swaps else {}
        if self.further is not None:
            swaps += self.further()
        if not swaps:
            return
        self._thread = threading.get_ident()
        for names in self._globals.values():
            for name, value in list(names.items()):
                stand_in = stand_ins.get(id(value))
                if stand_in is not None:
                    swaps.append((names, name, value, stand_in))
        for names, name, _, stand_in in swaps:
            names[name] = stand_in

    def __exit__(self, *exc: object) -> None:
        self._depth -= 1
        if self._depth or not self._swaps:
            return
        if self._virtual:
            self._chance.leave()
        for names, name, value, stand_in in self._swaps:
            if names.get(name) is stand_in:
                names[name] = value
        self._swaps.clear()
        self._thread = 0  # code that has kept a stand-in has the real time from now on


def _like(module: types.ModuleType, **replaced: Any) -> types.ModuleType:
    """Return a module with some names replaced, and everything else looked up in the real one."""
    like = types.ModuleType(module.__name__, module.__doc__)
    vars(like).update(replaced)
    like.__getattr__ = lambda name: getattr(module, name)  # type: ignore[method-assign]
    return like


def _datetime_class(time: Callable[[], float]) -> type:
    class Meta(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, _real_datetime)

        def __subclasscheck__(cls, other: type) -> bool:
            return issubclass(other, _real_datetime)

    class datetime(_real_datetime, metaclass=Meta):
        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            return _real_datetime(*args, **kwargs)

        @classmethod
        def now(cls, tz: dt_module.tzinfo | None = None) -> Any:
            return _real_datetime.fromtimestamp(time(), tz)

        @classmethod
        def today(cls) -> Any:
            return _real_datetime.fromtimestamp(time())

        @classmethod
        def utcnow(cls) -> Any:
            return _real_datetime.fromtimestamp(time(), dt_module.UTC).replace(tzinfo=None)

        fromtimestamp = _real_datetime.fromtimestamp  # type: ignore[assignment]
        fromisoformat = _real_datetime.fromisoformat  # type: ignore[assignment]
        strptime = _real_datetime.strptime  # type: ignore[assignment]
        combine = _real_datetime.combine  # type: ignore[assignment]
        utcfromtimestamp = _real_datetime.utcfromtimestamp  # type: ignore[assignment]
        fromordinal = _real_datetime.fromordinal  # type: ignore[assignment]
        fromisocalendar = _real_datetime.fromisocalendar  # type: ignore[assignment]
        min = _real_datetime.min
        max = _real_datetime.max

    datetime.__qualname__ = "datetime"
    datetime.__module__ = "datetime"
    return datetime


def _date_class(time: Callable[[], float]) -> type:
    class Meta(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, _real_date)

        def __subclasscheck__(cls, other: type) -> bool:
            return issubclass(other, _real_date)

    class date(_real_date, metaclass=Meta):
        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            return _real_date(*args, **kwargs)

        @classmethod
        def today(cls) -> Any:
            return _real_date.fromtimestamp(time())

        fromtimestamp = _real_date.fromtimestamp  # type: ignore[assignment]
        fromisoformat = _real_date.fromisoformat  # type: ignore[assignment]
        fromordinal = _real_date.fromordinal  # type: ignore[assignment]
        fromisocalendar = _real_date.fromisocalendar  # type: ignore[assignment]

    date.__qualname__ = "date"
    date.__module__ = "datetime"
    return date
