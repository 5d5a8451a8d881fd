"""Which boot of the machine this is: a power cut ends one, and the end of a process does not."""

import contextlib
import hashlib
from pathlib import Path
from typing import Final

UNKNOWN: Final = bytes(8)


def boot_id() -> str | None:
    """Return what names the time since the machine was started, None where nothing does."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return None


def boot_mark() -> bytes:
    """Return eight bytes that name this boot; `UNKNOWN` where nothing does."""
    found = boot_id()
    if found is None:
        return UNKNOWN
    return hashlib.sha256(found.encode()).digest()[: len(UNKNOWN)]
