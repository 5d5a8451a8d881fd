"""The stub-only packages of the wheel: types for `workers`, `js`, `pyodide` and `asgi`.

These modules exist at run time only, through `dobook.workers_hook`, so a type checker and an editor
cannot find them. The stubs name what each one re-exports.

    python -m docs.stubs

writes them again after a public name has changed. A test holds them equal to the modules.
"""

import importlib
from pathlib import Path

from dobook.workers_hook import OFFERED

STUBS = Path(__file__).parent.parent / "dobook" / "stubs"

# Cloudflare's own package `cloudflare` is not a part of these, and three modules are `workers` again.
MODULES = tuple(
    sorted(
        name
        for name in OFFERED
        if name.partition(".")[0] in ("asgi", "js", "pyodide", "workers")
        and name not in ("workers.request", "workers.response", "workers.types")
    )
)


def public_names(name: str) -> list[str]:
    """Return the names that a module offers, in order."""
    module = importlib.import_module(OFFERED[name])
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return sorted(listed)
    return sorted(
        public
        for public, value in vars(module).items()
        if not public.startswith("_") and getattr(value, "__module__", "") == module.__name__
    )


def file_of(name: str) -> Path:
    """Return the stub of a module."""
    first, *rest = name.split(".")
    folder = STUBS.joinpath(f"{first}-stubs", *rest)
    is_package = not rest or any(other.startswith(f"{name}.") for other in MODULES)
    return folder / "__init__.pyi" if is_package else folder.with_suffix(".pyi")


def text_of(name: str) -> str:
    """Return the stub's text."""
    home = OFFERED[name]
    submodules = {other.rpartition(".")[2] for other in MODULES if other.startswith(f"{name}.")}
    lines = [
        f"from {name} import {public} as {public}"
        if public in submodules
        else f"from {home} import {public} as {public}"
        for public in public_names(name)
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write all stubs."""
    for name in MODULES:
        file = file_of(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text_of(name), "utf-8")
        # What is missing here is looked for in an installed package of the same name.
        (STUBS / f"{name.partition('.')[0]}-stubs" / "py.typed").write_text("partial\n", "utf-8")


if __name__ == "__main__":
    main()
