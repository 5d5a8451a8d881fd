"""Pages made from the code: magics and their options, the command, the public Python names."""

import argparse
import importlib
import inspect
import textwrap
from pathlib import Path
from typing import Any

from docs.site.surface import HELD, MODULES


def write(folder: Path) -> list[str]:
    """Write the pages into a folder.

    Returns:
        Their names, without the ending, in the order in which they should be read.
    """
    (folder / "magics.md").write_text(magics_page(), "utf-8")
    (folder / "command.md").write_text(command_page(), "utf-8")
    names = ["magics", "command"]
    shown: set[int] = set()
    for page, (about, classes) in HELD.items():
        (folder / f"{page}.md").write_text(class_page(page, about, classes, shown), "utf-8")
        names.append(page)
    for name, about in MODULES.items():
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            continue
        (folder / f"{name}.md").write_text(module_page(module, name, about, shown), "utf-8")
        names.append(name)
    return names


# ---------------------------------------------------------------------- magics


def magics_page() -> str:
    """Return the page of all magics, from the docstrings and parsers that `%name?` shows too."""
    from dobook.notebook.magics import ALL

    found: dict[str, tuple[Any, list[str]]] = {}
    for family in ALL:
        for kind, sign in (("line", "%"), ("cell", "%%")):
            for name, attribute in family.magics[kind].items():
                function = getattr(family, attribute) if isinstance(attribute, str) else attribute
                found.setdefault(name, (function, []))[1].append(sign + name)
    parts = [
        "# Magics\n",
        "`%load_ext dobook` brings these. `%name?` shows the same text in a notebook. "
        "Names in capitals stand for what you fill in.\n",
    ]
    parts += [
        f"- [`{'`, `'.join(w)}`](#{name.replace('_', '-')})" for name, (_, w) in found.items()
    ]
    for name, (function, written) in found.items():
        anchor = name.replace("_", "-")
        parts.append(f"\n({anchor})=\n## `{'`, `'.join(written)}`\n")
        parts.append(magic_section(function))
    return "\n".join(parts) + "\n"


def magic_section(function: Any) -> str:
    """Return what there is to say of one magic: its text, its example, its options as a table."""
    parser: argparse.ArgumentParser = function.parser
    text = fenced(inspect.cleandoc(parser.description or ""))
    rows = [
        (", ".join(action.option_strings) or action.metavar or action.dest, help_of(action))
        for action in parser._actions  # noqa: SLF001 - argparse has no other way to list them
        if action.dest != "help"
    ]
    if not rows:
        return text
    lines = ["| option | meaning |", "| --- | --- |"]
    lines += [f"| `{option}` | {meaning} |" for option, meaning in rows]
    return text + "\n\n" + "\n".join(lines)


def help_of(action: argparse.Action) -> str:
    """Return an option's help as one line of a table."""
    text = " ".join(str(action.help or "").replace("%%", "%").split())
    if action.choices is not None:
        text += f" One of {', '.join(map(str, action.choices))}."
    return text.replace("|", "\\|").replace("<", "&lt;").strip()


def fenced(text: str) -> str:
    """Return a docstring as Markdown: what follows `::` and a blank line is a block of code."""
    lines, out = text.split("\n"), []
    position = 0
    while position < len(lines):
        line = lines[position]
        position += 1
        if not line.rstrip().endswith("::"):
            out.append(line)
            continue
        out.append(line.rstrip()[:-1])
        block = []
        while position < len(lines) and (not lines[position] or lines[position].startswith(" ")):
            block.append(lines[position])
            position += 1
        code = textwrap.dedent("\n".join(block)).strip("\n")
        out += ["", "```text", code, "```", ""]
    return "\n".join(out)


# ---------------------------------------------------------------------- the command


def command_page() -> str:
    """Return the page of the `dobook` command, from its own help."""
    from dobook.cli import parser as make

    parser = make()
    parts = ["# The command\n", f"```text\n{plain_help(parser)}```\n"]
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for name, sub in action.choices.items():
                parts.append(f"## `dobook {name}`\n\n```text\n{plain_help(sub)}```\n")
    return "\n".join(parts)


def plain_help(parser: argparse.ArgumentParser) -> str:
    """Return a parser's help at a fixed width."""
    parser.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=96)
    return parser.format_help()


# ---------------------------------------------------------------------- modules


def module_page(module: Any, name: str, about: str, shown: set[int]) -> str:
    """Return a page that has Sphinx list a module's public names.

    Args:
        module: The module.
        name: What it is imported as.
        about: A sentence on it.
        shown: What earlier pages have listed; what this one lists is added.
    """
    names = [n for n in module.__all__ if documented(getattr(module, n))]
    parts = [f"# {name}\n", about + "\n", "```{eval-rst}"]
    for public in names:
        value = getattr(module, public)
        kind = "autoclass" if inspect.isclass(value) else "autofunction"
        parts.append(f".. {kind}:: {name}.{public}")
        if id(value) in shown:
            parts.append("   :no-index:")  # links lead to the first place
        shown.add(id(value))
        if kind == "autoclass":
            parts += ["   :members:", "   :inherited-members: Exception, BaseException, object"]
        parts.append("")
    parts.append("```")
    return "\n".join(parts) + "\n"


def class_page(page: str, about: str, classes: dict[str, str], shown: set[int]) -> str:
    """Return a page of classes that users hold without importing them, each with all its members.

    Args:
        page: The page's title.
        about: A sentence on them.
        classes: Where each class is defined, with the expression that gives one.
        shown: What earlier pages have listed; what this one lists is added.
    """
    parts = [f"# {page}\n", about + "\n"]
    for path, expression in classes.items():
        module, _, name = path.rpartition(".")
        shown.add(id(getattr(importlib.import_module(module), name)))
        parts += [f"\n## `{expression}`\n", "```{eval-rst}", f".. autoclass:: {path}"]
        parts += ["   :members:", "   :inherited-members: object", "```"]
    return "\n".join(parts) + "\n"


def documented(value: Any) -> bool:
    """Whether a public name is a class or a function, which Sphinx can show."""
    return inspect.isclass(value) or inspect.isroutine(value)
