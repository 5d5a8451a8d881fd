"""The classes of the web that need another way to be made than Python's own: `js.Blob.new(…)`.

What they make are the values of `dobook.web`, whose methods have JavaScript's names too.
Source: developers.cloudflare.com/workers/runtime-apis/web-standards/
"""

from abc import ABCMeta
from collections.abc import Mapping
from typing import Any

from dobook import web
from dobook.errors import PlatformTypeError
from dobook.web.javascript import as_js
from dobook.workers.js.objects import relaxed, to_js_value

as_js.append(to_js_value)


def options(init: Any, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return JavaScript's options, whether they came as an object, as keywords or both."""
    return {**(dict(init) if isinstance(init, Mapping) else {}), **keywords}


class _Made(ABCMeta):
    """The class of a class whose instances are those of another."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, cls.__mro__[1])


class Blob(web.Blob, metaclass=_Made):
    """JavaScript's `Blob`."""

    __slots__ = ()

    @classmethod
    def new(cls, parts: Any = (), init: Any = None, **keywords: Any) -> web.Blob:
        """Return `new Blob(parts, {type})`."""
        return web.Blob(_parts(parts), options(init, keywords).get("type"))


class File(web.File, metaclass=_Made):
    """JavaScript's `File`."""

    __slots__ = ()

    @classmethod
    def new(cls, parts: Any, name: str, init: Any = None, **keywords: Any) -> web.File:
        """Return `new File(parts, name, {type, lastModified})`."""
        given = options(init, keywords)
        return web.File(
            _parts(parts), name, given.get("type"), last_modified=given.get("lastModified")
        )


class FormData(web.FormData, metaclass=_Made):
    """JavaScript's `FormData`."""

    __slots__ = ()

    @classmethod
    def new(cls, form: Any = None) -> web.FormData:
        """Return an empty form."""
        return web.FormData(form)


class ReadableStream(web.ReadableStream, metaclass=_Made):
    """JavaScript's `ReadableStream`."""

    __slots__ = ()

    @classmethod
    def new(cls, source: Any = None, init: Any = None, **keywords: Any) -> web.ReadableStream:
        """Return a stream of what a source's `start` and `pull` put in, until one closes it."""
        from dobook.workers.js.streams import from_source

        return from_source(source, {**options(init, {}), **keywords})

    @classmethod
    def from_(cls, source: Any) -> web.ReadableStream:
        """Return a stream of an iterable's pieces; in JavaScript the name is `from`."""
        return web.ReadableStream.of_values(source)


setattr(ReadableStream, "from", ReadableStream.from_)


def _parts(parts: Any) -> Any:
    if isinstance(parts, str):
        raise PlatformTypeError(
            "Failed to construct 'Blob': parameter 1 is not of type 'Array'. For a text write "
            "Blob.new([text])."
        )
    return [bytes(p) if hasattr(type(p), "_as_value_") else p for p in parts]


def call(function: Any, *args: Any) -> Any:
    """Call what user code has given, as JavaScript does."""
    return relaxed(function, *args)
