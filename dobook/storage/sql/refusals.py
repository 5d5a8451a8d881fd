"""Refusals whose text depends on which SQLite runs: here it is Python's, there the engine's own.

The engine's is newer and built with other options. So what is refused here may not exist there, and
the other way round.
Source: cloudflare/workerd src/workerd/util/sqlite.c++
"""

import re
from typing import Final

# Newer than some of the SQLite versions that Python comes with, and not allowed to users.
NEWER_FORBIDDEN: Final = frozenset(
    {"unistr", "unistr_quote", "if", "json_array_insert", "json_error_position", "json_pretty"}
)
_NO_FUNCTION: Final = re.compile(r"no such function: (\w+)")
_NOT_ALLOWED: Final = re.compile(
    r"not authorized to use function: (soundex|fts3_tokenizer)\b", re.I
)
_NOT_BUILT_IN: Final = re.compile(r"access to (dbstat|sqlite_stmt)\.")
_JSON_PATH: Final = re.compile(r"JSON path error near '([^'$][^']*)'")


def as_the_engine_says(text: str) -> str:
    """Return an error's text, SQLite's codes included, in the words of the engine's SQLite."""
    found = _NO_FUNCTION.match(text)
    if found and found[1].lower() in NEWER_FORBIDDEN:
        return text.replace("no such function", "not authorized to use function", 1)
    if _NOT_ALLOWED.match(text):
        return text.replace("not authorized to use function", "no such function", 1)
    if found := _JSON_PATH.match(text):
        return text.replace(found[0], f"bad JSON path: '{found[1]}'", 1)
    if text == "authorization denied: SQLITE_AUTH":
        return "SQL logic error: SQLITE_ERROR"
    if found := _NOT_BUILT_IN.match(text):
        return f"no such table: {found[1]}: SQLITE_ERROR"
    return text
