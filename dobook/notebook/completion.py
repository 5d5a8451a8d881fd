"""Tab completion inside dobook's magics: options, bindings, object names, methods, paths."""

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)
from IPython.core.interactiveshell import InteractiveShell

from dobook import patterns
from dobook.notebook.core.request_line import METHODS
from dobook.notebook.core.session import Session
from dobook.notebook.inspector.sql_reader import sql_tables
from dobook.notebook.requests.request_magics import mentioned_paths
from dobook.storage.store import ObjectStore

_OF_OBJECTS = frozenset({"--object", "--diff", "--target"})
_OF_KEYS = frozenset({"--prefix", "--key"})
_MOST_KEYS = 200
_LINE = re.compile(r"^\s*(%{1,2})(\w+)\s+(.*)$", re.DOTALL)


def install(
    shell: InteractiveShell, session: Session, families: Sequence[Any]
) -> Callable[[], None]:
    """Add the matcher to a shell; returns what undoes it."""
    parsers: dict[tuple[str, str], argparse.ArgumentParser] = {}
    for family in families:
        for kind, names in family.magics.items():
            for name, method in names.items():
                parser = getattr(method, "parser", None)
                if parser is not None:
                    parsers["%%" if kind == "cell" else "%", name] = parser

    @context_matcher(identifier="dobook_matcher")
    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        found = _LINE.match(context.text_until_cursor)
        nothing = SimpleMatcherResult(completions=[])
        if not found or (found[1], found[2]) not in parsers:
            return nothing
        words = found[3].split()
        word = "" if found[3][-1:].isspace() or not words else words.pop()
        if not word.endswith(context.token):
            return nothing
        offered = candidates(session, found[2], parsers[found[1], found[2]], words, word)
        # IPython replaces its own token, which may begin inside our word.
        cut = len(word) - len(context.token)
        return SimpleMatcherResult(
            completions=[
                SimpleCompletion(text[cut:], type=kind)
                for text, kind in offered
                if text.startswith(word)
            ],
            suppress=bool(offered),
        )

    completer: Any = shell.Completer
    completer.custom_matchers.append(matcher)
    return lambda: completer.custom_matchers.remove(matcher)


def candidates(
    session: Session,
    name: str,
    parser: argparse.ArgumentParser,
    words: Sequence[str],
    word: str,
) -> list[tuple[str, str]]:
    """Return what a word of a magic could be, each with its kind.

    Args:
        session: The session, whose classes and objects are offered.
        name: The magic.
        parser: Its parser.
        words: The words before it on the line.
        word: As much of it as is typed.
    """
    options = {text: action for action in parser._actions for text in action.option_strings}  # noqa: SLF001
    if words and words[-1] == "--state":
        return files(word)
    if words and words[-1] in _OF_OBJECTS:
        return objects(session)
    if words and words[-1] in _OF_KEYS:
        return keys(session, words)
    if words and words[-1] in options and options[words[-1]].nargs != 0:
        return [(str(choice), "param") for choice in options[words[-1]].choices or ()]
    if word.startswith("-"):
        return [(text, "param") for text in options if text.startswith("--")]
    plain = [w for w in words if not w.startswith("-")]
    dests = [action.dest for action in parser._actions if not action.option_strings]  # noqa: SLF001
    verbs = [str(a.metavar).split("|") for a in parser._actions if "|" in str(a.metavar)]  # noqa: SLF001
    if verbs and not plain:
        return [(verb, "keyword") for verb in verbs[0]]
    if name == "pattern":
        return [] if plain else [(pattern, "class") for pattern in patterns.__all__]
    if name == "request":
        targets = [w for w in plain if "/" in w and not w.startswith("/")]
        offered = [] if plain else [(method, "keyword") for method in METHODS]
        if targets or word.startswith("/"):
            return paths(session, targets[0] if targets else "")
        return offered + objects(session)
    if "target" not in dests:
        return []
    if dests.index("target") == len(plain):
        return objects(session)
    if name == "rpc" and len(plain) == 1:
        return methods(session, plain[0])
    if name == "sql" and plain:
        return tables(session, plain[0])
    return []


def keys(session: Session, words: Sequence[str]) -> list[tuple[str, str]]:
    """Return the keys that the object among the words has stored."""
    for word in words:
        store = _store(session, word)
        if store is not None:
            return [(key, "key") for key in list(store.kv.keys())[:_MOST_KEYS]]
    return []


def tables(session: Session, target: str) -> list[tuple[str, str]]:
    """Return the names of an object's SQL tables and of their columns."""
    store = _store(session, target)
    if store is None:
        return []
    found = sql_tables(store, 0)
    names = dict.fromkeys(name for table in found for name in (table.name, *table.columns))
    return [(name, "sql") for name in names]


def _store(session: Session, word: str) -> ObjectStore | None:
    binding, slash, name = word.partition("/")
    if not slash or not name or binding not in {n.binding for n in session.kernel.namespaces}:
        return None
    return session.peek(session.target(word))


def files(word: str) -> list[tuple[str, str]]:
    """Return the files and folders that a path could be."""
    folder = word[: word.rfind("/") + 1]
    try:
        found = sorted(Path(folder or ".").expanduser().iterdir())
    except OSError:
        return []
    return [(f"{folder}{p.name}{'/' if p.is_dir() else ''}", "path") for p in found]


def objects(session: Session) -> list[tuple[str, str]]:
    """Return the bindings, with their slash, and the objects that exist."""
    bindings = [(f"{n.binding}/", "namespace") for n in session.kernel.namespaces]
    return bindings + [(label, "object") for label in session.labels()]


def methods(session: Session, target: str) -> list[tuple[str, str]]:
    """Return the methods that can be called on an object."""
    binding = target.partition("/")[0]
    for definition in session.definitions.values():
        if definition.binding == binding:
            return [(name, "function") for name in definition.methods]
    return []


def paths(session: Session, target: str) -> list[tuple[str, str]]:
    """Return the paths that the code of an object's class, or of the Worker, mentions."""
    return [(path, "path") for path in mentioned_paths(session, target.partition("/")[0])]
