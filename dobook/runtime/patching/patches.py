"""Replaces functions of time and chance while any runtime is open, and restores them after.

What is put in place asks `current()` at each call, so it changes nothing for code that belongs to
no runtime. Three ways are used, and none of them changes what a class is:

- Names in the modules `time`, `random`, `os`, `uuid`, `asyncio` and `numpy.random`.
- The same functions under the names that other modules have given them (`from time import
  monotonic`), in globals, classes and defaults of parameters. Modules are searched once, when they
  are new. The standard library is left alone: what it keeps waits for real time.
- Methods of `datetime.datetime`, `datetime.date` and `random.Random`. The first two are written in
  C, and Python refuses to set their attributes, so the entries of their dictionaries are replaced;
  then their caches are emptied. A C extension could go one step further, as `time-machine` does, and
  reach functions that objects have kept since before the first runtime was opened. It was not
  used: it has no clock for each caller, and none of its wheels is for the browser. Its technique
  through `ctypes` is not safe here, because an interrupt that comes within a callback is lost.
"""

import contextlib
import datetime as dt
import gc
import importlib.machinery
import importlib.util
import random
import sys
import threading
import time
import types
import uuid
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from dobook.runtime.patching import chance, versions, wallclock
from dobook.runtime.patching.current import current
from dobook.runtime.patching.standin import (
    REAL_CALLERS,
    Clock,
    SeededFunction,
    StandIn,
    SteadyClock,
)

_NUMPY: Final = "numpy.random"
_LEFT_ALONE: Final = frozenset({*sys.stdlib_module_names, *REAL_CALLERS})
_FUNCTIONS: Final = frozenset(
    {
        *(types.BuiltinFunctionType, types.FunctionType, types.MethodType),
        *(StandIn, Clock, SteadyClock, SeededFunction),
    }
)


