"""`FormData`: the fields of a form, and how they travel.

Owns the SDK's mapping and both encodings, multipart/form-data and urlencoded.
Source: cloudflare/workers-py packages/runtime-sdk/src/workers/formdata.py and cloudflare/workerd
src/workerd/api/form-data.c++
"""

import re
from collections.abc import Iterator, Mapping, MutableMapping
from typing import TypeAlias

from dobook.errors import PlatformTypeError
from dobook.web.blob import Blob, File
from dobook.web.search_params import parse_form
from dobook.web.text import js_string, utf8_text

FormDataValue: TypeAlias = "str | Blob"

_HEADER_END = re.compile(rb"\r?\n\r?\n")
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_DISPOSITION = re.compile(
    r"\s*([\w-]+)\s*((?:;\s*[\w-]+\s*=\s*\"(?:[^\"\n\\]|\\[^\n])+\"\s*)*)", re.A
)
_DISPOSITION_PARAM = re.compile(r";\s*([\w-]+)\s*=\s*\"((?:[^\"\n\\]|\\[^\n])+)\"\s*", re.A)
_MIME = re.compile(rf"[ \t\r\n]*({_TOKEN}/{_TOKEN})[ \t\r\n]*(?:;(.*))?", re.S)
_MIME_PARAM = re.compile(
    rf"[ \t\r\n]*({_TOKEN})=(?:\"((?:[^\"\\]|\\.)*)\"[^;]*|([^;\"]*))(?:;|$)", re.S
)
_FORM_TYPES = "multipart/form-data, application/x-www-form-urlencoded"


class FormData(MutableMapping[str, FormDataValue]):
    """The fields of a form in order; a name may have several values.

    As a mapping it shows the first value of a name; `get_all` gives every one.

    Args:
        form_data: A mapping of names to texts, Blobs or Files; another FormData; None.

    Raises:
        TypeError: If `form_data` is something else.

    Example:
        >>> form = FormData({"name": "Ada"})
        >>> form.append("tag", "a")
        >>> form.append("tag", "b")
        >>> form["tag"], form.get_all("tag")
        ('a', ['a', 'b'])

    Source: cloudflare/workers-py packages/runtime-sdk/src/workers/formdata.py
    """

    __slots__ = ("_entries",)

    def __init__(self, form_data: Mapping[str, FormDataValue] | None = None) -> None:
        self._entries: list[tuple[str, FormDataValue]] = []
        if form_data is None:
            return
        if isinstance(form_data, FormData):
            self._entries = list(form_data.items_list())
        elif isinstance(form_data, Mapping):
            for name, value in form_data.items():
                self.append(name, value)
        else:
            raise TypeError("Expected form_data to be a dict or an instance of FormData")

    def append(self, key: str, value: FormDataValue, filename: str | None = None) -> None:
        """Add a field at the end.

        Args:
            key: Name of the field.
            value: A text, or a Blob, which becomes a File.
            filename: Name of that File; by default its own, or for a plain Blob `key`.
        """
        self._entries.append((js_string(key), _field(key, value, filename)))

    def set(self, key: str, value: FormDataValue, filename: str | None = None) -> None:
        """Set a field to one value, at the place of its first, or at the end."""
        places = [at for at, (name, _) in enumerate(self._entries) if name == key]
        if not places:
            self.append(key, value, filename)
            return
        self._entries[places[0]] = (key, _field(key, value, filename))
        for at in reversed(places[1:]):
            del self._entries[at]

    def delete(self, key: str) -> None:
        """Remove all values of a field; without any, do nothing."""
        self._entries = [entry for entry in self._entries if entry[0] != key]

    def has(self, key: str) -> bool:
        """Return whether the field has a value."""
        return key in self

    def get_all(self, key: str) -> list[FormDataValue]:
        """Return all values of a field, in order."""
        return [value for name, value in self._entries if name == key]

    def items_list(self) -> list[tuple[str, FormDataValue]]:
        """Return all fields as pairs, names repeated."""
        return list(self._entries)

    # The SDK's keys, values and items show every pair, unlike those of an ordinary mapping.
    def keys(self) -> Iterator[str]:  # type: ignore[override]
        """Iterate over the names, once for every value."""
        return iter([name for name, _ in self._entries])

    def values(self) -> Iterator[FormDataValue]:  # type: ignore[override]
        """Iterate over all values."""
        return iter([value for _, value in self._entries])

    def items(self) -> Iterator[tuple[str, FormDataValue]]:  # type: ignore[override]
        """Iterate over all pairs."""
        return iter(self.items_list())

    def __getitem__(self, key: str) -> FormDataValue:
        # A missing field is None, not a KeyError, and so `get` never gives its default: as the SDK.
        for name, value in self._entries:
            if name == key:
                return value
        return None  # type: ignore[return-value]

    def __setitem__(self, key: str, value: FormDataValue) -> None:
        if isinstance(value, list):
            raise TypeError("Expected single item in arguments to FormData.__setitem__")
        self.set(key, value)

    def __delitem__(self, key: str) -> None:
        self.delete(key)

    def __iter__(self) -> Iterator[str]:
        return self.keys()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return any(name == key for name, _ in self._entries)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FormData):
            return NotImplemented
        return self.items_list() == other.items_list()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"FormData({self._entries!r})"

    @property
    def js_object(self) -> "FormData":
        """The JavaScript side of this object, which here is the object itself."""
        return self


