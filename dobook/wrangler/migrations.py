"""What the migrations of a configuration do to the classes of a Worker, and what forbids it.

Pure: nothing is applied here. The errors are those of Cloudflare's API and of wrangler, with their
words and numbers where those are known.

Source: developers.cloudflare.com/durable-objects/reference/durable-objects-migrations/,
cloudflare/workers-sdk packages/deploy-helpers/src/deploy/helpers/durable.ts,
packages/wrangler/src/dev/class-names-sqlite.ts
"""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from dobook.errors import DeploymentError
from dobook.wrangler.configuration import Configuration, Migration, Rename
from dobook.wrangler.record import Deployed, DeployedClass

KEPT = "its storage is what it was created with, for good"


@dataclass
class Plan:
    """What a deployment will do.

    Attributes:
        deployed: The Worker as it will be.
        done: What happens to classes, one sentence each.
        deleted: The unique keys of classes whose objects are deleted.
        others: Other Workers that change, because a class leaves them.
        warnings: What may not be as meant.
    """

    deployed: Deployed
    done: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    others: list[Deployed] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def pending(
    configuration: Configuration, deployed: Deployed
) -> tuple[tuple[Migration, ...], list[str]]:
    """Return the migrations that have not been applied, and warnings, as wrangler works them out.

    Example:
        >>> from dobook.wrangler.configuration import Migration
        >>> two = Configuration(migrations=(Migration("v1"), Migration("v2")))
        >>> [m.tag for m in pending(two, Deployed("w", tag="v1"))[0]]
        ['v2']
    """
    migrations, tag = configuration.migrations, deployed.tag
    if tag is None or not migrations:
        return migrations, []
    at = next((i for i, m in enumerate(migrations) if m.tag == tag), None)
    if at is None:
        name = "wrangler.toml" if configuration.path is None else configuration.path.name
        return migrations, [
            f'The published script {deployed.script} has a migration tag "{tag}", which was not '
            f"found in your {name} file. You may have already deleted it. Applying all available "
            "migrations to the script..."
        ]
    applied = {m.tag: m for m in deployed.migrations}
    return migrations[at + 1 :], [
        f"migration {m.tag} was applied as it was then; what has changed in it since does nothing. "
        "Write a new migration instead."
        for m in migrations[: at + 1]
        if m.tag in applied and applied[m.tag] != m
    ]


def plan(
    configuration: Configuration,
    script: str,
    known: Mapping[str, Deployed],
    exported: Collection[str],
    *,
    complete: bool = True,
) -> Plan:
    """Return what deploying a configuration does.

    Args:
        configuration: The configuration.
        script: The Worker's name.
        known: All Workers that are deployed.
        exported: The names of the classes that the code has.
        complete: Whether the code is all there; False lets classes that are deployed be missing.

    Raises:
        DeploymentError: If Cloudflare would refuse.
    """
    deployed = known.get(script, Deployed(script))
    steps, warnings = pending(configuration, deployed)
    if configuration.exports:
        steps = (_from_exports(configuration, deployed),)
    found = Plan(deployed, warnings=warnings)
    for step in steps:
        _Step(found, step, configuration, known, exported).apply()
    classes = found.deployed.classes
    for binding in configuration.own_bindings:
        _check_binding(binding.class_name, classes, exported)
    if complete:
        for cls in classes:
            if cls.name not in exported:
                raise _advised(
                    DeploymentError(
                        f"New version of script does not export class '{cls.name}' which is "
                        "depended on by existing Durable Objects. Did you forget to include it? If "
                        "you renamed it, try a rename-class migration. If you want to delete all "
                        "the Durable Objects implemented by the class, you can use a delete-class "
                        "migration",
                        10064,
                    ),
                    f"Export {cls.name} again, or add a migration with renamed_classes or "
                    "deleted_classes.",
                )
    tag = configuration.migrations[-1].tag if configuration.migrations else deployed.tag
    fresh = [s for s in steps if s.tag and s.tag not in {m.tag for m in deployed.migrations}]
    migrations = (*deployed.migrations, *fresh)  # as they are when they are applied
    found.deployed = replace(found.deployed, tag=tag, migrations=migrations)
    return found


