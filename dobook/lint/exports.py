"""What `ctx.exports` has under the names that code uses: whether it exists, and has storage.

Source: developers.cloudflare.com/workers/runtime-apis/context/#exports
"""

import ast
from collections.abc import Iterator, Sequence

from dobook.errors import DeploymentError, suggest
from dobook.lint.findings import Finding, silenced
from dobook.lint.sources import Names, Source, chain
from dobook.wrangler import Configuration
from dobook.wrangler.configuration import EXPORTS_SINCE
from dobook.wrangler.migrations import plan

_RULE = "exports"


def check_exports(
    configuration: Configuration, sources: Sequence[Source], names: Names, objects: Sequence[str]
) -> Iterator[Finding]:
    """Find uses of `ctx.exports` that would fail on Cloudflare.

    Args:
        configuration: The Worker's configuration.
        sources: Its code.
        names: What the names in it stand for.
        objects: The classes of objects that are deployed.
    """
    stored = _stored(configuration, objects)
    entrypoints = [n for n, kind in names.kinds.items() if kind == "WorkerEntrypoint"]
    known = ["default", *(n for n in entrypoints if n != "Default"), *objects]
    for source, node, name in _uses(sources):
        what = f"ctx.exports.{name}"
        if not configuration.has_exports:
            if "disable_ctx_exports" in configuration.compatibility_flags:
                why = "The flag disable_ctx_exports is set: AttributeError."
                fix = "Remove the flag."
            else:
                why = (
                    f"With a compatibility_date before {EXPORTS_SINCE} there is no ctx.exports: "
                    "AttributeError."
                )
                fix = "Set a later compatibility_date, or the flag enable_ctx_exports."
        elif name not in known:
            why = "The entry module has no such class: AttributeError."
            fix = suggest(name, known)
        elif name in objects and name not in stored:
            why = "The class has no storage, and so no objects that can be named: AttributeError."
            fix = f'Add a migration: "new_sqlite_classes": ["{name}"]'
        else:
            continue
        if not silenced(source.lines, node.lineno):
            yield Finding(source.name, node.lineno + source.shift, _RULE, what, why, fix)


def used_exports(sources: Sequence[Source]) -> set[str]:
    """Return the names that code takes from `ctx.exports`."""
    return {name for _, _, name in _uses(sources)}


def _uses(sources: Sequence[Source]) -> Iterator[tuple[Source, ast.Attribute, str]]:
    for source in sources:
        for statement in source.body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Attribute) and chain(node)[-3:-1] == ["ctx", "exports"]:
                    yield source, node, node.attr


def _stored(configuration: Configuration, objects: Sequence[str]) -> set[str]:
    bound = {b.class_name for b in configuration.own_bindings}
    try:
        planned = plan(configuration, configuration.name or "worker", {}, objects)
    except DeploymentError:  # which is another finding
        return {*objects}
    return bound | {c.name for c in planned.deployed.classes}
