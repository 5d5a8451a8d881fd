"""Makes `workers` importable, as it is on Cloudflare, when nothing else provides it.

The modules are found through a finder at the end of `sys.meta_path`, so that an installed package
of the same name always comes first and nothing is ever shadowed.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

OFFERED = {"js": "dobook.workers.js", "workers": "dobook.workers"}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the platform's modules in dobook."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in OFFERED:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return importlib.import_module(OFFERED[spec.name])

    def exec_module(self, module: ModuleType) -> None:
        # `create_module` gave the module of dobook, which has run already; but importlib has
        # replaced its spec, which has to be its own again for reloads and pickles of its classes.
        module.__spec__ = importlib.util.find_spec(module.__name__)


def install() -> None:
    """Offer the platform's modules from now on. Twice is fine."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
