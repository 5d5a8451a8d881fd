"""Where a state directory is, and which folder in it is dobook's own."""

from pathlib import Path
from typing import Final

OWN: Final = ".dobook"
OBJECTS: Final = "do"
WRANGLER_ROOTS: Final = ("v3", "state/v3", ".wrangler/state/v3")


def state_root(path: Path) -> Path:
    """Return where a state directory has its classes: itself, or `v3/do` below it.

    Args:
        path: A state directory, or what wrangler was given with `--persist-to`, its `.wrangler`
            folder, or the folder of a project that has one.
    """
    if (path / OWN).exists():
        return path
    for below in WRANGLER_ROOTS:
        if (path / below).is_dir():
            return path / below / OBJECTS
    if path.name == "v3" and path.is_dir():
        return path / OBJECTS
    return path
