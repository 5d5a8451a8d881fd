"""Object ids, derived exactly as the real engine derives them.

An id is 32 bytes, shown as 64 hex digits. Its first half is an HMAC of the object's name (or random
bytes), its second half an HMAC of the first half, both keyed by the class's unique key; so an id
computed here is the id computed there, and a string can be checked for belonging to a class.

Source: cloudflare/workerd src/workerd/server/actor-id-impl.c++
"""

import hashlib
import hmac
import random
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn

from dobook.errors import PlatformError, PlatformTypeError, misspelt
from dobook.limits import MAX_ID_NAME_BYTES

_HALF = 16


class DurableObjectId:
    """The id of one object; `name` is set when the id was made from a name.

    Example:
        >>> ids = IdFactory("conformance-sqlite")
        >>> ids.from_name("alice").toString()[:16]
        'ef152038ea3ac306'
    """

    __slots__ = ("_hex", "name")

    jurisdiction: None = None  # undefined on the platform too, unless the namespace has one

    def __init__(self, hex_digits: str, name: str | None = None) -> None:
        self._hex = hex_digits
        self.name = name

    def toString(self) -> str:
        """Return the id as 64 lower-case hex digits."""
        return self._hex

    def as_seen_inside(self) -> "DurableObjectId":
        """Return the id as the object itself has it: without a name that is too long to keep."""
        name = self.name
        if name is None or len(name.encode("utf-8", "replace")) <= MAX_ID_NAME_BYTES:
            return self
        return DurableObjectId(self._hex)

    def equals(self, other: object) -> bool:
        """Return whether both are the same id; the names do not matter.

        Raises:
            PlatformTypeError: If `other` is not an id.
        """
        if not isinstance(other, DurableObjectId):
            raise PlatformTypeError(
                "Failed to execute 'equals' on 'DurableObjectId': parameter 1 is not of type "
                "'DurableObjectId'."
            )
        return self == other

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DurableObjectId) and self._hex == other._hex

    def __hash__(self) -> int:
        return hash(self._hex)

    def __str__(self) -> str:
        return self._hex

    if not TYPE_CHECKING:  # a type checker is to find a misspelt name itself

        def __getattr__(self, name: str) -> NoReturn:
            raise misspelt(self, name)

    def __repr__(self) -> str:
        named = "" if self.name is None else f", name={self.name!r}"
        return f"DurableObjectId({self._hex[:8]}…{named})"


class IdFactory:
    """Makes and checks the ids of one class.

    Args:
        unique_key: The class's unique key, `{worker}-{class}` in wrangler's local state.
        rng: Where the random half of unique ids comes from.
    """

    def __init__(self, unique_key: str, rng: random.Random | None = None) -> None:
        self.unique_key = unique_key
        self._key = hashlib.sha256(unique_key.encode()).digest()
        self._rng = rng or random.Random()
        self._hex_of_name = lru_cache(maxsize=4096)(self._derive)

    def from_name(self, name: str) -> DurableObjectId:
        """Return the id of a name; the same name always gives the same id.

        Raises:
            PlatformTypeError: If `name` is not a string.
        """
        if not isinstance(name, str):
            raise PlatformTypeError(
                "Failed to execute 'idFromName' on 'DurableObjectNamespace': parameter 1 is not "
                f"of type 'string'. Got {type(name).__name__}: {name!r}"
            )
        hex_digits = self._hex_of_name(name)
        if not name.isascii():  # half a surrogate pair is three bytes, each read back as U+FFFD
            name = name.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        return DurableObjectId(hex_digits, name)

    def from_string(self, text: str) -> DurableObjectId:
        """Return the id that `toString()` wrote; it has no name.

        Raises:
            PlatformTypeError: If the text is not 64 hex digits or not an id of this class.
        """
        malformed = PlatformTypeError("Invalid Durable Object ID: must be 64 hex digits")
        if len(text := str(text)) != 64 or not text.isascii():
            raise malformed
        try:
            raw = bytes.fromhex(text)
        except ValueError:
            raise malformed from None
        if len(raw) != 2 * _HALF:  # fromhex skips white space
            raise malformed
        if not hmac.compare_digest(self._mac(raw[:_HALF]), raw[_HALF:]):
            raise PlatformTypeError("Durable Object ID is not valid for this namespace.")
        return DurableObjectId(raw.hex())

    def unique(self, jurisdiction: str | None = None) -> DurableObjectId:
        """Return a new id that no name leads to, drawn from the runtime's seed.

        Raises:
            PlatformError: If a jurisdiction is asked for; one machine has none.
        """
        if jurisdiction is not None:
            raise PlatformError("Jurisdiction restrictions are not implemented in workerd.")
        half = self._rng.randbytes(_HALF)
        return DurableObjectId((half + self._mac(half)).hex())

    def _derive(self, name: str) -> str:
        half = self._mac(name.encode("utf-8", "surrogatepass"))
        return (half + self._mac(half)).hex()

    def _mac(self, data: bytes) -> bytes:
        return hmac.digest(self._key, data, "sha256")[:_HALF]
