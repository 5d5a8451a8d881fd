"""Texts to bytes and back: `TextEncoder`, `TextDecoder`, `btoa`, `atob`.

Source: developers.cloudflare.com/workers/runtime-apis/encoding/
"""

import base64
import codecs
from typing import Any, Self

from dobook.errors import PlatformError, PlatformTypeError
from dobook.web import JsBuffer
from dobook.workers.js.buffers import Uint8Array


class TextEncoder:
    r"""Turns texts into bytes.

    Example:
        >>> TextEncoder.new().encode("hé").to_bytes()
        b'h\xc3\xa9'
    """

    encoding = "utf-8"

    @classmethod
    def new(cls) -> Self:
        """Return an encoder."""
        return cls()

    def encode(self, text: str = "") -> Uint8Array:
        """Return a text as UTF-8."""
        return Uint8Array.new(JsBuffer(str(text).encode("utf-8", "replace")))


class TextDecoder:
    """Turns bytes into text."""

    def __init__(self, encoding: str = "utf-8", options: Any = None) -> None:
        del options
        self.encoding = encoding.lower()
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._fresh = True

    @classmethod
    def new(cls, encoding: str = "utf-8", options: Any = None) -> Self:
        """Return a decoder for an encoding."""
        return cls(encoding, options)

    def decode(self, data: Any = b"", options: Any = None, **keywords: Any) -> str:
        """Return bytes as text; faults become U+FFFD.

        Args:
            data: The bytes.
            options: A mapping with `stream`, for a part that more will follow; also as a keyword.
            **keywords: The same.
        """
        more = bool({**(options or {}), **keywords}.get("stream"))
        text = self._decoder.decode(bytes(data), not more)
        if self._fresh:
            text = text.removeprefix("\ufeff")
        self._fresh = not more
        if not more:
            self._decoder.reset()
        return text


def btoa(text: str) -> str:
    """Return a text of characters up to U+00FF in base64.

    Raises:
        PlatformError: If there is another character in it.
    """
    try:
        return base64.b64encode(text.encode("latin-1")).decode()
    except UnicodeEncodeError:
        raise PlatformError("btoa() can only operate on characters in the Latin1 range.") from None


def atob(text: str) -> str:
    """Return what a base64 text stands for, a character for each byte.

    Raises:
        PlatformTypeError: If it is not base64.
    """
    try:
        kept = "".join(text.split())
        return base64.b64decode(kept + "=" * (-len(kept) % 4), validate=True).decode("latin-1")
    except ValueError:
        raise PlatformTypeError("atob() called with invalid base64-encoded data.") from None
