"""Refusals whose text depends on which SQLite runs: here it is Python's, there the engine's own.

The engine's is newer and built with other options, and makes its own tables only when it needs
them. So what is refused here may not exist there, and the other way round.
Source: cloudflare/workerd src/workerd/util/sqlite.c++, sqlite-kv.c++, sqlite-metadata.c++
"""

import re
from typing import TYPE_CHECKING, Final

from dobook.storage.sql.text import Statement

if TYPE_CHECKING:
    from dobook.storage.connection import Connection

# Newer than some of the SQLite versions that Python comes with, and not allowed to users.
NEWER_FORBIDDEN: Final = ("unistr", "unistr_quote", "if")
_NO_FUNCTION: Final = re.compile(r"no such function: (\w+)")
_NOT_ALLOWED: Final = re.compile(r"not authorized to use function: (soundex)\b", re.I)
_OWN_TABLE: Final = re.compile(r"\b(_cf_KV|_cf_METADATA)\b", re.I)
_DENIED: Final = re.compile(r"access to (\w+)\.\w* is prohibited|not authorized: SQLITE_AUTH")
_JSON_PATH: Final = re.compile(r"JSON path error near '([^'$][^']*)'")


def as_the_engine_says(text: str, statement: Statement, connection: "Connection") -> str:
    """Return an error's text with the engine's words where its SQLite is another one.

    Args:
        text: The text, with SQLite's codes.
        statement: What was refused.
        connection: The database.
    """
    found = _NO_FUNCTION.match(text)
    if found and found[1].lower() in NEWER_FORBIDDEN:
        return text.replace("no such function", "not authorized to use function", 1)
    if _NOT_ALLOWED.match(text):
        return text.replace("not authorized to use function", "no such function", 1)
    if found := _JSON_PATH.match(text):
        return text.replace(found[0], f"bad JSON path: '{found[1]}'", 1)
    if text == "authorization denied: SQLITE_AUTH":
        return "SQL logic error: SQLITE_ERROR"
    if _DENIED.match(text) and statement.verb != "CREATE":
        if text.startswith("access to dbstat."):
            return "no such table: dbstat: SQLITE_ERROR"
        own = _OWN_TABLE.search(statement.text)
        made = connection.has_engine_table
        if own and made is not None and not made(own[1].lower()):
            return f"no such table: {own[1]}: SQLITE_ERROR"
    return text
