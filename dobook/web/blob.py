"""`Blob` and `File`: bytes with a type, and with a name.

Owns the SDK's constructors; never touches the disk.
Source: cloudflare/workers-py packages/runtime-sdk/src/workers/blob.py and cloudflare/workerd
src/workerd/api/blob.c++
"""

import time
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, TypeAlias

from dobook.codec.jsbuffer import JsBuffer
from dobook.web.streams import ReadableStream
from dobook.web.text import js_string, usv, utf8_text

BlobValue: TypeAlias = "str | bytes | bytearray | memoryview | Blob"


class BlobEnding(StrEnum):
    """What happens to line ends; the engine leaves them as they are in both cases."""

    TRANSPARENT = "transparent"
    NATIVE = "native"


class Blob:
    """Immutable bytes with a content type.

    Args:
        blob_parts: One part or several: texts, bytes, other blobs.
        content_type: Taken over from a single Blob if absent.
        endings: Accepted, without effect, as in the engine.

    Raises:
        TypeError: If a part is something else.

    Example:
        >>> blob = Blob(["a", b"b"], content_type="text/plain")
        >>> blob
        Blob(size=2, content_type='text/plain')

    Source: cloudflare/workers-py packages/runtime-sdk/src/workers/blob.py
    """

    __slots__ = ("_content_type", "_data")

    def __init__(
        self,
        blob_parts: "Iterable[BlobValue] | BlobValue" = (),
        content_type: str | None = None,
        endings: BlobEnding | str | None = None,
    ) -> None:
        del endings
        if isinstance(blob_parts, Blob) and not content_type:
            content_type = blob_parts.content_type
        self._data = _join(blob_parts)
        self._content_type = _normal_type(content_type)

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self._data)

    @property
    def content_type(self) -> str:
        """The type in lower case, "" without one."""
        return self._content_type

    @property
    def type(self) -> str:
        """The same as `content_type`, by JavaScript's name."""
        return self._content_type

    @property
    def js_object(self) -> "Blob":
        """The JavaScript side of this object, which here is the object itself."""
        return self

    async def text(self) -> str:
        """Return the content read as UTF-8."""
        return utf8_text(self._data)

    async def bytes(self) -> bytes:
        """Return the content."""
        return self._data

    async def arrayBuffer(self) -> JsBuffer:
        """Return the content as an ArrayBuffer."""
        return JsBuffer(self._data)

    def stream(self) -> ReadableStream:
        """Return a new stream of the content."""
        return ReadableStream.of(self._data)

    def slice(
        self, start: int | None = None, end: int | None = None, content_type: str | None = None
    ) -> "Blob":
        """Return part of the content; negative positions count from the end.

        Args:
            start: First byte.
            end: First byte not taken.
            content_type: Type of the new blob; it does not inherit this one's.
        """
        length = len(self._data)
        first, last, _ = slice(start, end).indices(length)
        return Blob(self._data[first : max(first, last)], content_type or "")

    def __len__(self) -> int:
        return len(self._data)

    def __bool__(self) -> bool:
        return True

    def __bytes__(self) -> "bytes_":
        return self._data

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, content_type={self._content_type!r})"


class File(Blob):
    """A Blob with a name and a time of change.

    Args:
        blob_parts: As for Blob.
        filename: The name, without meaning to dobook.
        content_type: As for Blob.
        endings: As for Blob.
        last_modified: In ms since 1970; taken over from a single File, else now.

    Example:
        >>> File("x", "a.txt", last_modified=5)
        File(name='a.txt', size=1, content_type='')
    """

    __slots__ = ("_last_modified", "_name")

    def __init__(
        self,
        blob_parts: "Iterable[BlobValue] | BlobValue",
        filename: str,
        content_type: str | None = None,
        endings: BlobEnding | str | None = None,
        last_modified: int | None = None,
    ) -> None:
        super().__init__(blob_parts, content_type, endings)
        if last_modified is None and isinstance(blob_parts, File):
            last_modified = blob_parts.last_modified
        self._name = js_string(filename)
        self._last_modified = int(time.time() * 1000) if last_modified is None else last_modified

    @property
    def name(self) -> str:
        """The file's name."""
        return self._name

    @property
    def last_modified(self) -> int:
        """When the file was changed, in ms since 1970."""
        return self._last_modified

    @property
    def lastModified(self) -> int:
        """The same as `last_modified`, by JavaScript's name."""
        return self._last_modified

    def __repr__(self) -> str:
        return f"File(name={self._name!r}, size={self.size}, content_type={self._content_type!r})"


bytes_ = bytes  # inside the classes the name means their method


def _join(parts: Any) -> bytes:
    if isinstance(parts, (str, bytes, bytearray, memoryview, Blob)):
        return _part(parts)
    return b"".join([_part(part) for part in parts])


def _part(part: Any) -> bytes:
    if isinstance(part, str):
        return usv(part).encode()
    if isinstance(part, (bytes, bytearray, memoryview)):
        return bytes(part)
    if isinstance(part, Blob):
        return bytes(part)
    try:
        return bytes(memoryview(part))
    except TypeError:
        raise TypeError(f"Don't know how to handle {type(part)} for Blob()") from None


def _normal_type(content_type: str | None) -> str:
    # File API, constructor of Blob, step 3: what is not printable ASCII does not count as a type.
    if not content_type or not content_type.isascii() or min(content_type) < " ":
        return ""
    return content_type.lower()