class _Step:
    """One migration on its way into a plan."""

    def __init__(
        self,
        found: Plan,
        step: Migration,
        configuration: Configuration,
        known: Mapping[str, Deployed],
        exported: Collection[str],
    ) -> None:
        self.plan = found
        self.step = step
        self.configuration = configuration
        self.known = known
        self.exported = exported
        self.label = f"{step.tag}: " if step.tag else ""
        self.classes = {c.name: c for c in found.deployed.classes}

    def apply(self) -> None:
        """Change the plan, in the order in which wrangler looks at a migration's parts."""
        for name in self.step.deleted_classes:
            self._delete(name)
        for rename in self.step.renamed_classes:
            self._rename(rename)
        for transfer in self.step.transferred_classes:
            self._transfer(transfer.source, transfer.source_script, transfer.target)
        for name in self.step.new_classes:
            self._create(name, sqlite=False)
        for name in self.step.new_sqlite_classes:
            self._create(name, sqlite=True)
        classes = tuple(self.classes.values())
        self.plan.deployed = replace(self.plan.deployed, classes=classes)

    def _delete(self, name: str) -> None:
        cls = self.classes.pop(name, None)
        if cls is None:
            raise _missing("deleted_classes", name, self.classes)
        if any(b.class_name == name for b in self.configuration.durable_objects):
            raise _advised(
                DeploymentError(
                    f"Cannot apply --delete-class migration to class '{name}' without also "
                    "removing the binding that references it.",
                    10061,
                ),
                f"Remove the entry with class_name {name!r} from durable_objects.bindings.",
            )
        self.plan.deleted.append(cls.unique_key)
        self.plan.done.append(f"{self.label}{name} is deleted, with all its objects and their data")

    def _rename(self, rename: Rename) -> None:
        cls = self.classes.get(rename.source)
        if cls is None:
            raise _missing("renamed_classes", rename.source, self.classes)
        self._check_free("rename-class", rename.target)
        self._check_exported("rename-class", rename.target)
        del self.classes[rename.source]
        self.classes[rename.target] = replace(cls, name=rename.target)
        self.plan.done.append(
            f"{self.label}{rename.source} is now {rename.target}; objects, ids and data stay"
        )

    def _transfer(self, source: str, script: str, target: str) -> None:
        other = next((d for d in self.plan.others if d.script == script), self.known.get(script))
        cls = None if other is None else other.find(source)
        if other is None or cls is None:
            raise _advised(
                DeploymentError(
                    f"Cannot apply transfer-class migration from class '{source}' of script "
                    f"'{script}', which does not exist."
                ),
                "Deploy that Worker to this runtime first.",
            )
        self._check_free("transfer-class", target)
        self._check_exported("transfer-class", target)
        self.classes[target] = replace(cls, name=target)
        rest = tuple(c for c in other.classes if c is not cls)
        others = [d for d in self.plan.others if d.script != script]
        self.plan.others = [*others, replace(other, classes=rest)]
        self.plan.done.append(
            f"{self.label}{source} of {script} is now {target} of this Worker; objects, ids and "
            "data come along"
        )

    def _create(self, name: str, *, sqlite: bool) -> None:
        kind = "new-sqlite-class" if sqlite else "new-class"
        self._check_free(kind, name)
        self._check_exported(kind, name)
        script = self.plan.deployed.script
        taken = {c.unique_key for d in self.known.values() for c in d.classes}
        taken |= {c.unique_key for c in self.classes.values()}
        taken -= set(self.plan.deleted)
        key, number = f"{script}-{name}", 1
        while key in taken:
            number += 1
            key = f"{script}-{name}-{number}"
        self.classes[name] = DeployedClass(name, key, sqlite)
        storage = "SQLite and key-value" if sqlite else "key-value alone"
        self.plan.done.append(f"{self.label}{name} is new, with storage: {storage}")

    def _check_free(self, kind: str, name: str) -> None:
        cls = self.classes.get(name)
        if cls is None:
            return
        advice = f"{name} is there already: leave it out of the new migration."
        if kind in ("new-class", "new-sqlite-class"):
            code = 10074
            if cls.sqlite != (kind == "new-sqlite-class"):
                has, wants = ("SQLite", "key-value") if cls.sqlite else ("key-value", "SQLite")
                made = "new_sqlite_classes" if cls.sqlite else "new_classes"
                advice = (
                    f"{name} has {has} storage (from {made}), and {KEPT}. For {wants} storage use "
                    f"a class of another name, or delete {name} with its data in one deployment "
                    "and create it in the next."
                )
        else:
            code = None
            advice = f"Delete {name} in an earlier migration, or choose another name."
        raise _advised(
            DeploymentError(
                f"Cannot apply {kind} migration to class '{name}' that is already depended on by "
                "existing Durable Objects",
                code,
            ),
            advice,
        )

    def _check_exported(self, kind: str, name: str) -> None:
        if name not in self.exported and not self._goes_on(name):
            code = 10070 if kind.startswith("new-") else None
            raise _advised(
                DeploymentError(
                    f"Cannot apply {kind} migration to class '{name}' that is not exported by "
                    "script.",
                    code,
                ),
                f"Define the class {name} in the entry module, or import it there.",
            )

    def _goes_on(self, name: str) -> bool:
        """Return whether a later migration renames or deletes a class, so that nobody needs it."""
        later = self.configuration.migrations
        tags = [m.tag for m in later]
        rest = later[tags.index(self.step.tag) + 1 :] if self.step.tag in tags else ()
        return any(
            name in m.deleted_classes or name in [r.source for r in m.renamed_classes] for m in rest
        )


