"""The modules of one project, apart from everything else in the process.

Two projects may each contain an `entry.py` and a `helpers.py`. So each has its own table of
modules, and an `__import__` that its code finds among its builtins: names of the project's files
lead to those, the platform's names to dobook's modules, all others to Python's own import.
Source: developers.cloudflare.com/workers/languages/python/examples/#modules-in-your-worker
"""

import builtins
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import module_from_spec, resolve_name
from pathlib import Path
from types import ModuleType
from typing import Any

from dobook.workers_hook import OFFERED

_PLATFORM_ONLY = {
    "_cloudflare": "nothing of a Worker needs it.",
    "_cloudflare_compat_flags": "the flags are in the wrangler configuration.",
    "_pyodide_entrypoint_helper": "use the names of `workers`.",
    "micropip": "install packages where dobook runs.",
    "pyodide_js": "what Workers use of JavaScript is in `js`.",
}
PLATFORM = frozenset({"asgi", "js", "pyodide", "workers"})


class ModuleSpace:
    """What a project's code can import.

    Args:
        root: The folder of the entry module, whose files are modules.
        vendored: Folders of packages that the project brings along, `python_modules`; what is
            installed where dobook runs comes first, since these are built for the platform.
        on_load: Called with each module of the project, before its code runs.
    """

    def __init__(
        self,
        root: Path,
        vendored: Sequence[Path] = (),
        on_load: Callable[[ModuleType], None] = lambda _module: None,
    ) -> None:
        self.root = root
        self.modules: dict[str, ModuleType] = {}
        self._vendored = [str(path) for path in vendored]
        self._on_load = on_load
        self._specs: dict[str, ModuleSpec | None] = {}
        self._displaced: dict[str, ModuleType] = {}
        self._depth = 0
        self._builtins = {**vars(builtins), "__import__": self._import}
        _spaces.append(self)

    def load(self, name: str) -> ModuleType:
        """Return a module of the project, after its code has run.

        Raises:
            ModuleNotFoundError: If there is no module of that name.
            BaseException: What its code raises.
        """
        return self._loaded(name)

    def has(self, name: str) -> bool:
        """Return whether a name is that of a file or package of the project."""
        return self._spec(name.partition(".")[0]) is not None

    def finds(self, name: str) -> bool:
        """Return whether a module can be imported, which imports the package it is in."""
        if name in self.modules:
            return True
        outer = name.rpartition(".")[0]
        if not outer:
            return self.has(name)
        if not self.finds(outer):
            return False
        return self._spec(name, list(getattr(self._loaded(outer), "__path__", ()))) is not None

    def close(self) -> None:
        """Take the project's modules out of Python's own table."""
        for name, module in self.modules.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
        with suppress(ValueError):
            _spaces.remove(self)

    # ------------------------------------------------------------------ import

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - as Python calls it
        locals: Mapping[str, Any] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if level:
            package = (globals or {}).get("__package__") or ""
            if not package:
                raise ImportError("attempted relative import with no known parent package")
            name = resolve_name("." * level + name, package)
        outer = name.partition(".")[0]
        if outer in PLATFORM or name == "cloudflare.workers":
            return _platform(name, fromlist)
        if not self.has(outer):
            try:
                return builtins.__import__(name, globals, locals, fromlist or (), 0)
            except ModuleNotFoundError as error:
                _explain(error)
                raise
        module = self._loaded(name)
        if not fromlist:
            return module if level else self._loaded(outer)
        if hasattr(module, "__path__"):
            for member in (
                module.__all__ if "*" in fromlist and hasattr(module, "__all__") else fromlist
            ):
                if member != "*" and not hasattr(module, member):
                    try:
                        self._loaded(f"{name}.{member}")
                    except ModuleNotFoundError as error:
                        if error.name != f"{name}.{member}":  # what that module itself lacks
                            _explain(error)
                            raise
        return module

    def _loaded(self, name: str) -> ModuleType:
        module = self.modules.get(name)
        if module is not None:
            return module
        outer, _, inner = name.rpartition(".")
        parent = self._loaded(outer) if outer else None
        if name in self.modules:  # the parent has imported it
            return self.modules[name]
        spec = self._spec(name, None if parent is None else list(getattr(parent, "__path__", ())))
        if spec is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        module = self._execute(spec)
        if parent is not None:
            setattr(parent, inner, module)
        return module

    def _spec(self, name: str, path: list[str] | None = None) -> ModuleSpec | None:
        if path is not None:
            return PathFinder.find_spec(name, path)
        if name not in self._specs:
            self._specs[name] = self._find(name)
        return self._specs[name]

    def _find(self, name: str) -> ModuleSpec | None:
        found = PathFinder.find_spec(name, [str(self.root)])
        if found is not None and found.loader is not None and found.origin is not None:
            return found
        # A folder without __init__.py is a package only where there is no other of that name.
        elsewhere = name in sys.builtin_module_names or PathFinder.find_spec(name) is not None
        if elsewhere:
            return None
        return found or PathFinder.find_spec(name, self._vendored)

    def _execute(self, spec: ModuleSpec) -> ModuleType:
        module = module_from_spec(spec)
        name = spec.name
        vars(module)["__builtins__"] = self._builtins
        self.modules[name] = module
        # While a class is made its module is looked up by name, by dataclasses for instance.
        before = sys.modules.get(name)
        if before is not None and name not in self._displaced:
            self._displaced[name] = before
        sys.modules[name] = module
        self._depth += 1
        try:
            self._on_load(module)
            if isinstance(spec.loader, SourceFileLoader):
                assert spec.origin is not None
                # Not by the loader, which would leave a __pycache__ in the project.
                source = spec.loader.get_data(spec.origin)
                exec(spec.loader.source_to_code(source, spec.origin), vars(module))
            elif spec.loader is not None:
                spec.loader.exec_module(module)
        except BaseException:
            del self.modules[name]
            sys.modules.pop(name, None)
            raise
        finally:
            self._depth -= 1
            if not self._depth:
                sys.modules.update(self._displaced)
                self._displaced.clear()
        return module


