"""Reads SQL text: where statements end, what parameters they have, whether they write.

The real engine learns this from SQLite while it prepares each statement. Python's `sqlite3`
neither prepares without executing nor takes several statements at once, so the text is split
into SQLite's own tokens here. Nothing in this file judges whether the SQL is valid.
Source: sqlite.org/lang.html, sqlite.org/c3ref/complete.html, sqlite.org/lang_expr.html#parameters
"""

import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from dobook.limits import MAX_SQL_BINDINGS

TOKEN: Final = re.compile(
    r"""
      (?P<space>[ \t\n\f\r]+ | --[^\n]* | /\*.*?(?:\*/|\Z))
    | (?P<text>'(?:[^']|'')*(?:'|\Z) | "(?:[^"]|"")*(?:"|\Z) | `(?:[^`]|``)*(?:`|\Z) | \[[^\]]*(?:\]|\Z))
    | (?P<parameter>\?[0-9]* | [$@:][\w$]+(?:::[\w$]*)*(?:\([^)\s]*\))?)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<end>;)
    | (?P<open>\() | (?P<close>\))
    | (?P<other>\d[\w.]* | .)
    """,
    re.VERBOSE | re.DOTALL,
)
SCHEMA: Final = re.compile(r"sqlite_|pragma|_cf_", re.IGNORECASE)
TAIL_SPACE: Final = " \t\n\r\v\f"  # what the engine skips between statements
READING: Final = frozenset({"SELECT", "VALUES", "PRAGMA"})
CHANGING_ROWS: Final = frozenset({"INSERT", "REPLACE", "UPDATE", "DELETE"})
CACHED_TEXTS: Final = 1_024
# Python 3.12.0 to 3.12.3 take a numbered parameter for a named one, and warn when it is bound from
# a sequence (python/cpython#117995). A mapping with the number as its key binds it everywhere.
NUMBERS_ARE_NAMES: Final = (3, 12) <= sys.version_info[:3] < (3, 12, 4)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a query."""

    text: str
    verb: str  # its first keyword, upper case, after EXPLAIN and WITH; "" without one
    explained: bool
    writes: bool  # as sqlite3_stmt_readonly() would deny
    parameters: int
    names: tuple[str, ...] | None  # for parameters bound by name: Python 3.14 demands a mapping
    renamed_to: str | None  # ALTER TABLE … RENAME TO this

    @property
    def defines(self) -> bool:
        """Whether the statement may change the schema."""
        return self.verb not in READING and self.verb not in CHANGING_ROWS


EMPTY: Final = Statement(
    text="", verb="", explained=False, writes=False, parameters=0, names=None, renamed_to=None
)


@lru_cache(maxsize=CACHED_TEXTS)
def split(query: str) -> tuple[Statement, ...]:
    r"""Return the statements of a query; a last one without any words has an empty verb.

    Example:
        >>> [(s.text, s.verb, s.parameters) for s in split("DELETE FROM t; SELECT ?, ?")]
        [('DELETE FROM t;', 'DELETE', 0), ('SELECT ?, ?', 'SELECT', 2)]
        >>> [s.verb for s in split("SELECT 1; -- done")]
        ['SELECT', '']
    """
    code, nul, _ = query.partition("\0")  # SQLite reads as far as a NUL
    found = []
    start = 0
    while True:
        statement, start = next_statement(code, start)
        found.append(statement)
        if start == len(code):
            break
    if nul:
        found.append(EMPTY)
    return tuple(found)


def next_statement(code: str, start: int) -> tuple[Statement, int]:
    """Read one statement; return it and where the one after it begins."""
    words: list[str] = []  # keywords and names outside parentheses, ends as ";"
    targets: list[str] = []  # the same as written, quoted names included
    parameters: list[str] = []
    depth = 0
    stop = len(code)
    for match in TOKEN.finditer(code, start):
        kind = match.lastgroup
        if kind == "end":
            if not words:
                continue  # SQLite skips empty statements in front of one
            words.append(";")
            if not is_trigger(words) or words[-3:-1] == [";", "END"]:
                stop = match.end()
                break
            continue
        if kind == "space":
            continue
        if kind == "parameter":
            parameters.append(match.group())
        elif kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
        if not words or (depth <= 0 and kind in {"word", "text"}):
            targets.append(match.group())
            words.append(match.group().upper())
    text = code[start:stop]
    while stop < len(code) and code[stop] in TAIL_SPACE:
        stop += 1
    count, names, text = number(parameters, text)
    explained = bool(words) and words[0] == "EXPLAIN"
    verb = verb_of(words)
    return (
        Statement(
            text=text,
            verb=verb,
            explained=explained,
            writes="OPTIMIZE" in words if verb == "PRAGMA" else verb not in READING and verb != "",
            parameters=count,
            names=names,
            renamed_to=renamed(verb, targets),
        ),
        stop,
    )


def looks_at_schema(query: str) -> bool:
    """Return whether a query may show, or touch, what tables there are besides the user's.

    Example:
        >>> looks_at_schema("SELECT name FROM sqlite_master"), looks_at_schema("SELECT * FROM t")
        (True, False)
    """
    return SCHEMA.search(query) is not None


def is_trigger(words: list[str]) -> bool:
    """Return whether a statement is CREATE TRIGGER, whose body has semicolons of its own."""
    head = [w for w in words[:7] if w not in {"EXPLAIN", "QUERY", "PLAN", "TEMP", "TEMPORARY"}]
    return head[:2] == ["CREATE", "TRIGGER"]


def verb_of(words: list[str]) -> str:
    """Return the keyword that says what a statement does."""
    at = 0
    if words[:1] == ["EXPLAIN"]:
        at = 3 if words[1:3] == ["QUERY", "PLAN"] else 1
    verb = words[at] if at < len(words) else ""
    if verb == "WITH":  # the common table expressions themselves stand in parentheses
        known = CHANGING_ROWS | READING
        return next((w for w in words[at + 1 :] if w in known), verb)
    return verb


def renamed(verb: str, targets: list[str]) -> str | None:
    """Return the new name of ALTER TABLE … RENAME TO."""
    if verb == "ALTER":
        upper = [t.upper() for t in targets]
        for i in range(2, len(targets) - 2):
            if upper[i : i + 2] == ["RENAME", "TO"]:
                return targets[i + 2].strip("'\"`[]")
    return None


def number(parameters: list[str], text: str) -> tuple[int, tuple[str, ...] | None, str]:
    """Count parameters as SQLite does, and find out how Python can bind them.

    Returns:
        How many bindings there are; their names if a mapping must carry them; and the text,
        in which names became numbers if it mixes both ways (its unnamed columns change then).
    """
    highest = 0
    numbers: dict[str, int] = {}
    order = []
    for parameter in parameters:
        if parameter == "?":
            highest += 1
            at = highest
        elif parameter[0] == "?":
            digits = parameter[1:].lstrip("0")[:6]  # beyond the limit any number is refused
            at = min(int(digits or 0), MAX_SQL_BINDINGS + 1)
        else:
            at = numbers.setdefault(parameter, highest + 1)
        order.append(at)
        highest = max(highest, at)
    valid = all(0 < at <= MAX_SQL_BINDINGS for at in order)  # if not, SQLite's error says it
    by_key = NUMBERS_ARE_NAMES and valid and any(p[0] == "?" != p for p in parameters)
    if not numbers and not by_key:
        return highest, None, text
    bare = tuple(name[1:] for name in numbers)
    if len(numbers) == highest == len(set(bare)):
        return highest, bare, text
    if not NUMBERS_ARE_NAMES or not valid:
        return highest, None, with_numbers(text, order)
    # A mapping needs a name for each place, so the numbers that occur become 1, 2, 3, ...
    rank = {at: n for n, at in enumerate(sorted(set(order)), 1)}
    names = tuple(str(rank.get(at, "")) for at in range(1, highest + 1))
    return highest, names, with_numbers(text, [rank[at] for at in order])


def with_numbers(text: str, order: list[int]) -> str:
    """Return a statement in which each parameter has the number given for it."""
    supply = iter(order)
    pieces = [
        f"?{next(supply)}" if m.lastgroup == "parameter" else m.group()
        for m in TOKEN.finditer(text)
    ]
    return "".join(pieces)


def offset_of(message: str, text: str) -> int | None:
    """Guess where in a statement SQLite found an error, in bytes; None when that is unclear.

    SQLite knows (sqlite3_error_offset), Python's module does not ask. The word that the message
    names tells the place if it occurs only once.

    Example:
        >>> offset_of('near "SELEC": syntax error', "SELEC 1")
        0
    """
    match = ERROR_WORD.match(message)
    if match is None:
        return None
    word = next(w for w in match.groups() if w is not None)
    if match.group(2) is not None:  # an unrecognized token reaches to the end or is one character
        places = [text.find(word)] if text.count(word) == 1 else []
    else:
        places = [
            m.start()
            for m in TOKEN.finditer(text)
            if m.lastgroup != "space" and m.group().lower() == word.lower()
        ]
    return len(text[: places[0]].encode("utf-8", "replace")) if len(places) == 1 else None


ERROR_WORD: Final = re.compile(
    r"""near\ "(.+)":\ syntax\ error$ | unrecognized\ token:\ "(.+)"$
      | (?:no\ such\ column|no\ such\ function|not\ authorized\ to\ use\ function):\ ([\w$]+)$""",
    re.VERBOSE | re.DOTALL,
)