class Patches:
    """This process's replacements of the functions of time and chance."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._holders = 0
        self._ready = False
        self._names: list[tuple[dict[str, Any], str, Any, Any]] = []
        self._methods: list[tuple[type, str, Any, Any]] = []
        self._forth: dict[Any, Any] = {}  # from real functions to their replacements
        self._back: dict[Any, Any] = {}
        self._marks: set[int] = set()  # ids of objects whose presence makes a module worth a search
        self._searched: set[str] = set()
        self._modules = 0  # how many modules there were at the last search
        self._places: list[_Place] = []
        self._watched: dict[int, dict[str, Any]] = {}
        self._numpy_done = False
        self._finder = _NumpyFinder(self._numpy_loaded)

    def acquire(self) -> None:
        """Install the replacements, unless they are installed."""
        with self._lock:
            try:
                if not self._holders:
                    self._install()
                self._holders += 1
            except BaseException:  # an interrupt: undo the half, so that the next call starts anew
                if not self._holders:
                    self._uninstall()
                    self._places.clear()
                    self._searched.clear()
                    self._modules = 0
                raise

    def release(self) -> None:
        """Remove the replacements if nobody else needs them."""
        with self._lock:
            self._holders -= 1
            if not self._holders:
                self._uninstall()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *exc: object) -> None:
        self.release()

    def hold(self, owner: object) -> Callable[[], object]:
        """Acquire for an object; returns what releases. It is called when the object is collected."""
        self.acquire()
        release = weakref.finalize(owner, self.release)
        release.atexit = False
        return release

    def watch(self, names: dict[str, Any]) -> None:
        """Search the globals of code that may not be a module of `sys.modules`."""
        with self._lock:
            self._watched[id(names)] = names
            if self._holders:
                self._search(names, self._forth)

    # ------------------------------------------------------------------ in place and away

    def _install(self) -> None:
        if not self._ready:
            self._prepare()
        if _NUMPY in sys.modules:
            self._numpy_loaded()
        for names, name, _, stand_in in self._names:
            names[name] = stand_in
        for owner, name, _, stand_in in self._methods:
            _set_method(owner, name, stand_in)
        for place in self._places:
            place.put(self._forth)
        self._search_new(self._forth)
        sys.meta_path.insert(0, self._finder)

    def _uninstall(self) -> None:
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(self._finder)
        for names, name, real, stand_in in self._names:
            if names.get(name) is stand_in:  # not what somebody else has put there
                names[name] = real
        for owner, name, real, stand_in in self._methods:
            if vars(owner).get(name) is stand_in:
                _set_method(owner, name, real)
        for place in self._places:
            place.put(self._back)
        self._search_new(self._back)
        self._watched.clear()

    def _prepare(self) -> None:
        self._names, self._methods = [], []
        datetime, date = dt.datetime, dt.date
        bound: Any = datetime.now, datetime.utcnow, datetime.today, date.today
        for name, stand_in in wallclock.functions():
            self._add(vars(time), name, stand_in)
        for module, name, stand_in in chance.functions():
            self._add(vars(module), name, stand_in)
        for names, name, stand_in in versions.functions():
            self._add(names, name, stand_in)
        for owner, name, stand_in in wallclock.methods():
            self._methods.append((owner, name, vars(owner)[name], stand_in))
        seed = random.Random.seed
        self._methods.append((random.Random, "seed", seed, chance.seed_method()))
        for method in bound:
            stand_in = next(m[3] for m in self._methods if m[1] == method.__name__)
            self._know(method, stand_in.__get__(None, method.__self__))
        self._marks |= {id(m) for m in (dt, dt.date, dt.datetime, random, time, uuid)}
        self._ready = True

    def _add(self, names: dict[str, Any], name: str, stand_in: StandIn) -> None:
        real = names[name]
        self._names.append((names, name, real, stand_in))
        self._know(real, stand_in)

    def _know(self, real: object, stand_in: object) -> None:
        self._forth[real], self._back[stand_in] = stand_in, real
        self._marks |= {id(real), id(stand_in)}

    def _numpy_loaded(self) -> None:
        with self._lock:
            if self._numpy_done:
                return
            for owner, name, stand_in in chance.numpy_functions(sys.modules[_NUMPY]):
                self._add(vars(owner), name, stand_in)
                if self._holders:
                    vars(owner)[name] = stand_in
            self._numpy_done = True

    # ------------------------------------------------------------------ names in other modules

    def _search_new(self, new: dict[Any, Any]) -> None:
        if len(sys.modules) != self._modules:
            count = len(sys.modules)
            for name in [name for name in sys.modules if name not in self._searched]:
                names = getattr(sys.modules.get(name), "__dict__", None)
                if type(names) is dict and name.partition(".")[0] not in _LEFT_ALONE:
                    self._search(names, new, self._places)
                self._searched.add(name)
            self._modules = count
        # The names in these change all the time.
        for names in (vars(sys.modules["__main__"]), *self._watched.values()):
            self._search(names, new)

    def _search(
        self, names: dict[str, Any], new: dict[Any, Any], places: "list[_Place] | None" = None
    ) -> None:
        if self._marks.isdisjoint(map(id, list(names.values()))):
            return
        found = list(_places(names, new))
        if places is not None:
            places += found
        for place in found:
            place.put(new)


class _Place:
    """Where a function is kept: a global, an attribute, or a default of a parameter."""

    __slots__ = ("_get", "_set")

    def __init__(self, get: Callable[[], Any], set: Callable[[Any], None]) -> None:  # noqa: A002
        self._get, self._set = get, set

    def put(self, new: dict[Any, Any]) -> None:
        """Replace what is there if `new` has something in place of it."""
        found = self._get()
        if type(found) in _FUNCTIONS and found in new:
            self._set(new[found])


def _places(names: dict[str, Any], new: dict[Any, Any]) -> Iterator[_Place]:
    module = names.get("__name__")
    for name, value in list(names.items()):
        # The type itself is asked: a proxy's `__class__` may run anything.
        if type(value) in _FUNCTIONS and value in new:
            yield _item(names, name)
        elif type(value) is types.FunctionType and value.__module__ == module:
            yield from _defaults(value, new)
        elif issubclass(type(value), type) and value.__module__ == module:
            yield from _members(value, new)
        elif type(value) is dict and value is not names:
            kept = [key for key, v in list(value.items()) if type(v) in _FUNCTIONS and v in new]
            yield from (_item(value, key) for key in kept)


def _members(owner: type, new: dict[Any, Any]) -> Iterator[_Place]:
    for name, member in list(vars(owner).items()):
        inside = member.__func__ if type(member) in (classmethod, staticmethod) else member
        if type(inside) is types.FunctionType:
            yield from _defaults(inside, new)
        elif type(inside) in _FUNCTIONS and inside in new:
            yield _attribute(owner, name, None if inside is member else member)


def _defaults(function: types.FunctionType, new: dict[Any, Any]) -> Iterator[_Place]:
    for number, default in enumerate(function.__defaults__ or ()):
        if type(default) in _FUNCTIONS and default in new:
            yield _default(function, number)
    keywords = function.__kwdefaults__ or {}
    for name, default in list(keywords.items()):
        if type(default) in _FUNCTIONS and default in new:
            yield _item(keywords, name)


def _item(names: dict[Any, Any], name: object) -> _Place:
    return _Place(lambda: names.get(name), lambda value: names.__setitem__(name, value))


def _attribute(owner: type, name: str, wrapper: Any) -> _Place:
    """Return an attribute of a class, whose function may be wrapped in a `staticmethod`."""
    if wrapper is None:
        return _Place(lambda: vars(owner).get(name), lambda value: setattr(owner, name, value))
    wrappers = {wrapper.__func__: wrapper}
    return _Place(
        lambda: getattr(vars(owner).get(name), "__func__", None),
        lambda value: setattr(owner, name, wrappers.setdefault(value, staticmethod(value))),
    )


def _default(function: types.FunctionType, number: int) -> _Place:
    return _Place(
        lambda: dict(enumerate(function.__defaults__ or ())).get(number),
        lambda value: _set_default(function, number, value),
    )


def _set_default(function: types.FunctionType, number: int, value: object) -> None:
    defaults = list(function.__defaults__ or ())
    defaults[number] = value
    function.__defaults__ = tuple(defaults)


def _set_method(owner: type, name: str, value: object) -> None:
    """Set a method, also of a class that is written in C.

    The proxy that `vars` gives of such a class is read-only; the dictionary behind it is not. To
    set `__abstractmethods__` empties the caches in which the interpreter may have the old method;
    it is a no-op otherwise.
    """
    try:
        setattr(owner, name, value)
    except TypeError:
        (names,) = gc.get_referents(vars(owner))
        names[name] = value
        abstract = vars(type)["__abstractmethods__"]
        abstract.__set__(owner, ())
        abstract.__delete__(owner)


class _NumpyFinder:
    """Tells when `numpy.random` has been imported."""

    def __init__(self, loaded: Callable[[], None]) -> None:
        self._loaded = loaded
        self._busy = False

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Find `numpy.random` as other finders do, and watch its loading."""
        if fullname != _NUMPY or self._busy:
            return None
        self._busy = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._busy = False
        loader = None if spec is None else spec.loader
        if loader is not None:
            execute, loaded = loader.exec_module, self._loaded

            def exec_module(module: types.ModuleType) -> None:
                # NumPy draws the seed of its global generator. What a handler draws must not
                # depend on whether it was the first in the process to import NumPy.
                source = current()
                generator = None if source is None else source.draws().generator
                state = None if generator is None else generator.getstate()
                try:
                    execute(module)
                finally:
                    if generator is not None and state is not None:
                        generator.setstate(state)
                loaded()

            with contextlib.suppress(AttributeError):  # a loader without room for it
                loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


patches: Final = Patches()


def watch_class(cls: type) -> None:
    """Search the globals of a class's methods, which may belong to no module."""
    for value in vars(cls).values():
        names = getattr(getattr(value, "__func__", value), "__globals__", None)
        if type(names) is dict:
            patches.watch(names)
