"""How values become the platform's strings. Owns no state; nothing else of the package is needed here.

Source: webidl.spec.whatwg.org/#es-USVString
"""

from typing import Any

from dobook.errors import PlatformTypeError


def usv(text: str) -> str:
    r"""Return the text without lone surrogates, as every web interface takes it.

    Example:
        >>> usv("a\ud800b")
        'a\ufffdb'
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def js_string(value: Any) -> str:
    """Return what the platform makes of a Python value where it expects a text.

    Raises:
        PlatformTypeError: If the value has no sensible text, such as a list or bytes.

    Example:
        >>> [js_string(v) for v in ("a", 5, 2.0, True, None)]
        ['a', '5', '2', 'true', 'undefined']
    """
    if isinstance(value, str):
        return usv(str(value))
    if value is None:
        return "undefined"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e21 else str(value)
    href = getattr(value, "href", None)
    if isinstance(href, str):
        return href
    raise PlatformTypeError(f"expected a text, not {type(value).__name__}: {value!r}")


def utf8_text(data: bytes) -> str:
    r"""Return bytes read as UTF-8: faults become U+FFFD, a leading byte order mark is dropped.

    Example:
        >>> utf8_text(b"\xef\xbb\xbfhi\xff")
        'hi\ufffd'
    """
    text = data.decode("utf-8", "replace")
    return text[1:] if text[:1] == "\ufeff" else text
