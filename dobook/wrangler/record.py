"""What a runtime remembers of the Workers deployed to it: how far, which classes, under which keys.

On Cloudflare this is the Worker's migration tag and its Durable Object namespaces. Here it is kept
beside the objects, in memory or in the state directory, so that a migration is applied once.
"""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from dobook.runtime.runtime import Runtime
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
        """Return a class by its name, None if there is none."""
        return next((c for c in self.classes if c.name == name), None)


def read_all(runtime: Runtime) -> dict[str, Deployed]:
    """Return what was deployed, by the names of the Workers."""
    text = runtime.stores.note(_KEY)
    return {} if text is None else {name: _read(v) for name, v in json.loads(text).items()}


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
    runtime.stores.keep_note(_KEY, text)


def _read(values: dict[str, Any]) -> Deployed:
    return Deployed(
        values["script"],
        values["tag"],
        tuple(DeployedClass(**c) for c in values["classes"]),
        tuple(_read_migration(m) for m in values["migrations"]),
    )


def _read_migration(values: dict[str, Any]) -> Migration:
    return Migration(
        values["tag"],
        tuple(values["new_classes"]),
        tuple(values["new_sqlite_classes"]),
        tuple(Rename(**r) for r in values["renamed_classes"]),
        tuple(values["deleted_classes"]),
        tuple(Transfer(**t) for t in values["transferred_classes"]),
    )