def _platform(name: str, fromlist: Sequence[str] | None) -> ModuleType:
    """Return one of the platform's modules: dobook's, also where a real one is installed.

    A project that is run here has asked for that; everything else in the process sees the real one.
    """
    if name not in OFFERED:
        outer = name.partition(".")[0]
        raise ModuleNotFoundError(
            f"No module named {name!r}: dobook does not offer it. There is "
            + ", ".join(n for n in sorted(OFFERED) if n.startswith(outer)),
            name=name,
        )
    module = importlib.import_module(OFFERED[name])
    for member in fromlist or ():
        if f"{name}.{member}" in OFFERED:
            importlib.import_module(OFFERED[f"{name}.{member}"])
    if fromlist or "." not in name:
        return module
    return importlib.import_module(OFFERED[name.partition(".")[0]])


def _explain(error: ModuleNotFoundError) -> None:
    """Explain what may be meant where a module is not found."""
    if error.name == "src":
        error.add_note(
            "The folder of the entry module is where imports begin: write `import helpers`, not "
            "`from src import helpers`."
        )
    elif error.name in _PLATFORM_ONLY:
        error.add_note(
            f"It is part of the platform's own inside, which dobook does not have: {_PLATFORM_ONLY[error.name]}"
        )
    elif error.name is not None and "." not in error.name:
        error.add_note(
            f"It is not a file of the project. If it is a package, install it where dobook runs: "
            f"pip install {error.name}"
        )


class _Finder:
    """Finds modules of projects for `importlib.import_module`, which knows nothing of spaces.

    Args:
        inner: Whether it answers for what is inside of packages, which has to go before Python's
            own finders: they would import the same files a second time. Whole modules go after.
    """

    def __init__(self, *, inner: bool) -> None:
        self._inner = inner

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        outer, dot, _ = fullname.partition(".")
        if bool(dot) != self._inner:
            return None
        for space in reversed(_spaces):
            if dot and sys.modules.get(outer) is not space.modules.get(outer, space):
                continue
            if space.modules and space.finds(fullname):
                return ModuleSpec(fullname, _Loader(space))  # type: ignore[arg-type]
        return None


class _Loader:
    """Loads a module in the space that has it."""

    def __init__(self, space: ModuleSpace) -> None:
        self._space = space

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = self._space.load(spec.name)
        self._own = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._own


_spaces: list[ModuleSpace] = []
sys.meta_path.insert(0, _Finder(inner=True))
sys.meta_path.append(_Finder(inner=False))
