"""Names in a configuration that become the names of folders in a state directory.

The objects of a class are kept in a folder called after the Worker and the class. A configuration
may come from a stranger, so these names must not lead out of the directory. wrangler is stricter:
it takes lower-case letters, digits, dashes and underscores.
"""

from collections.abc import Iterator

from dobook.storage.names import flaw_of
from dobook.wrangler.configuration import Configuration


def unsafe_name(configuration: Configuration) -> str | None:
    """Return what is wrong with the first name that cannot be part of a folder's, None if nothing.

    Example:
        >>> unsafe_name(Configuration(name="../../x"))
        "the Worker's name '../../x' cannot be part of the name of a folder: it has a '/' in it."
    """
    for what, name in _names(configuration):
        # With what is put before or behind it: neither has to be whole on its own.
        flaw = flaw_of(f"{name}-Class") or flaw_of(f"worker-{name}")
        if flaw is not None:
            shown = repr(name) if len(name) <= 80 else f"{name[:80]!r}…"
            return f"{what} {shown} cannot be part of the name of a folder: {flaw}."
    return None


def _names(configuration: Configuration) -> Iterator[tuple[str, str]]:
    if configuration.name is not None:
        yield "the Worker's name", configuration.name
    for binding in configuration.durable_objects:
        yield "the class", binding.class_name
        if binding.script_name is not None:
            yield "the Worker's name", binding.script_name
    for migration in configuration.migrations:
        for name in (
            *migration.new_classes,
            *migration.new_sqlite_classes,
            *migration.deleted_classes,
            *(part for r in migration.renamed_classes for part in (r.source, r.target)),
            *(part for t in migration.transferred_classes for part in (t.source, t.target)),
        ):
            yield "the class", name
        for transfer in migration.transferred_classes:
            yield "the Worker's name", transfer.source_script
    for export in configuration.exports:
        yield "the class", export.class_name
        for other in (export.target, export.source_script):
            if other is not None:
                yield "the class or Worker", other
