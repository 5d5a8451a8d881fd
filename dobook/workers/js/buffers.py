"""Bytes as JavaScript has them: buffers, and views of them.

A buffer is stored, sent and used as a body like the bytes it holds.
Source: developer.mozilla.org/docs/Web/JavaScript/Reference/Global_Objects/TypedArray
"""

import struct
from collections.abc import Iterator
from typing import Any, ClassVar, Self

from dobook.errors import PlatformRangeError
from dobook.web import JsBuffer
from dobook.workers.js.objects import Constructor, JsArray


class ArrayBuffer:
    r"""Bytes that views write into.

    Example:
        >>> buffer = ArrayBuffer.new(4)
        >>> Uint8Array.new(buffer)[1] = 255
        >>> buffer.to_bytes()
        b'\x00\xff\x00\x00'
    """

    __slots__ = ("data",)

    constructor = Constructor("ArrayBuffer")

    def __init__(self, data: bytearray) -> None:
        self.data = data

    @classmethod
    def new(cls, length: int = 0) -> Self:
        """Return a buffer of zeros."""
        return cls(bytearray(int(length)))

    @staticmethod
    def isView(value: Any) -> bool:
        """Return whether a value is a view of a buffer."""
        return isinstance(value, TypedArray | DataView)

    @property
    def byteLength(self) -> int:
        """The number of bytes."""
        return len(self.data)

    def slice(self, start: int | None = None, end: int | None = None) -> "ArrayBuffer":
        """Return a copy of a part."""
        return ArrayBuffer(self.data[start:end])

    def to_bytes(self) -> bytes:
        """Return a copy as bytes."""
        return bytes(self.data)

    def to_memoryview(self) -> memoryview:
        """Return a view."""
        return memoryview(self.data)

    def to_string(self, encoding: str | None = None) -> str:
        """Return the bytes as text, UTF-8 unless another encoding is given."""
        return self.data.decode(encoding or "utf-8")

    def to_py(self, **_: Any) -> memoryview:
        """Return a view, as Pyodide does."""
        return memoryview(self.data)

    def _as_value_(self) -> bytes:
        return bytes(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def __bytes__(self) -> bytes:
        return bytes(self.data)

    def __eq__(self, other: object) -> bool:
        return bytes(self) == bytes(other) if isinstance(other, ArrayBuffer) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ArrayBuffer({bytes(self.data)!r})"


class _View:
    """What typed arrays and DataView share: a part of a buffer."""

    __slots__ = ("buffer", "byteLength", "byteOffset")

    buffer: ArrayBuffer
    byteOffset: int
    byteLength: int

    def _take(self, buffer: ArrayBuffer, offset: int, length: int) -> None:
        if offset < 0 or offset + length > buffer.byteLength:
            raise PlatformRangeError("Invalid typed array length: it goes beyond the buffer.")
        self.buffer, self.byteOffset, self.byteLength = buffer, offset, length

    def to_bytes(self) -> bytes:
        """Return a copy as bytes."""
        return bytes(self.buffer.data[self.byteOffset : self.byteOffset + self.byteLength])

    def to_memoryview(self) -> memoryview:
        """Return a view of the bytes."""
        return memoryview(self.buffer.data)[self.byteOffset : self.byteOffset + self.byteLength]

    def to_string(self, encoding: str | None = None) -> str:
        """Return the bytes as text, UTF-8 unless another encoding is given."""
        return self.to_bytes().decode(encoding or "utf-8")

    def to_py(self, **_: Any) -> memoryview:
        """Return a view of the elements, as Pyodide does."""
        return self.to_memoryview()

    def _as_value_(self) -> bytes:
        return self.to_bytes()

    def __bytes__(self) -> bytes:
        return self.to_bytes()


class TypedArray(_View):
    """A view of a buffer as numbers of one kind; see its subclasses."""

    __slots__ = ("length",)

    FORMAT: ClassVar = "B"
    BYTES_PER_ELEMENT: ClassVar = 1
    constructor = Constructor("TypedArray")

    length: int

    def __init_subclass__(cls, **_: Any) -> None:
        cls.constructor = Constructor(cls.__name__)
        cls.BYTES_PER_ELEMENT = struct.calcsize("<" + cls.FORMAT)

    @classmethod
    def new(cls, init: Any = 0, offset: int = 0, length: int | None = None) -> Self:
        """Return an array: of so many zeros, of numbers, or over a buffer.

        Args:
            init: A length, an ArrayBuffer, bytes (which are copied), or an iterable of numbers.
            offset: Where in the buffer it begins, in bytes.
            length: How many elements it has; by default up to the end of the buffer.
        """
        self = cls.__new__(cls)
        size = cls.BYTES_PER_ELEMENT
        if isinstance(init, ArrayBuffer):
            nbytes = init.byteLength - offset if length is None else length * size
            self._take(init, offset, nbytes)
        elif isinstance(init, int | float):
            self._take(ArrayBuffer.new(int(init) * size), 0, int(init) * size)
        elif isinstance(init, JsBuffer) or (size == 1 and isinstance(init, bytes | memoryview)):
            data = bytearray(init)[offset : None if length is None else offset + length * size]
            self._take(ArrayBuffer(data), 0, len(data))
        else:
            numbers = [] if init is None else list(init)
            self._take(ArrayBuffer.new(len(numbers) * size), 0, len(numbers) * size)
            self.length = len(numbers)
            for at, number in enumerate(numbers):
                self[at] = number
        self.length = self.byteLength // size
        return self

    @classmethod
    def of(cls, *numbers: Any) -> Self:
        """Return an array of these numbers."""
        return cls.new([float(n) if isinstance(n, str) else n for n in numbers])

    @classmethod
    def from_(cls, numbers: Any) -> Self:
        """Return an array of the numbers of an iterable; `from` is a word of Python's."""
        return cls.new(list(numbers))

    def subarray(self, start: int | None = None, end: int | None = None) -> Self:
        """Return a view of a part; changing it changes this one."""
        first, last, _ = slice(start, end).indices(self.length)
        size = self.BYTES_PER_ELEMENT
        return type(self).new(self.buffer, self.byteOffset + first * size, max(last - first, 0))

    def slice(self, start: int | None = None, end: int | None = None) -> Self:
        """Return a copy of a part."""
        return type(self).new(list(self)[start:end])

    def set(self, source: Any, offset: int = 0) -> None:
        """Take over the elements of an array, from `offset` on."""
        for at, number in enumerate(source):
            self[offset + at] = number

    def assign(self, source: Any) -> None:
        """Take over the bytes of a buffer."""
        data = bytes(source)
        self.buffer.data[self.byteOffset : self.byteOffset + len(data)] = data

    def fill(self, value: Any) -> Self:
        """Give every element the same value."""
        for at in range(self.length):
            self[at] = value
        return self

    def join(self, separator: str = ",") -> str:
        """Return the elements' texts with a separator between them."""
        return JsArray(self).join(separator)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return list(self)[index]
        return struct.unpack_from("<" + self.FORMAT, self.buffer.data, self._place(index))[0]

    def __setitem__(self, index: int, value: Any) -> None:
        if self.FORMAT not in "fd":
            value = int(value) % (1 << 8 * self.BYTES_PER_ELEMENT)
            struct.pack_into("<" + self.FORMAT.upper(), self.buffer.data, self._place(index), value)
        else:
            struct.pack_into("<" + self.FORMAT, self.buffer.data, self._place(index), value)

    def _place(self, index: int) -> int:
        if not -self.length <= index < self.length:
            raise IndexError(f"{type(self).__name__} has {self.length} elements, none at {index}")
        return self.byteOffset + index % self.length * self.BYTES_PER_ELEMENT

    def __iter__(self) -> Iterator[Any]:
        return (self[at] for at in range(self.length))

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, TypedArray) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)!r})"


