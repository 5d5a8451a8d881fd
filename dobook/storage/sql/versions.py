"""What the SQLite of this Python lacks and the engine's has, told where a statement meets it.

Python's `sqlite3` module decides which SQLite runs; dobook brings none of its own. Results that
differ without an error are listed in docs/differences.md, "SQL".
Source: sqlite.org/changes.html
"""

import re
from typing import Final

from dobook.storage.connection import SQLITE_VERSION

Version = tuple[int, ...]

_JSONB: Final = (
    "jsonb", "jsonb_array", "jsonb_extract", "jsonb_group_array", "jsonb_group_object",
    "jsonb_insert", "jsonb_object", "jsonb_patch", "jsonb_remove", "jsonb_replace", "jsonb_set",
)  # fmt: skip
# Allowed to users, and not made up for by `functions`.
FUNCTIONS_SINCE: Final[dict[str, Version]] = {**dict.fromkeys(_JSONB, (3, 45))}
TABLES_SINCE: Final[dict[str, Version]] = {"jsonb_each": (3, 51), "jsonb_tree": (3, 51)}
IIF_SINCE: Final = (3, 49)  # with two arguments, or with more than three
AGGREGATE_ORDER_SINCE: Final = (3, 44)
DIGIT_SEPARATORS_SINCE: Final = (3, 46)

_MISSING: Final = re.compile(r"no such (function|table): (\w+)")
_IN_AGGREGATE: Final = re.compile(r"\(\s*[^()]*\bORDER\s+BY\b", re.I)
_LIMITED: Final = re.compile(r"\s*(?:UPDATE|DELETE)\b.*\b(?:ORDER\s+BY|LIMIT)\b", re.I | re.S)


def missing_here(error: str, statement: str, version: Version = SQLITE_VERSION) -> str:
    """Return a sentence if an error is that of an older SQLite; empty if it is not.

    Args:
        error: SQLite's text.
        statement: The statement.
        version: The version of SQLite.

    Example:
        >>> missing_here("no such function: jsonb", "SELECT jsonb('1')", (3, 40, 1))
        "This Python's SQLite is 3.40.1, and jsonb() is there since 3.45; the platform has it."
        >>> missing_here("no such function: jsonbb", "SELECT jsonbb('1')", (3, 40, 1))
        ''
    """
    what, since = _lacking(error, statement)
    if what and not since:
        return (
            f"This Python's SQLite was built without {what} (SQLITE_ENABLE_UPDATE_DELETE_LIMIT), "
            "which the platform has. Write: … WHERE rowid IN (SELECT rowid FROM … LIMIT …)"
        )
    if not what or version >= since:
        return ""
    here, there = (".".join(map(str, v)) for v in (version, since))
    return (
        f"This Python's SQLite is {here}, and {what} is there since {there}; the platform has it."
    )


def _lacking(error: str, statement: str) -> tuple[str, Version]:
    """Return what an error may be the lack of, and since when SQLite has it; () for an option."""
    if found := _MISSING.match(error):
        name = found[2].lower()
        known = FUNCTIONS_SINCE if found[1] == "function" else TABLES_SINCE
        return (f"{name}()", known[name]) if name in known else ("", ())
    if error.startswith("wrong number of arguments to function iif()"):
        return "iif() with this number of arguments", IIF_SINCE
    if "syntax error" in error and "ORDER" in error.upper() and _IN_AGGREGATE.search(statement):
        return "ORDER BY in an aggregate", AGGREGATE_ORDER_SINCE
    if re.match(r'unrecognized token: "\d+_', error):
        return "an underscore between digits", DIGIT_SEPARATORS_SINCE
    if re.search(r'"(?:ORDER|LIMIT|ORDER BY)"', error) and _LIMITED.match(statement):
        return "ORDER BY and LIMIT of UPDATE and DELETE", ()
    return "", ()
