"""Reading the journal of dobook 0.1, whose records had no salt and no clock."""

import struct
import zlib
from typing import Final

from dobook.storage.entries import Entry, decode

MAGIC: Final = b"dbj1"
_HEAD: Final = struct.Struct("<4sIQI")  # magic, length, generation, checksum


def read(data: bytes) -> tuple[int, list[Entry], str]:
    """Return the generation, its entries, and what is wrong in words, "" for nothing."""
    (generation,) = struct.unpack_from("<Q", data, 8) if len(data) >= _HEAD.size else (0,)
    entries: list[Entry] = []
    position = 0
    while len(data) >= position + _HEAD.size:
        magic, length, record_generation, checksum = _HEAD.unpack_from(data, position)
        begin = position + _HEAD.size
        payload = data[begin : begin + length]
        if magic != MAGIC or record_generation != generation or len(payload) < length:
            break
        if zlib.crc32(payload) != checksum:
            break
        try:
            entries += decode(payload)
        except ValueError:
            return generation, entries, "one of its records makes no sense"
        position = begin + length
    return generation, entries, ""
