"""What a user's SQL may do: the allow-lists of the real engine, as a SQLite authorizer.

Owns the decision and nothing else. SQLite asks while it prepares a statement, and again while
some statements run (virtual tables prepare statements of their own), so `Rules.on` is true
exactly while a user's statement is being prepared or stepped; the engine's own statements pass.
Source: cloudflare/workerd src/workerd/util/sqlite.c++ (`isAuthorized`), sqlite.org/c3ref/set_authorizer.html
"""

from typing import Any, Final

ALLOW: Final = 0
DENY: Final = 1
RESERVED_PREFIX: Final = "_cf_"

# sqlite.org/c3ref/c_alter_table.html: the action codes
CREATE_INDEX: Final = 1
CREATE_TABLE: Final = 2
CREATE_TRIGGER: Final = 7
CREATE_VIEW: Final = 8
DELETE: Final = 9
DROP_INDEX: Final = 10
DROP_TABLE: Final = 11
DROP_TRIGGER: Final = 16
DROP_VIEW: Final = 17
INSERT: Final = 18
PRAGMA: Final = 19
READ: Final = 20
SELECT: Final = 21
TRANSACTION: Final = 22
UPDATE: Final = 23
DETACH: Final = 25
ALTER_TABLE: Final = 26
REINDEX: Final = 27
ANALYZE: Final = 28
CREATE_VTABLE: Final = 29
DROP_VTABLE: Final = 30
FUNCTION: Final = 31
SAVEPOINT: Final = 32
RECURSIVE: Final = 33

ALWAYS: Final = frozenset({SELECT, RECURSIVE, ANALYZE})
BY_FIRST_NAME: Final = frozenset(
    {CREATE_TABLE, DELETE, DROP_TABLE, INSERT, CREATE_VIEW, DROP_VIEW, REINDEX, READ, UPDATE}
)
BY_BOTH_NAMES: Final = frozenset({CREATE_INDEX, DROP_INDEX, CREATE_TRIGGER, DROP_TRIGGER})
VIRTUAL_TABLES: Final = frozenset({"fts5", "fts5vocab", "rtree", "rtree_i32"})

FUNCTIONS: Final = frozenset(
    [
        "abs",
        "changes",
        "char",
        "coalesce",
        "concat",
        "concat_ws",
        "format",
        "glob",
        "hex",
        "ifnull",
        "iif",
        "instr",
        "last_insert_rowid",
        "length",
        "like",
        "likelihood",
        "likely",
        "load_extension",
        "lower",
        "ltrim",
        "max_scalar",
        "min_scalar",
        "nullif",
        "octet_length",
        "printf",
        "quote",
        "random",
        "randomblob",
        "replace",
        "round",
        "rtrim",
        "sign",
        "soundex",
        "substr",
        "substring",
        "total_changes",
        "trim",
        "typeof",
        "unhex",
        "unicode",
        "unlikely",
        "upper",
        "zeroblob",
        "date",
        "time",
        "datetime",
        "julianday",
        "unixepoch",
        "strftime",
        "timediff",
        "current_date",
        "current_time",
        "current_timestamp",
        "avg",
        "count",
        "group_concat",
        "max",
        "min",
        "string_agg",
        "sum",
        "total",
        "row_number",
        "rank",
        "dense_rank",
        "percent_rank",
        "cume_dist",
        "ntile",
        "lag",
        "lead",
        "first_value",
        "last_value",
        "nth_value",
        "acos",
        "acosh",
        "asin",
        "asinh",
        "atan",
        "atan2",
        "atanh",
        "ceil",
        "cos",
        "cosh",
        "degrees",
        "exp",
        "floor",
        "ln",
        "log",
        "log2",
        "mod",
        "pi",
        "pow",
        "radians",
        "sin",
        "sinh",
        "sqrt",
        "tan",
        "tanh",
        "trunc",
        "json",
        "jsonb",
        "json_array",
        "jsonb_array",
        "json_array_length",
        "json_extract",
        "jsonb_extract",
        "->",
        "->>",
        "json_insert",
        "jsonb_insert",
        "json_object",
        "jsonb_object",
        "json_patch",
        "jsonb_patch",
        "json_remove",
        "jsonb_remove",
        "json_replace",
        "jsonb_replace",
        "json_set",
        "jsonb_set",
        "json_type",
        "json_valid",
        "json_quote",
        "json_group_array",
        "jsonb_group_array",
        "json_group_object",
        "jsonb_group_object",
        "json_each",
        "json_tree",
        "match",
        "highlight",
        "bm25",
        "snippet",
        "rtreecheck",
        "sqlite_rename_column",
        "sqlite_rename_table",
        "sqlite_rename_test",
        "sqlite_drop_column",
        "sqlite_rename_quotefix",
    ]
)
NOT_COMPILED_IN: Final = frozenset({"soundex"})  # allowed, but not part of the engine's build
# Which argument a PRAGMA may have.
NO_ARGUMENT: Final = frozenset({"data_version", "page_size"})
BOOLEAN: Final = frozenset(
    {
        "case_sensitive_like",
        "foreign_keys",
        "defer_foreign_keys",
        "ignore_check_constraints",
        "legacy_alter_table",
        "recursive_triggers",
        "reverse_unordered_selects",
    }
)
OBJECT_NAME: Final = frozenset(
    {
        "foreign_key_list",
        "index_info",
        "index_list",
        "index_xinfo",
        "table_info",
        "table_xinfo",
    }
)
BOOLEANS: Final = ("true", "false", "yes", "no", "on", "off", "1", "0")  # as beginnings

