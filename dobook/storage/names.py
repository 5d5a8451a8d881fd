"""Names that become paths: checked before a file or a folder is called by one of them.

A state directory has a folder for each class, named by its unique key, and a database file in it
for each object, named by its id. Both names are also read from files: a snapshot, a journal, an
index. Such a file may come from a stranger, so a name is used as a path only if it is one segment
on every platform and leads nowhere else. All functions here are pure: they look at text only.

Source: learn.microsoft.com/windows/win32/fileio/naming-a-file, `os.path.isreserved` of Python 3.13
"""

import re
import unicodedata
from typing import Any, Final

from dobook.errors import StateDirectoryError

MAX_SEGMENT_BYTES: Final = 255  # NAME_MAX of Linux, macOS and NTFS alike

_SHOWN: Final = 80  # characters of a name in an error
_SEPARATORS: Final = "/\\"
_FORBIDDEN: Final = ':*?"<>|'  # on Windows; a colon begins a drive or a stream
_DEVICES: Final = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"]
)
# Windows gives `.dobook` and other long names a second, short one: DOBOOK~1.
_SHORT_NAME: Final = re.compile(r"~[0-9]")
_IDENTITY: Final = re.compile(r"[0-9a-f]{64}")


def is_segment(name: object) -> bool:
    """Return whether a name is one safe path segment on every platform.

    Example:
        >>> is_segment("worker-Counter"), is_segment("../victim"), is_segment("NUL")
        (True, False, False)
    """
    return flaw_of(name) is None


def is_identity(identity: object) -> bool:
    """Return whether this is an object's id as text: 64 lower-case hex digits."""
    return isinstance(identity, str) and _IDENTITY.fullmatch(identity) is not None


def flaw_of(name: object) -> str | None:
    """Return why a name is not one safe path segment, None if it is one.

    Example:
        >>> flaw_of("a/b")
        "it has a '/' in it"
    """
    if not isinstance(name, str):
        return f"it is {_kind(name)}, not text"
    if not name:
        return "it is empty"
    if len(name) > MAX_SEGMENT_BYTES:  # said before anything looks at each character
        return f"it is longer than {MAX_SEGMENT_BYTES} bytes"
    for character in name:
        if character in _SEPARATORS or character in _FORBIDDEN:
            return f"it has a {character!r} in it"
        # Cc: control characters. Cf: invisible ones, which some file systems ignore. Cs: half a
        # surrogate pair, which no file system can write. Zl, Zp: line separators.
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            return f"it has the invisible character U+{ord(character):04X} in it"
    if len(name.encode()) > MAX_SEGMENT_BYTES:
        return f"it is longer than {MAX_SEGMENT_BYTES} bytes"
    # A file system may see another spelling of the same name as the same name.
    plain = unicodedata.normalize("NFKC", name)
    if name.startswith(".") or plain.startswith("."):
        return "it begins with a dot"
    if name.endswith((".", " ")) or name.startswith(" "):
        return "it begins or ends with a space, or ends with a dot"
    if any(character in _SEPARATORS for character in plain):
        return "it has a character that may be read as a separator"
    if _SHORT_NAME.search(plain):
        return "it may be the short name of another folder on Windows"
    device = name.partition(".")[0].rstrip(" ").upper()
    if device in _DEVICES or plain.partition(".")[0].rstrip(" ").upper() in _DEVICES:
        return f"{device} is a device on Windows"
    return None


def check_unique_key(unique_key: object, source: object) -> str:
    """Return a class's unique key, once it is sure that it can name a folder.

    Args:
        unique_key: The key, as it was read; of any type.
        source: Where it was read, for the message: a path, or words.

    Raises:
        StateDirectoryError: If it is not one safe path segment.
    """
    flaw = flaw_of(unique_key)
    if flaw is None:
        return str(unique_key)
    raise StateDirectoryError(
        f"{source} names a class {_shown(unique_key)}, which cannot be the name of a folder: "
        f"{flaw}. Expected WORKER-CLASS, such as 'worker-Counter'. Nothing was written under that "
        "name. If the file is not your own, do not use it."
    )


def check_place(unique_key: object, identity: Any, source: object) -> tuple[str, str]:
    """Return an object's unique key and id, once it is sure that both can name files.

    Args:
        unique_key: The class's key, as it was read; of any type.
        identity: The object's id, as it was read; of any type.
        source: Where they were read, for the message: a path, or words.

    Raises:
        StateDirectoryError: If the key is not one safe path segment, or the id is not 64
            lower-case hex digits.

    Example:
        >>> check_place("worker-Counter", "../../etc/passwd", "the journal")
        Traceback (most recent call last):
        ...
        dobook.errors.StateDirectoryError: the journal has an object with the id \
'../../etc/passwd'. Expected 64 lower-case hex digits. Nothing was written under that name. \
If the file is not your own, do not use it.
    """
    key = check_unique_key(unique_key, source)
    if is_identity(identity):
        return key, str(identity)
    raise StateDirectoryError(
        f"{source} has an object with the id {_shown(identity)}. Expected 64 lower-case hex digits."
        " Nothing was written under that name. If the file is not your own, do not use it."
    )


def _kind(value: object) -> str:
    return "NULL" if value is None else f"of type {type(value).__name__}"


def _shown(value: object) -> str:
    if not isinstance(value, (str, bytes)):
        return _kind(value)
    return repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}…"