def _field(key: str, value: object, filename: str | None) -> FormDataValue:
    if not isinstance(value, Blob):
        return js_string(value)
    if isinstance(value, File) and filename is None:
        return value
    return File(value, key if filename is None else filename, value.content_type)


def encode_multipart(form: FormData, boundary: str | None = None) -> tuple[bytes, str]:
    """Return a form as multipart/form-data, and the boundary between its parts.

    Args:
        form: What to encode.
        boundary: At most 70 characters; by default 32 digits of a hash of the form, so
            that it cannot occur inside and the same form always travels as the same bytes.

    Raises:
        PlatformTypeError: If a name or filename ends with a backslash, or the boundary is too long.

    Example:
        >>> encode_multipart(FormData(), "B")
        (b'--B--', 'B')
    """
    if boundary is None:
        boundary = _boundary(form)
    if not 0 < len(boundary) <= 70:
        raise PlatformTypeError(
            "Length of multipart/form-data boundary string must be in the range [1, 70]."
        )
    out: list[bytes] = []
    for name, value in form.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"'
        if isinstance(value, Blob):
            filename = value.name if isinstance(value, File) else name
            kind = value.content_type or "application/octet-stream"
            head += f'; filename="{_quoted(filename)}"\r\nContent-Type: {kind}'
            out.append(f"{head}\r\n\r\n".encode() + bytes(value) + b"\r\n")
        else:
            out.append(f"{head}\r\n\r\n{value}\r\n".encode())
    out.append(f"--{boundary}--".encode())
    return b"".join(out), boundary


def _boundary(form: FormData) -> str:
    from hashlib import blake2b  # milliseconds at import time

    digest = blake2b(digest_size=16)
    for name, value in form.items():
        digest.update(name.encode() + b"\0")
        digest.update(bytes(value) if isinstance(value, Blob) else value.encode())
    return digest.hexdigest()


def _quoted(text: str) -> str:
    if text.endswith("\\"):
        raise PlatformTypeError("Name or filename can't end with backslash")
    return text.replace("\\", "\\\\").replace('"', "%22").replace("\n", "%0A")


