"""From a configuration's text to plain values, and back to the line each of them stands on.

TOML is read with the standard library, JSON with comments with `json5`. Neither keeps positions, so
a light scan of the text, which is known to be valid by then, finds the lines for messages.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from dobook.errors import ConfigurationError

Format = Literal["toml", "jsonc"]
Place = tuple[str | int, ...]

_JSON_TOKEN = re.compile(
    r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|//[^\n]*|/\*.*?\*/|[{}\[\],:]|[^\s{}\[\],:"\'/]+',
    re.DOTALL,
)
_TOML_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_TOML_KEY = re.compile(r"""^\s*("[^"]*"|'[^']*'|[\w-]+)((?:\s*\.\s*[\w-]+)*)\s*=""")


class Source:
    """The text of a configuration, with what it says and where.

    Args:
        text: The text.
        kind: Its format; None to find out.
        path: The file it comes from, for messages.

    Raises:
        ConfigurationError: If it cannot be read; the message has the line.
    """

    def __init__(self, text: str, kind: Format | None, path: Path | None) -> None:
        self.text = text
        self.path = path
        self.kind: Format = kind or ("jsonc" if _looks_like_json(text) else "toml")
        try:
            self.values = self._toml() if self.kind == "toml" else self._json()
        except RecursionError:
            raise ConfigurationError("it is nested too deeply.", self.name) from None
        self._lines: dict[Place, int] | None = None

    @property
    def name(self) -> str:
        """What the file is called, also where the text comes from a cell."""
        return self.path.name if self.path is not None else f"wrangler.{self.kind}"

    def error(self, message: str, place: Place = ()) -> ConfigurationError:
        """Return an error about a value."""
        return ConfigurationError(message, self.name, self.line(place))

    def remark(self, message: str, place: Place = ()) -> str:
        """Return a warning about a value, as people read it."""
        line = self.line(place)
        return f"{self.name}: {message}" if line is None else f"{self.name}:{line}: {message}"

    def line(self, place: Place) -> int | None:
        """Return the line of a value, or of the nearest one round it, or None."""
        if self._lines is None:
            scan = _toml_lines if self.kind == "toml" else _json_lines
            self._lines = scan(self.text)
        for end in range(len(place), 0, -1):
            if place[:end] in self._lines:
                return self._lines[place[:end]]
        return None

    def _toml(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"\(at line (\d+), column \d+\)", str(error))
            line = int(found[1]) if found else self.text.count("\n") + 1
            reason = str(error).partition(" (at ")[0]
            raise ConfigurationError(f"this is not TOML: {reason}", self.name, line) from None
        except ValueError as error:  # a number of thousands of digits
            raise ConfigurationError(f"this is not TOML: {error}", self.name) from None

    def _json(self) -> dict[str, Any]:
        import json5  # only where a configuration in JSON is read

        try:
            values = json5.loads(self.text, allow_duplicate_keys=False)
        except ValueError as error:
            found = re.match(r"(?:<string>:)?(\d+)?\s*(.*)", str(error), re.DOTALL)
            assert found is not None
            line = int(found[1]) if found[1] else None
            raise ConfigurationError(
                f"this is not JSON with comments: {found[2]}", self.name, line
            ) from None
        if not isinstance(values, Mapping):
            raise ConfigurationError("a configuration is an object: {…}", self.name, 1)
        return dict(values)


def _looks_like_json(text: str) -> bool:
    bare = re.sub(r"\s+|//[^\n]*\n|/\*.*?\*/", "", text, flags=re.DOTALL)
    return bare.startswith("{")


def _json_lines(text: str) -> dict[Place, int]:
    lines: dict[Place, int] = {}
    place: list[str | int] = []
    kinds: list[str] = []
    key: str | None = None
    line, at = 1, 0
    for token in _JSON_TOKEN.finditer(text):
        line += text.count("\n", at, token.start())
        at = token.start()
        word = token[0]
        if word.startswith(("//", "/*")):
            continue
        if kinds and kinds[-1] == "[" and word not in "],":
            lines.setdefault(tuple(place), line)
        if word in "{[":
            kinds.append(word)
            place.append(0 if word == "[" else "")
        elif word in "}]":
            kinds.pop()
            place.pop()
        elif word == ",":
            if kinds and kinds[-1] == "[":
                place[-1] = int(place[-1]) + 1
        elif word == ":":
            if key is not None and place:
                place[-1] = key
                lines[tuple(place)] = line
        else:
            key = word[1:-1] if word[0] in "\"'" else word
    return lines


def _toml_lines(text: str) -> dict[Place, int]:
    lines: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    table: Place = ()
    for number, written in enumerate(text.splitlines(), 1):
        header = _TOML_HEADER.match(written)
        if header:
            table = ()
            words = [w.strip().strip("\"'") for w in header[2].split(".")]
            for index, word in enumerate(words):
                table = (*table, word)
                if index == len(words) - 1 and header[1] == "[[":
                    counts[table] = counts.get(table, -1) + 1
                if table in counts:
                    lines.setdefault(table, number)
                    table = (*table, counts[table])
                lines.setdefault(table, number)
            continue
        key = _TOML_KEY.match(written)
        if key:
            rest = [w.strip() for w in key[2].split(".") if w.strip()]
            lines.setdefault((*table, key[1].strip("\"'"), *rest), number)
    return lines
