"""Makes `workers` importable, as it is on Cloudflare, when nothing else provides it.

The modules are found through a finder at the end of `sys.meta_path`, so that an installed package
of the same name always comes first and nothing is ever shadowed.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

OFFERED = {"js": "dobook.workers.js", "workers": "dobook.workers"}


class _Finder:
    """Finds and loads the platform's modules in dobook.

    It is no subclass of `importlib.abc`, whose import takes longer than all of dobook's own.
    """

    def __init__(self) -> None:
        self._specs: dict[str, ModuleSpec | None] = {}

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
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


def install() -> None:
    """Offer the platform's modules from now on. Twice is fine."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
