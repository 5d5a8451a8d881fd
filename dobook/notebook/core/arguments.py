"""The words of a magic's line: splitting them, and reading values without evaluating anything."""

import ast
import contextlib
import json
import re
from collections.abc import Mapping
from typing import Any

from dobook.clock import parse_duration, parse_time
from dobook.errors import DurationError, UsageError

_OPENING = {"{": "}", "[": "]", "(": ")"}
_CLOSING = frozenset(_OPENING.values())
_NAME = re.compile(r"\$([A-Za-z_]\w*)")
_BRACED = re.compile(r"\{([A-Za-z_]\w*)\}")


def split(line: str) -> list[str]:
    """Return the words of a line, quotes kept; quoted text and bracketed values are one word.

    Args:
        line: What stands after the magic's name.

    Raises:
        UsageError: If a quote or bracket is not closed.

    Example:
        >>> split('POST A/b --json {"n": [1, 2]} -H "k: v"')
        ['POST', 'A/b', '--json', '{"n": [1, 2]}', '-H', '"k: v"']
    """
    words: list[str] = []
    at, end = 0, len(line)
    while at < end:
        if line[at].isspace():
            at += 1
            continue
        start = at
        while at < end and not line[at].isspace():
            if line[at] in "\"'" and _begins_value(line, start, at):
                at = _past_quote(line, at)
            elif line[at] in _OPENING and _begins_value(line, start, at):
                at = _past_brackets(line, at)
            else:
                at += 1
        words.append(line[start:at])
    return words


def _begins_value(line: str, start: int, at: int) -> bool:
    return at == start or (line[at - 1] == "=" and line.startswith("--", start))


def _past_quote(line: str, at: int) -> int:
    quote, begin = line[at], at
    at += 1
    while at < len(line) and line[at] != quote:
        at += 2 if line[at] == "\\" else 1
    if at >= len(line):
        raise UsageError(f"the quote that begins at {line[begin : begin + 20]!r} is not closed.")
    return at + 1


def _past_brackets(line: str, at: int) -> int:
    begin, open_brackets = at, [_OPENING[line[at]]]
    at += 1
    while at < len(line) and open_brackets:
        character = line[at]
        if character in "\"'":
            at = _past_quote(line, at)
            continue
        if character in _OPENING:
            open_brackets.append(_OPENING[character])
        elif character in _CLOSING:
            if character != open_brackets.pop():
                break
            if not open_brackets:
                return at + 1
        at += 1
    raise UsageError(f"the bracket that begins at {line[begin : begin + 20]!r} is not closed.")


def unquote(word: str) -> str:
    """Return a word without the quotes round it or round the value of its option.

    Example:
        >>> unquote('"k: v"'), unquote("--json='[1]'"), unquote("it's")
        ('k: v', '--json=[1]', "it's")
    """
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return option + equals + value


def with_names(text: str, names: Mapping[str, Any]) -> str:
    """Return a text with each `$name` of the notebook replaced by that variable's text.

    Example:
        >>> with_names("/check?user=$user&price=$5", {"user": "ada"})
        '/check?user=ada&price=$5'
    """
    return _NAME.sub(lambda m: str(names[m[1]]) if m[1] in names else m[0], text)


def with_braces(word: str, names: Mapping[str, Any]) -> str:
    """Return a word with each `{name}` of the notebook replaced by that variable's text.

    A word that is quoted, or begins as JSON does, stays as it is: braces are its own.

    Example:
        >>> with_braces("COUNTER/{user}", {"user": "ada"}), with_braces('{"by": 2}', {"by": 1})
        ('COUNTER/ada', '{"by": 2}')
    """
    if word[:1] in ("'", '"', "[") or (word[:1] == "{" and not _BRACED.match(word)):
        return word
    return _BRACED.sub(lambda m: str(names[m[1]]) if m[1] in names else m[0], word)


def read_value(word: str, names: Mapping[str, Any]) -> Any:
    """Return the value a word stands for: JSON, a Python literal, or `$name` of a variable.

    Args:
        word: The word, quotes included.
        names: The notebook's variables.

    Raises:
        UsageError: If it is not one of these. Nothing is ever evaluated.

    Example:
        >>> read_value('{"ok": true}', {}), read_value("('a', None)", {}), read_value("$n", {"n": 3})
        ({'ok': True}, ('a', None), 3)
    """
    found = _NAME.fullmatch(word)
    if found:
        if found[1] not in names:
            raise UsageError(f"there is no variable {found[1]!r} in the notebook.")
        return names[found[1]]
    try:
        return json.loads(word)
    except ValueError:
        pass
    try:
        return ast.literal_eval(word)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        hint = (
            f'Write "{word}" for the text, ${word} for the variable.'
            if word.isidentifier()
            else "Put text into quotes."
        )
        raise UsageError(f"{word} is neither JSON nor a Python literal. {hint}") from None


def read_moment(text: str, now_ms: int) -> int:
    """Return a point in time, in ms since 1970, that is given as such or by how long ago it was.

    Args:
        text: A time in UTC, or a duration.
        now_ms: Now, in ms since 1970.

    Raises:
        DurationError: If it is neither.

    Example:
        >>> read_moment("10s ago", 60_000), read_moment("1970-01-01T00:01", 0)
        (50000, 60000)
    """
    with contextlib.suppress(DurationError):
        return parse_time(text)
    with contextlib.suppress(DurationError):
        return now_ms - parse_duration(text.removesuffix(" ago"))
    raise DurationError(
        f"cannot read {text!r} as a time (2026-01-31T18:00, in UTC) or how long ago (10m)."
    )


def read_json(text: str, names: Mapping[str, Any]) -> str:
    """Return the JSON text that an option or a cell gives.

    Args:
        text: JSON, a Python literal that JSON can express, or `$name` of a variable.
        names: The notebook's variables.

    Raises:
        UsageError: If it cannot be sent as JSON.

    Example:
        >>> read_json("{'steps': ['a', 'b']}", {})
        '{"steps": ["a", "b"]}'
    """
    text = text.strip()
    try:
        return json.dumps(json.loads(text))
    except ValueError as error:
        reason = str(error)
    try:
        return json.dumps(read_value(text, names))
    except (UsageError, TypeError, ValueError) as error:
        if text.startswith("$"):
            reason = str(error)
        raise UsageError(f"this is not JSON: {reason}. It begins {text[:40]!r}.") from None
