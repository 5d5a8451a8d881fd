"""`JsBuffer`: bytes that answer to an ArrayBuffer's names, as stored ones read back."""


class JsBuffer(bytes):
    """What `buffer()` gives: bytes, with the methods a Pyodide buffer proxy has.

    Example:
        >>> JsBuffer(b"hi").to_bytes()
        b'hi'

    Source: pyodide.org/en/stable/usage/api/python-api/ffi.html#pyodide.ffi.JsBuffer
    """

    __slots__ = ()

    @property
    def byteLength(self) -> int:
        """The number of bytes."""
        return len(self)

    def to_bytes(self) -> bytes:
        """Return plain bytes."""
        return bytes(memoryview(self))

    def to_memoryview(self) -> memoryview:
        """Return a read-only view."""
        return memoryview(self)

    def to_string(self, encoding: str | None = None) -> str:
        """Return the bytes as text, UTF-8 unless another encoding is given."""
        return self.decode(encoding or "utf-8")

    def to_py(self) -> memoryview:
        """Return a read-only view, as Pyodide does."""
        return memoryview(self)
