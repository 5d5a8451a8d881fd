"""Puts a state of a disk into a real folder, as fast as can be: thousands are looked at."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.disk.recorder import Image


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a new folder, in memory where there is such a place, and delete it afterwards."""
    memory = Path("/dev/shm")
    where = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="dobook-disk-", dir=where) as folder:
        yield Path(folder).resolve()


def put(image: Image, folder: Path) -> None:
    """Make a folder contain exactly this."""
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)  # noqa: PTH102
    for path, data in image.items():  # folders come before what is in them
        if data is None:
            os.mkdir(f"{folder}/{path}")  # noqa: PTH102
        else:
            with open(f"{folder}/{path}", "wb") as file:  # noqa: PTH123
                file.write(data)


def digest(image: Image) -> bytes:
    """Return a number for what an image contains."""
    seen = hashlib.blake2b(digest_size=16)
    for path, data in sorted(image.items()):
        seen.update(f"{path}\0{-1 if data is None else len(data)}\0".encode())
        seen.update(data or b"")
    return seen.digest()
