"""What the ledger says of names and notes, and whether a name belongs to an id."""

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dobook.ids import IdFactory
from dobook.storage.ledger import read_ledger
from dobook.storage.names import is_identity, is_segment

Place = tuple[str, str]

OWN_META: Final = ("version", "clean", "session", "clock_ms", "ledger_end", "notes_sum")


def read_facts(ledger: Path) -> tuple[dict[Place, str], dict[str, Any]]:
    """Return the names and the notes that a ledger knows.

    Raises:
        OSError: If it cannot be read.
    """
    names: dict[Place, str] = {}
    notes: dict[str, Any] = {}
    for line in read_ledger(ledger):
        match line:
            case ("name", unique_key, identity, str(name)):
                if is_segment(unique_key) and is_identity(identity):
                    names[unique_key, identity] = name
            case ("note", str(key), int() | float() | str() | None as value):
                if key not in OWN_META:
                    notes[key] = value
            case ("gone", gone):
                names = {place: name for place, name in names.items() if place[0] != gone}
    return names, notes


def sum_of_notes(notes: Mapping[str, Any]) -> int:
    """Return a checksum of the values that deployments keep."""
    return zlib.crc32(repr(sorted(notes.items(), key=lambda item: str(item[0]))).encode())


def is_name_of(factories: dict[str, IdFactory], unique_key: Any, identity: Any, name: Any) -> bool:
    """Return whether a name leads to an id.

    Args:
        factories: Those of the classes seen so far; one of another class is added.
        unique_key: The class, as it was read.
        identity: The id, as it was read.
        name: The name, as it was read.
    """
    if not (is_segment(unique_key) and is_identity(identity) and isinstance(name, str)):
        return False
    if "\ufffd" in name:  # perhaps in place of half a surrogate pair, which is not kept
        return True
    factory = factories.get(unique_key)
    if factory is None:
        factory = factories[unique_key] = IdFactory(unique_key)
    return bool(factory.from_name(name).toString() == identity)
