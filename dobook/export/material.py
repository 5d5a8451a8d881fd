"""What an export is made of: cells, which of their classes are objects, the configuration.

A running notebook knows these; of a file they are worked out from its text, without running it.
"""

import argparse
import ast
import dataclasses
import json
import keyword
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dobook import patterns
from dobook.errors import UsageError
from dobook.export.cells import Cell, parse, python_of, read_cell
from dobook.wrangler import Configuration, DurableObjectBinding, Migration, Rename
from dobook.wrangler import parse as read

_OBJECT, _WORKER = "DurableObject", "WorkerEntrypoint"


@dataclass(frozen=True, slots=True)
class Material:
    """What an export is made of.

    Attributes:
        name: What the Worker is called if its configuration does not say.
        cells: The code cells, in the order they ran.
        objects: The classes of objects: what they are deployed as, and their name in the code.
        worker: The class that answers requests, or None.
        configuration: The bindings and migrations.
        entrypoints: The other classes of Workers, which `ctx.exports` reaches.
    """

    name: str
    cells: tuple[Cell, ...]
    objects: dict[str, str]
    worker: str | None
    configuration: Configuration
    entrypoints: tuple[str, ...] = ()

    @property
    def roots(self) -> list[str]:
        """The classes that the platform makes instances of, by their names in the code."""
        return [*self.objects.values(), *filter(None, [self.worker]), *self.entrypoints]


def read_notebook(path: Path) -> Material:
    """Return what a notebook's file has, without running it.

    Args:
        path: The `.ipynb` file.

    Raises:
        UsageError: If it cannot be read or defines no class of objects.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
        cells = [c for c in document["cells"] if c["cell_type"] == "code"]
        texts = [_text(c["source"]) for c in cells]
        failing = ["raises-exception" in _tags(c) for c in cells]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} cannot be read as a notebook: {error}") from error
    except RecursionError:
        raise UsageError(f"{path} cannot be read as a notebook: it is nested too deeply.") from None
    whole = [
        (part, f"cell {count}")
        for count, (text, fails) in enumerate(zip(texts, failing, strict=True), 1)
        if not fails  # what it defines is not defined
        for part in (*_patterns(text), text)
    ]
    found = [read_cell(number, text, label) for number, (text, label) in enumerate(whole, 1)]
    name = path.stem.lstrip("0123456789_- ") or path.stem
    return _Reader(name, found).read()


def _patterns(text: str) -> list[str]:
    """Return the cells that a cell's `%pattern NAME` lines stand for."""
    found = []
    for name, options in re.findall(r"^%pattern[ \t]+(\w+)[ \t]*(.*)$", text, re.M):
        if name in patterns.__all__ and "--source" not in options:
            found.append(f"%%durable_object {options}".rstrip() + f"\n{patterns.source_of(name)}")
    return found


class _Reader:
    def __init__(self, name: str, cells: Sequence[Cell]) -> None:
        self.name = name
        self.cells = cells
        self.kinds: dict[str, str] = {}  # of classes: which of the two bases they have
        self.objects: dict[str, str] = {}
        self.bindings: dict[str, str] = {}
        self.storage: dict[str, str] = {}
        self.worker: str | None = None
        self.entrypoints: dict[str, None] = {}
        self.given: Configuration | None = None
        self.steps: list[Migration] = []

    def read(self) -> Material:
        for cell in self.cells:
            if cell.magic == "wrangler":
                options = _options(cell.options, ("--env",))
                self.given = read("\n" + cell.text, environment=options.env)
            elif cell.holds_code:
                self._read_lines(cell)
                self._read_classes(cell)
        if not self.objects:
            raise UsageError(
                "it defines no class of Durable Objects. A %%durable_object cell does."
            )
        return Material(
            self.name,
            tuple(self.cells),
            self.objects,
            self.worker,
            self.given or self._kept(),
            tuple(name for name in self.entrypoints if name != self.worker),
        )

    def _read_lines(self, cell: Cell) -> None:
        for line in cell.text.splitlines():
            if line.startswith("%wrangler "):
                options = _options(line.partition(" ")[2], ("--delete-class",), ("--keep",))
                if options.keep:
                    self.given = None
                if options.delete_class in self.objects:
                    del self.objects[options.delete_class]
                    self._step(deleted_classes=(options.delete_class,))

    def _read_classes(self, cell: Cell) -> None:
        tree = parse(python_of(cell.text))
        for node in tree.body if tree is not None else ():
            if not isinstance(node, ast.ClassDef):
                continue
            kind = self._kind(node)
            self.kinds[node.name] = kind
            if kind == _OBJECT and cell.magic in ("durable_object", "worker"):
                self._read_object(cell, node.name)
            elif kind == _WORKER and cell.magic in ("durable_object", "worker"):
                self._read_worker(node.name)

    def _read_worker(self, name: str) -> None:
        if name == "Default" or self.worker != "Default":
            self.worker = name
        if name != "Default":
            self.entrypoints[name] = None

    def _kind(self, node: ast.ClassDef) -> str:
        for base in node.bases:
            name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
            if name in (_OBJECT, _WORKER):
                return name
            if self.kinds.get(name):
                return self.kinds[name]
        return ""

    def _read_object(self, cell: Cell, written: str) -> None:
        words = ("--binding", "--storage", "--name", "--renamed-from")
        options = _options(cell.options, words)
        name = options.name or written
        _check_identifier(name, "class")
        if options.binding:
            _check_identifier(options.binding, "binding")
        if options.renamed_from in self.objects:
            del self.objects[options.renamed_from]
            for known in (self.bindings, self.storage):
                if options.renamed_from in known:
                    known[name] = known.pop(options.renamed_from)
            self._step(renamed_classes=(Rename(options.renamed_from, name),))
        elif name not in self.objects:
            self.storage[name] = options.storage or "sqlite"
            if self.storage[name] == "sqlite":
                self._step(new_sqlite_classes=(name,))
            else:
                self._step(new_classes=(name,))
        self.objects[name] = written
        if options.binding:
            self.bindings[name] = options.binding
        self.bindings.setdefault(name, _binding(name))

    def _step(self, **parts: Any) -> None:
        tag = f"v{len(self.steps) + 1}"
        self.steps.append(dataclasses.replace(Migration(tag), **parts))

    def _kept(self) -> Configuration:
        return Configuration(
            durable_objects=tuple(
                DurableObjectBinding(self.bindings[name], name) for name in self.objects
            ),
            migrations=tuple(self.steps),
        )


def _binding(name: str) -> str:
    from dobook.runtime.registry import default_binding  # the engine is not needed for the rest

    return default_binding(name)


def _options(line: str, valued: Sequence[str], flags: Sequence[str] = ()) -> argparse.Namespace:
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    for option in valued:
        parser.add_argument(option)
    for option in flags:
        parser.add_argument(option, action="store_true")
    try:
        return parser.parse_known_args(shlex.split(line))[0]
    except (argparse.ArgumentError, ValueError) as error:
        raise UsageError(f"the magic's options {line!r} cannot be read: {error}") from error


def _text(source: Any) -> str:
    text = source if isinstance(source, str) else "".join(source)
    text.encode()  # half a surrogate pair can be in no file; raises a ValueError
    return text


def _tags(cell: dict[str, Any]) -> list[Any]:
    """Return a cell's tags, none where its metadata is of another form."""
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return tags if isinstance(tags, list) else []


def _check_identifier(name: str, what: str) -> None:
    # They are written into source code, a configuration and a test.
    if not name.isidentifier() or keyword.iskeyword(name):
        raise UsageError(f"{name[:80]!r} cannot be the name of a {what}: it is not an identifier.")