def parse_form_data(data: bytes, content_type: str | None) -> FormData:
    """Return the form in a body.

    Args:
        data: The body.
        content_type: Its Content-Type header.

    Raises:
        PlatformTypeError: If there is no such header, it names another type, or the body is broken.

    Example:
        >>> parse_form_data(b"a=1", "application/x-www-form-urlencoded")["a"]
        '1'
    """
    if content_type is None:
        raise PlatformTypeError("Parsing a Body as FormData requires a Content-Type header.")
    mime, params = parse_mime(content_type)
    form = FormData()
    if mime == "multipart/form-data":
        boundary = params.get("boundary")
        if boundary is None:
            raise PlatformTypeError(
                "No boundary string in Content-Type header. The multipart/form-data MIME type "
                "requires a boundary parameter, e.g. 'Content-Type: multipart/form-data; "
                'boundary="abcd"\'. See RFC 7578, section 4.'
            )
        _parse_multipart(form, data, boundary.encode())
    elif mime == "application/x-www-form-urlencoded":
        charset = params.get("charset", "utf-8").lower()
        if charset not in ("utf-8", "utf8", "unicode-1-1-utf-8"):
            raise PlatformTypeError("Non-utf-8 application/x-www-form-urlencoded body.")
        for name, value in parse_form(utf8_text(data)):
            form.append(name, value)
    else:
        raise PlatformTypeError(
            "Unrecognized Content-Type header value. FormData can only parse the following MIME "
            f"types: {_FORM_TYPES}"
        )
    return form


def parse_mime(text: str) -> tuple[str, dict[str, str]]:
    """Return a Content-Type's type in lower case and its parameters; "" for no valid type.

    Example:
        >>> parse_mime('Text/Plain; charset="UTF-8"')
        ('text/plain', {'charset': 'UTF-8'})
    """
    match = _MIME.fullmatch(text)
    if match is None:
        return "", {}
    params: dict[str, str] = {}
    for name, quoted, plain in _MIME_PARAM.findall(match[2] or ""):
        params.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) or plain.strip("\t\r\n "))
    return match[1].lower(), params


def _parse_multipart(form: FormData, data: bytes, boundary: bytes) -> None:
    delimiter = b"\n--" + boundary
    _, found, rest = data.partition(delimiter[1:])
    if not rest:
        raise PlatformTypeError("No initial boundary string (or you have a truncated message).")
    while True:
        if rest.startswith(b"--"):
            return
        if rest.startswith((b"\n", b"\r\n")):
            rest = rest[1 if rest.startswith(b"\n") else 2 :]
        else:
            raise PlatformTypeError("Boundary string was not succeeded by CRLF, LF, or '--'.")
        end = _HEADER_END.search(rest)
        if end is None:
            raise PlatformTypeError("No multipart message header termination found.")
        name, filename, kind = _part_headers(rest[: end.start()])
        body, found, rest = rest[end.end() :].partition(delimiter)
        if not found or not rest:
            raise PlatformTypeError("No subsequent boundary string after multipart message.")
        body = body.removesuffix(b"\r")
        if filename is None:
            form.append(name, body.decode("utf-8", "replace"))
        else:
            form.append(name, File(body, filename, kind))


def _part_headers(block: bytes) -> tuple[str, str | None, str]:
    headers: dict[str, str] = {}
    for line in block.decode("utf-8", "replace").replace("\r\n", "\n").split("\n"):
        name, colon, value = line.partition(":")
        if not colon or not name:
            raise PlatformTypeError("FormData part had invalid headers.")
        headers.setdefault(name.strip().lower(), value.strip())
    if "content-disposition" not in headers:
        raise PlatformTypeError("No valid Content-Disposition header found in FormData part.")
    match = _DISPOSITION.match(headers["content-disposition"])
    if match is None:
        raise PlatformTypeError("Invalid Content-Disposition header found in FormData part.")
    if match[1] != "form-data":
        raise PlatformTypeError(
            'Content-Disposition header for FormData part must have the value "form-data", '
            f'possibly followed by parameters. Got: "{match[1]}"'
        )
    params = {
        name: re.sub(r"\\(.)", r"\1", value) for name, value in _DISPOSITION_PARAM.findall(match[2])
    }
    if "name" not in params:
        raise PlatformTypeError("Content-Disposition header in FormData part is missing a name.")
    return params["name"], params.get("filename"), headers.get("content-type", "")
