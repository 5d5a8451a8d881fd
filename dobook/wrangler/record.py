"""What a runtime remembers of the Workers deployed to it: how far, which classes, under which keys.

On Cloudflare this is the Worker's migration tag and its Durable Object namespaces. Here it is kept
beside the objects, in memory or in the state directory, so that a migration is applied once.
"""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from dobook.errors import StateDirectoryError
from dobook.runtime.access import kernel_of
from dobook.runtime.runtime import Runtime
from dobook.storage.names import check_unique_key
from dobook.wrangler.configuration import Migration, Rename, Transfer

_KEY = "deployed"


@dataclass(frozen=True, slots=True)
class DeployedClass:
    """A class that a Worker has objects of.

    Attributes:
        name: What it is called now.
        unique_key: What its ids are derived from; stays when it is renamed or transferred.
        sqlite: Whether its objects have SQL; never changes.
    """

    name: str
    unique_key: str
    sqlite: bool


@dataclass(frozen=True, slots=True)
class Deployed:
    """One Worker as it was deployed last.

    Attributes:
        script: Its name.
        tag: The tag of the last migration that was applied; None before the first one.
        classes: Its classes.
        migrations: The migrations, as they were when they were applied.
    """

    script: str
    tag: str | None = None
    classes: tuple[DeployedClass, ...] = ()
    migrations: tuple[Migration, ...] = ()

    def find(self, name: str) -> DeployedClass | None:
        """Return a class by its name, or None."""
        return next((c for c in self.classes if c.name == name), None)


def read_all(runtime: Runtime) -> dict[str, Deployed]:
    """Return what was deployed, by the names of the Workers."""
    text = kernel_of(runtime).stores.note(_KEY)
    if text is None:
        return {}
    try:  # the note may come from a stranger's directory or snapshot
        return {str(name): _read(values) for name, values in json.loads(text).items()}
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise StateDirectoryError(
            "the state has a note of what was deployed to it that dobook did not write "
            f"({type(error).__name__}: {error!s:.200}). Begin with a new state directory."
        ) from error


def read(runtime: Runtime, script: str) -> Deployed:
    """Return what was deployed of a Worker; nothing if it never was."""
    return read_all(runtime).get(script, Deployed(script))


def write(runtime: Runtime, *changed: Deployed) -> None:
    """Remember what has been deployed."""
    known = read_all(runtime)
    if any(known.get(d.script, Deployed(d.script)) != d for d in changed):
        _write_all(runtime, {**known, **{d.script: d for d in changed}})


def rename_script(runtime: Runtime, old: str, new: str) -> None:
    """Call a Worker by another name; its classes keep their keys, so objects keep their ids."""
    known = read_all(runtime)
    if old in known:
        known[new] = dataclasses.replace(known.pop(old), script=new)
        _write_all(runtime, known)


def _write_all(runtime: Runtime, known: dict[str, Deployed]) -> None:
    text = json.dumps({name: dataclasses.asdict(d) for name, d in sorted(known.items())})
    kernel_of(runtime).stores.keep_note(_KEY, text)


def _read(values: dict[str, Any]) -> Deployed:
    return Deployed(
        _text(values["script"]),
        None if values["tag"] is None else _text(values["tag"]),
        tuple(_read_class(**c) for c in values["classes"]),
        tuple(_read_migration(m) for m in values["migrations"]),
    )


def _read_class(name: object, unique_key: object, sqlite: object) -> DeployedClass:
    if type(sqlite) is not bool:
        raise TypeError(f"sqlite is {sqlite!r:.80}")
    return DeployedClass(_text(name), check_unique_key(unique_key, "the state"), sqlite)


def _read_migration(values: dict[str, Any]) -> Migration:
    return Migration(
        _text(values["tag"]),
        tuple(map(_text, values["new_classes"])),
        tuple(map(_text, values["new_sqlite_classes"])),
        tuple(Rename(_text(r["source"]), _text(r["target"])) for r in values["renamed_classes"]),
        tuple(map(_text, values["deleted_classes"])),
        tuple(
            Transfer(**{key: _text(value) for key, value in t.items()})
            for t in values["transferred_classes"]
        ),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.80} is not text")
    return value