def _from_exports(configuration: Configuration, deployed: Deployed) -> Migration:
    """Return the one step that leads from what is deployed to what `exports` declares."""
    exports = {e.class_name: e for e in configuration.exports}
    renames = tuple(
        Rename(e.class_name, e.target)
        for e in configuration.exports
        if e.state == "renamed" and e.target is not None and deployed.find(e.class_name)
    )
    targets = {r.target for r in renames}
    created: dict[bool, list[str]] = {True: [], False: []}
    for export in configuration.exports:
        cls = deployed.find(export.class_name)
        sqlite = export.storage == "sqlite"
        if not export.lives or export.class_name in targets:
            continue
        if cls is None:
            created[sqlite].append(export.class_name)
        elif cls.sqlite != sqlite:
            raise _advised(
                DeploymentError(
                    f"`exports` gives class '{cls.name}' the storage \"{export.storage}\", and it "
                    f'was created with "{"sqlite" if cls.sqlite else "legacy-kv"}".'
                ),
                f"A class keeps {KEPT.removeprefix('its ')}; use a class of another name.",
            )
    for cls in deployed.classes:
        if cls.name not in exports:
            raise _advised(
                DeploymentError(
                    f"`exports` says nothing of class '{cls.name}', which existing Durable Objects "
                    "depend on."
                ),
                f'Add {cls.name} with its storage, or with "state": "deleted" or "renamed".',
            )
    deleted = [
        e.class_name
        for e in configuration.exports
        if e.state == "deleted" and deployed.find(e.class_name)
    ]
    return Migration(
        "",
        new_classes=tuple(created[False]),
        new_sqlite_classes=tuple(created[True]),
        renamed_classes=renames,
        deleted_classes=tuple(deleted),
    )


def _check_binding(
    name: str, classes: Collection[DeployedClass], exported: Collection[str]
) -> None:
    known = [c.name for c in classes]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
        hint = f"Did you mean {near[0]!r}? Otherwise the" if near else "The"
        raise _advised(
            DeploymentError(
                f"Cannot create binding for class '{name}' because it is not currently configured "
                "to implement Durable Objects. Ensure a --new-class migration has been applied to "
                "it.",
                10061,
            ),
            f"{hint} migration is missing. Add it to the configuration: [[migrations]] tag = "
            f'"…", new_sqlite_classes = ["{name}"]',
        )
    if name not in exported:
        raise _advised(
            DeploymentError(
                f"Cannot create binding for class {name} that is not exported by the script", 10061
            ),
            f"Define the class {name} in the entry module, or import it there.",
        )


def _missing(kind: str, name: str, classes: Collection[str]) -> DeploymentError:
    there = ", ".join(classes) or "no class"
    return _advised(
        DeploymentError(f"Cannot apply {kind} migration to non-existent class {name}"),
        f"At this point of the migrations there is: {there}.",
    )


def _advised(error: DeploymentError, advice: str) -> DeploymentError:
    error.add_note(advice)
    return error