TRANSACTION_VERBS: Final = frozenset({"BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"})
TRANSACTION_TEXT: Final = (
    "To execute a transaction, please use the state.storage.transaction() or "
    "state.storage.transactionSync() APIs instead of the SQL BEGIN TRANSACTION or SAVEPOINT "
    "statements. The JavaScript API is safer because it will automatically roll back on "
    "exceptions, and because it interacts correctly with Durable Objects' automatic atomic "
    "write coalescing."
)


class Rules:
    """The authorizer of one connection."""

    __slots__ = ("clock", "on", "reason")

    def __init__(self) -> None:
        self.clock: Any = None  # the functions of time and chance that are the runtime's
        self.on: Any = False  # the plan or statement that runs, or True
        self.reason: str | None = None  # why the last denial happened, where SQLite cannot say

    def __call__(
        self,
        action: int,
        first: str | None,
        second: str | None,
        database: str | None,
        trigger: str | None,
    ) -> int:
        """Answer SQLite; `first` and `second` depend on the action."""
        if not self.on:
            return ALLOW
        if action in {TRANSACTION, SAVEPOINT}:
            self.reason = TRANSACTION_TEXT
            return DENY
        if action in {ALTER_TABLE, DETACH}:  # these two give the database first
            first, database = second, first
        return ALLOW if allows(action, first, second, database) else DENY


def allowed_name(name: str | None) -> bool:
    """Return whether a user may touch a table, index, view or trigger of that name.

    Example:
        >>> allowed_name("_CF_KV"), allowed_name("x_cf_kv")
        (False, True)
    """
    return name is None or name[:4].lower() != RESERVED_PREFIX


def allows(action: int, first: str | None, second: str | None, database: str | None) -> bool:
    """Decide about one action of a user's statement."""
    if database == "temp":
        return action in {READ, UPDATE} and allowed_name(first)
    if database is not None and database != "main":
        return False
    if action == READ and first in {"dbstat", "sqlite_stmt"}:
        return False  # the engine is built without it
    if action in ALWAYS:
        return True
    if action in BY_FIRST_NAME or action == ALTER_TABLE:
        return allowed_name(first)
    if action in BY_BOTH_NAMES:
        return allowed_name(first) and allowed_name(second)
    if action == FUNCTION:
        return second in FUNCTIONS and second not in NOT_COMPILED_IN
    if action == PRAGMA:
        return allows_pragma((first or "").lower(), second)
    if action in {CREATE_VTABLE, DROP_VTABLE}:
        return (second or "").lower() in VIRTUAL_TABLES and allowed_name(first)
    return False


def allows_pragma(name: str, argument: str | None) -> bool:
    """Decide about `PRAGMA name` with its argument, if it has one."""
    if name == "table_list":
        return True
    if name in NO_ARGUMENT:
        return argument is None
    if name in OBJECT_NAME:
        return argument is not None and allowed_name(argument)
    if argument is None:
        return name in BOOLEAN or name in {"foreign_key_check", "quick_check", "optimize"}
    if name in BOOLEAN:
        if len(argument) >= 2 and argument[0] in "'\"" and argument[0] == argument[-1]:
            argument = argument[1:-1]
        return argument.lower().startswith(BOOLEANS)
    if name == "optimize":
        return is_integer(argument)
    return name in {"foreign_key_check", "quick_check"} and allowed_name(argument)


def is_integer(text: str) -> bool:
    """Return whether a text is an integer that fits 32 bits, decimal or hexadecimal.

    Example:
        >>> is_integer("-1"), is_integer("0x10002"), is_integer("t")
        (True, True, False)
    """
    try:
        value = int(text, 0) if text.lower().lstrip("-").startswith("0x") else int(text)
    except ValueError:
        return False
    return -(2**31) <= value < 2**31
