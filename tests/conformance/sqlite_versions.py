"""Which recorded answers the SQLite of this Python can give, measured on eight versions of it.

Played on 3.40.1, 3.45.1, 3.46.1, 3.48.0, 3.49.1, 3.50.2, 3.51.1 and 3.53.2: `SINCE` has the first of
them that gives the answer. From there on a scenario of the scope `sqlite` has to pass.
"""

import sqlite3
from typing import Final

from .steps import Scenario

Version = tuple[int, ...]

SINCE: Final[dict[str, Version]] = {
    "sql/newer-functions": (3, 40),  # made up for where they are missing
    "sql-wide/arith-6": (3, 46),  # 1_000
    "sql-wide/cast-3": (3, 53),  # 17 digits of a REAL as text
    "sql-wide/dates-1": (3, 45),  # date('2024-02-30') is March
    "sql-wide/dates-2": (3, 45),  # modifiers
    "sql-wide/json-1": (3, 45),  # JSON5
    "sql-wide/json-tables-1": (3, 45),  # ids of json_tree
    "sql-wide/json-tables-2": (3, 45),  # ORDER BY in an aggregate
    "sql-wide/json-tables-3": (3, 51),  # jsonb_each
    "sql-wide/select-7": (3, 48),  # EXPLAIN QUERY PLAN
    "sql-wide/text-fn-7": (3, 45),  # round(1.005, 2)
    "sql-wide/text-fn-errors-2": (3, 49),  # iif with two or four arguments
    "sql-wide/text-fn-errors-3": (3, 45),  # concat() without arguments
}
# Without a scope, and out of reach of some builds: an option, or versions from one to below another.
OPTIONS: Final = {"sql-wide/dml-3": "ENABLE_UPDATE_DELETE_LIMIT"}
BETWEEN: Final[dict[str, tuple[Version, Version]]] = {
    "sql-wide/printf-5": ((3, 43), (3, 46)),  # printf rounds a digit too early
}


def compile_options() -> set[str]:
    """Return the options that this Python's SQLite was built with."""
    database = sqlite3.connect(":memory:")
    try:
        return {row[0] for row in database.execute("PRAGMA compile_options")}
    finally:
        database.close()


def excuse(
    scenario: Scenario,
    version: Version = sqlite3.sqlite_version_info,
    options: set[str] | None = None,
) -> str:
    """Return why this SQLite cannot give a recorded answer; empty if it has to.

    Args:
        scenario: The scenario.
        version: The version of SQLite.
        options: What it was built with; by default that of this Python.
    """
    key, shown = scenario.key, ".".join(map(str, version))
    if scenario.scope == "sqlite":
        since = SINCE.get(key)
        if since is None:
            return "scope sqlite"
        return "" if version >= since else f"SQLite {shown}, and this is since {since}"
    if scenario.scope is not None:
        return f"scope {scenario.scope}"
    if key in OPTIONS and OPTIONS[key] not in (compile_options() if options is None else options):
        return f"this SQLite was built without {OPTIONS[key]}"
    if key in BETWEEN and BETWEEN[key][0] <= version < BETWEEN[key][1]:
        return f"SQLite {shown} gives something else"
    return ""