class Uint8Array(TypedArray):
    """Bytes as numbers from 0 to 255."""

    __slots__ = ()


class Uint8ClampedArray(TypedArray):
    """Numbers from 0 to 255; what is beyond becomes the nearest of them."""

    __slots__ = ()

    def __setitem__(self, index: int, value: Any) -> None:
        super().__setitem__(index, min(max(round(value), 0), 255))


class Int8Array(TypedArray):
    """Numbers from -128 to 127."""

    __slots__ = ()
    FORMAT = "b"


class Uint16Array(TypedArray):
    """Numbers of 16 bits."""

    __slots__ = ()
    FORMAT = "H"


class Int16Array(TypedArray):
    """Signed numbers of 16 bits."""

    __slots__ = ()
    FORMAT = "h"


class Uint32Array(TypedArray):
    """Numbers of 32 bits."""

    __slots__ = ()
    FORMAT = "I"


class Int32Array(TypedArray):
    """Signed numbers of 32 bits."""

    __slots__ = ()
    FORMAT = "i"


class BigUint64Array(TypedArray):
    """Numbers of 64 bits."""

    __slots__ = ()
    FORMAT = "Q"


class BigInt64Array(TypedArray):
    """Signed numbers of 64 bits."""

    __slots__ = ()
    FORMAT = "q"


class Float32Array(TypedArray):
    """Floating point numbers of 32 bits."""

    __slots__ = ()
    FORMAT = "f"


class Float64Array(TypedArray):
    """Floating point numbers of 64 bits."""

    __slots__ = ()
    FORMAT = "d"


class DataView(_View):
    """A view of a buffer that reads and writes numbers anywhere in it."""

    __slots__ = ()

    constructor = Constructor("DataView")

    @classmethod
    def new(cls, buffer: ArrayBuffer, offset: int = 0, length: int | None = None) -> Self:
        """Return a view of a buffer, or of a part of it."""
        self = cls.__new__(cls)
        self._take(buffer, offset, buffer.byteLength - offset if length is None else length)
        return self

    def __getattr__(self, name: str) -> Any:
        kind = _KINDS.get(name[3:])
        if kind is None or name[:3] not in ("get", "set"):
            raise AttributeError(f"'DataView' object has no attribute {name!r}")

        def get(offset: int, little: Any = None) -> Any:
            return struct.unpack_from(
                ("<" if little else ">") + kind, self.buffer.data, self.byteOffset + offset
            )[0]

        def put(offset: int, value: Any, little: Any = None) -> None:
            struct.pack_into(
                ("<" if little else ">") + kind, self.buffer.data, self.byteOffset + offset, value
            )

        return get if name[:3] == "get" else put


_KINDS = {
    cls.__name__.removesuffix("Array"): cls.FORMAT
    for cls in (
        *(Uint8Array, Int8Array, Uint16Array, Int16Array, Uint32Array, Int32Array),
        *(BigUint64Array, BigInt64Array, Float32Array, Float64Array),
    )
}
