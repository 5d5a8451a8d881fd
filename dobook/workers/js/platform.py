"""The rest of JavaScript's globals that Workers use: `console`, `crypto`, `performance`, signals.

Source: developers.cloudflare.com/workers/runtime-apis/
"""

import hashlib
import hmac
import os
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Self

from dobook.errors import PlatformError, PlatformTypeError, misspelt, suggest
from dobook.runtime.sockets.values import Event, EventTarget
from dobook.web.request import signals
from dobook.workers.js.buffers import ArrayBuffer, TypedArray
from dobook.workers.js.timers import setTimeout


class Console:
    """JavaScript's `console`: what is logged lands where `print` does."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._begun: dict[str, float] = {}

    def log(self, *values: Any) -> None:
        """Print the values."""
        print(*values)  # noqa: T201 - that is what it is for

    debug = info = warn = error = trace = dir = table = group = log

    def __getattr__(self, name: str) -> Any:
        raise misspelt(self, name)

    def groupEnd(self) -> None:
        """Do nothing: groups are not indented."""

    def count(self, label: str = "default") -> None:
        """Print how often this was called with a label."""
        self._counts[label] = self._counts.get(label, 0) + 1
        self.log(f"{label}: {self._counts[label]}")

    def time(self, label: str = "default") -> None:
        """Start measuring time."""
        self._begun[label] = time.time()

    def timeEnd(self, label: str = "default") -> None:
        """Print how long it took, on the runtime's clock."""
        self.log(f"{label}: {(time.time() - self._begun.pop(label, time.time())) * 1000:g}ms")


setattr(Console, "assert", lambda self, fine=False, *values: fine or self.log("Assertion", *values))

_HASHES = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}


class SubtleCrypto:
    """JavaScript's `crypto.subtle`, of which dobook has the hashes."""

    async def digest(self, algorithm: Any, data: Any) -> ArrayBuffer:
        """Return the hash of some bytes.

        Args:
            algorithm: "SHA-256" or another of the family, "SHA-1" or "MD5"; or an object with it as
                `name`.
            data: Bytes or a buffer.

        Raises:
            PlatformError: If there is no such algorithm.
        """
        name = algorithm.get("name") if isinstance(algorithm, Mapping) else algorithm
        known = _HASHES.get(str(name).upper())
        if known is None:
            raise PlatformError(f"Unrecognized or unimplemented digest algorithm {name!r}.")
        return ArrayBuffer(bytearray(hashlib.new(known, bytes(data)).digest()))

    def timingSafeEqual(self, a: Any, b: Any) -> bool:
        """Return whether two buffers of one length are equal."""
        if len(bytes(a)) != len(bytes(b)):
            raise PlatformTypeError("Input buffers must have the same byte length.")
        return hmac.compare_digest(bytes(a), bytes(b))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(
            f"dobook does not offer crypto.subtle.{name}, only digest and timingSafeEqual. Python's "
            "hmac and secrets run on Cloudflare too."
        )


class Crypto:
    """JavaScript's `crypto`; what is random comes from the runtime's seed."""

    subtle = SubtleCrypto()

    def __getattr__(self, name: str) -> Any:
        raise misspelt(self, name)

    def randomUUID(self) -> str:
        """Return a random UUID."""
        return str(uuid.uuid4())

    def getRandomValues(self, array: TypedArray) -> TypedArray:
        """Fill an array with random bytes; returns it."""
        if not isinstance(array, TypedArray):
            raise PlatformTypeError(
                "Failed to execute 'getRandomValues' on 'Crypto': parameter 1 is not of type "
                "'ArrayBufferView'. Write Uint8Array.new(16)."
            )
        array.assign(os.urandom(array.byteLength))
        return array


class Performance:
    """JavaScript's `performance`, on the runtime's clock."""

    timeOrigin = 0

    def now(self) -> float:
        """Return the time in ms."""
        return time.time() * 1000


class Navigator:
    """JavaScript's `navigator`."""

    userAgent = "Cloudflare-Workers"
    language = "en"


def _dom_error(name: str, text: str) -> PlatformError:
    error = PlatformError(text)
    error.js_name = name
    return error


class AbortSignal(EventTarget):
    """Tells that something is not wanted any more: `fetch(url, signal=signal)`.

    Source: developers.cloudflare.com/workers/runtime-apis/web-standards/#abortcontroller-and-abortsignal
    """

    onabort: Any = None
    _uncloneable_ = (
        "AbortSignal serialization is not enabled.",
        "A signal stays in the object that has made it: give it to fetch(…, signal=…), or tell the "
        "other side by a call.",
    )

    def __init__(self) -> None:
        self._listeners = {}
        self.aborted = False
        self.reason: Any = None

    @classmethod
    def new(cls) -> Self:
        """Refuse, as the engine does.

        Raises:
            PlatformTypeError: Always.
        """
        error = PlatformTypeError("Illegal constructor")
        error.add_note(
            "A signal comes from AbortController.new().signal or AbortSignal.timeout(ms)."
        )
        raise error

    @classmethod
    def abort(cls, reason: Any = None) -> Self:
        """Return a signal that has been given."""
        signal = cls()
        signal.give(reason)
        return signal

    @classmethod
    def timeout(cls, delay: float) -> Self:
        """Return a signal that is given after so many ms."""
        signal = cls()
        why = _dom_error("TimeoutError", "The operation was aborted due to timeout")
        setTimeout(lambda: signal.give(why), delay)
        return signal

    @classmethod
    def any(cls, signals: Iterable["AbortSignal"]) -> Self:
        """Return a signal that is given as soon as one of several is."""
        signal, others = cls(), list(signals)
        for other in others:
            if other.aborted:
                signal.give(other.reason)
                return signal
        for other in others:
            other.addEventListener("abort", lambda _event, other=other: signal.give(other.reason))
        return signal

    def give(self, reason: Any = None) -> None:
        """Give the signal; only the first time counts."""
        if self.aborted:
            return
        self.aborted = True
        if reason is None:
            reason = _dom_error("AbortError", "The operation was aborted")
        self.reason = reason
        self.dispatchEvent(Event("abort"))

    def throwIfAborted(self) -> None:
        """Raise the reason if the signal has been given.

        Raises:
            PlatformError: If so.
        """
        if self.aborted:
            raise (
                self.reason
                if isinstance(self.reason, BaseException)
                else PlatformError(str(self.reason))
            )


signals.append(AbortSignal)


class AbortController:
    """Gives a signal."""

    def __init__(self) -> None:
        self.signal = AbortSignal()

    @classmethod
    def new(cls) -> Self:
        """Return a controller with a signal of its own."""
        return cls()

    def abort(self, reason: Any = None) -> None:
        """Give the signal."""
        self.signal.give(reason)


class Refused:
    """A global that Workers have and dobook does not: using it raises an error that names it."""

    def __init__(self, name: str, instead: str) -> None:
        self._name = name
        self._instead = instead

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise PlatformError(
            f"js.{self._name}.{name} is not offered by dobook, which runs Durable Objects and the "
            f"Workers in front of them. {self._instead}"
        )

    def __call__(self, *_: Any, **__: Any) -> Any:
        """Raise an error that names the global."""
        return self.__getattr__("new")

    def __repr__(self) -> str:
        return f"<js.{self._name}, not offered by dobook>"


def unknown(name: str, known: list[str]) -> str:
    """Return what to say of a global that does not exist."""
    return f"dobook does not offer js.{name}. {suggest(name, known)}"
