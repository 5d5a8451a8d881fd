"""The notebook's Worker: its wrangler configuration, kept for you or given by a cell.

Without a `%%wrangler` cell the configuration is kept: each new class gets a binding and a
migration. With one, that cell's text is the configuration, and nothing is added to it.
"""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dobook.errors import DobookError, UnknownNameError, UsageError
from dobook.runtime.access import kernel_of
from dobook.runtime.registry import default_binding
from dobook.wrangler import (
    Configuration,
    Deployment,
    DurableObjectBinding,
    Migration,
    Rename,
    deploy,
)
from dobook.wrangler.record import Deployed, read, read_all, rename_script

if TYPE_CHECKING:
    from dobook.notebook.core.definitions import Definition
    from dobook.notebook.core.session import Session
    from dobook.runtime.runtime import Runtime

_NAME = "notebook_worker"  # under which the name is kept that a %%wrangler cell gave


class Deployer:
    """Deploys what the cells of a notebook have defined.

    Args:
        session: The notebook's session.

    Attributes:
        given: The configuration of a `%%wrangler` cell, None while it is kept.
        last: What the last deployment has done.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self.given: Configuration | None = None
        self.last: Deployment | None = None
        self._extra: tuple[Migration, ...] = ()  # on their way into the kept configuration

    @property
    def configuration(self) -> Configuration:
        """The configuration in force."""
        return self.given or self.kept(self._session.runtime, self._session.definitions)

    def known(self, runtime: "Runtime") -> Deployed:
        """Return what of the notebook's Worker is deployed to a runtime."""
        return read(runtime, self._script(runtime))

    def _script(self, runtime: "Runtime") -> str:
        if self.given is not None and self.given.name is not None:
            return self.given.name
        if name := kernel_of(runtime).stores.note(_NAME):
            return str(name)
        names = [name for name in read_all(runtime) if name not in self._session.projects.names]
        return names[0] if len(names) == 1 else kernel_of(runtime).worker

    def kept(self, runtime: "Runtime", definitions: Mapping[str, "Definition"]) -> Configuration:
        """Return the configuration that the classes of the cells need.

        Raises:
            UsageError: If two classes have the same binding.
        """
        known = self.known(runtime)
        migrations = [*known.migrations]
        storage = {c.name: "sqlite" if c.sqlite else "kv" for c in known.classes}
        for step in self._extra:
            migrations.append(dataclasses.replace(step, tag=_next_tag(migrations)))
            for rename in step.renamed_classes:
                storage[rename.target] = storage.pop(rename.source, "sqlite")
            for name in step.deleted_classes:
                storage.pop(name, None)
        bindings: dict[str, str] = {}
        for name, definition in definitions.items():
            binding = definition.binding or default_binding(name)
            if binding in bindings:
                raise UsageError(
                    f"{binding} is the binding of {bindings[binding]} already. Choose another one "
                    f"for {name}: %%durable_object --binding NAME."
                )
            bindings[binding] = name
            wanted = definition.storage or storage.get(name, "sqlite")
            if storage.get(name) != wanted:
                new = Migration(_next_tag(migrations))
                migrations.append(
                    dataclasses.replace(new, new_sqlite_classes=(name,))
                    if wanted == "sqlite"
                    else dataclasses.replace(new, new_classes=(name,))
                )
        return Configuration(
            name=known.script,
            durable_objects=tuple(DurableObjectBinding(b, c) for b, c in bindings.items()),
            migrations=tuple(migrations),
        )

    # ------------------------------------------------------------------ deploying

    def deploy(
        self, runtime: "Runtime", definitions: Mapping[str, "Definition"], *extra: Migration
    ) -> Deployment:
        """Deploy the classes of the cells.

        Args:
            runtime: Where to.
            definitions: The classes.
            extra: Migrations to add to a kept configuration; their tags are chosen.

        Raises:
            DeploymentError: If Cloudflare would refuse; nothing has changed then.
        """
        self._extra = extra
        try:
            configuration = self.given or self.kept(runtime, definitions)
            script = self._script(runtime)
            adopted = script not in read_all(runtime) and script != kernel_of(runtime).worker
            if adopted:  # the notebook's Worker, which had no name of its own so far
                rename_script(runtime, kernel_of(runtime).worker, script)
            try:
                self.last = deploy(
                    runtime,
                    dataclasses.replace(configuration, name=script),
                    {name: d.cls for name, d in definitions.items()},
                    complete=False,
                )
            except DobookError:
                if adopted:
                    rename_script(runtime, script, kernel_of(runtime).worker)
                raise
            if self.given is not None and kernel_of(runtime).stores.note(_NAME) != script:
                kernel_of(runtime).stores.keep_note(_NAME, script)
        finally:
            self._extra = ()
        return self.last

    def apply(self, configuration: Configuration | None) -> Deployment:
        """Take a configuration as it is given, or go back to keeping it (None).

        Raises:
            DeploymentError: If Cloudflare would refuse; the one before stays in force.
        """
        before, self.given = self.given, configuration
        try:
            return self.deploy(self._session.runtime, self._session.definitions)
        except DobookError:
            self.given = before
            raise

    def described(self) -> str:
        """Return where a given configuration stands, as people read it; "" while it is kept."""
        if self.given is None or self.last is None:
            return ""
        text = f"of a %%wrangler cell, applied up to {self.last.tag or 'nothing yet'}"
        if self.last.waiting:
            text += f"; waiting for {', '.join(self.last.waiting)}"
        return text

    def delete(self, name: str) -> Deployment:
        """Delete a class with its objects, in a configuration that is kept.

        Raises:
            UsageError: If the configuration is given: it has to list the class itself.
            UnknownNameError: If there is no such class.
        """
        session = self._session
        if self.given is not None:
            raise UsageError(
                "the configuration is the one of a %%wrangler cell. Add a migration with "
                f'deleted_classes = ["{name}"] there.'
            )
        known = [c.name for c in self.known(session.runtime).classes]
        if name not in known:
            raise UnknownNameError("class", name, known)
        rest = {n: d for n, d in session.definitions.items() if n != name}
        done = self.deploy(session.runtime, rest, Migration("", deleted_classes=(name,)))
        session.definitions = rest
        return done


def rename(source: str, target: str) -> Migration:
    """Return the migration that renames a class; its tag is still to be chosen."""
    return Migration("", renamed_classes=(Rename(source, target),))


def origin(configuration: Configuration, name: str) -> str:
    """Return which migration gave a class its present name, as people read it; "" if none did."""
    for migration in reversed(configuration.migrations):
        for found, kind in (
            (name in migration.new_sqlite_classes, "new_sqlite_classes"),
            (name in migration.new_classes, "new_classes"),
            (name in [r.target for r in migration.renamed_classes], "renamed_classes"),
            (name in [t.target for t in migration.transferred_classes], "transferred_classes"),
        ):
            if found:
                return f"{migration.tag}: {kind}"
    return ""


def _next_tag(migrations: list[Migration]) -> str:
    tags = {m.tag for m in migrations}
    number = len(migrations) + 1
    while f"v{number}" in tags:
        number += 1
    return f"v{number}"
