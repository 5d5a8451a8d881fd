"""Makes `workers`, `js`, `pyodide` and `asgi` importable, as they are on Cloudflare.

The modules are found through a finder at the end of `sys.meta_path`, so that an installed package
of the same name always comes first and nothing is ever shadowed. Modules inside of them
(`pyodide.ffi`) come from where the outer module came from.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

OFFERED = {
    "asgi": "dobook.workers.asgi",
    "cloudflare.workers": "dobook.workers",
    "js": "dobook.workers.js",
    "pyodide": "dobook.workers.pyodide",
    "pyodide.code": "dobook.workers.pyodide.code",
    "pyodide.ffi": "dobook.workers.pyodide.ffi",
    "pyodide.ffi.wrappers": "dobook.workers.pyodide.wrappers",
    "pyodide.http": "dobook.workers.pyodide.http",
    "pyodide.webloop": "dobook.workers.pyodide.webloop",
    "workers": "dobook.workers",
    "workers.asgi": "dobook.workers.asgi",
    "workers.entrypoints": "dobook.workers.entrypoints",
    "workers.request": "dobook.workers",
    "workers.response": "dobook.workers",
    "workers.rpc": "dobook.workers.rpc",
    "workers.types": "dobook.workers",
    "workers.workflows": "dobook.workers.workflows",
    "workers.wsgi": "dobook.workers.wsgi",
}
SDK_NEEDS = "_pyodide_entrypoint_helper"  # what Cloudflare's own package cannot be without
_OUTER = ("js", "pyodide", "workers")


class _Finder:
    """Finds and loads the platform's modules in dobook.

    It does not derive from `importlib.abc`, whose import takes longer than all of dobook's own.
    """

    def __init__(self) -> None:
        self._specs: dict[str, ModuleSpec | None] = {}

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname == SDK_NEEDS and not is_ours("workers"):
            raise ModuleNotFoundError(
                f"No module named {fullname!r}: the `workers` that is installed here is the package "
                "workers-runtime-sdk, which runs inside Cloudflare's runtime only, and dobook "
                "shadows nothing that is installed. Uninstall it to have dobook's own (pip "
                "uninstall workers-runtime-sdk), or run a project as it is: `dobook run PATH`, "
                "`%worker --project PATH`.",
                name=fullname,
            )
        if fullname not in OFFERED:
            return None
        return ModuleSpec(fullname, self)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(OFFERED[spec.name])
        self._specs[module.__name__] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The module of dobook has run already; but importlib has replaced its spec, which has to be
        # its own again for reloads.
        module.__spec__ = self._specs[module.__name__]


class _Inner:
    """Answers for what is inside of the modules that dobook has provided.

    Without it Python would look into dobook's own folders, and import files there a second time.
    """

    def __init__(self, finder: _Finder) -> None:
        self._finder = finder

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        outer, dot, _ = fullname.partition(".")
        if not dot or outer not in _OUTER or not is_ours(outer):
            return None
        if fullname not in OFFERED:
            raise ModuleNotFoundError(
                f"No module named {fullname!r}: dobook does not offer it. There is "
                + ", ".join(n for n in sorted(OFFERED) if n.startswith(outer)),
                name=fullname,
            )
        return self._finder.find_spec(fullname, path, target)


def is_ours(name: str) -> bool:
    """Return whether a module that has been imported under a name is dobook's."""
    module = sys.modules.get(name)
    return getattr(module, "__name__", None) == OFFERED.get(name)


def install() -> None:
    """Offer the platform's modules from now on. Twice is fine."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        finder = _Finder()
        sys.meta_path.insert(0, _Inner(finder))
        sys.meta_path.append(finder)
        if sys.platform == "emscripten":
            _complete_js()


def _complete_js() -> None:
    """Add to a browser's own `js`, which is there already, what only the platform has."""
    ours, theirs = importlib.import_module(OFFERED["js"]), importlib.import_module("js")
    for name in ("HTMLRewriter", "WebSocketPair", "WebSocketRequestResponsePair"):
        if not hasattr(theirs, name):
            setattr(theirs, name, getattr(ours, name))
