"""From plain values to a `Configuration`: each value is checked, each error has its line."""

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dobook.errors import suggest
from dobook.wrangler import keys
from dobook.wrangler.configuration import (
    Assets,
    Configuration,
    DurableObjectBinding,
    Export,
    Migration,
    Rename,
    Rule,
    ServiceBinding,
    Transfer,
    UnsupportedBinding,
)
from dobook.wrangler.reading import Place, Source
from dobook.wrangler.segments import unsafe_name

_ALMOST = 0.8  # so alike are words of which one is a misspelling


class Reader:
    """Reads one environment of a configuration.

    Args:
        source: The configuration's text.
        environment: The environment; None for the top level.

    Raises:
        ConfigurationError: From `read`, if a value is missing, of the wrong kind or misspelt.
    """

    def __init__(self, source: Source, environment: str | None) -> None:
        self.source = source
        self.environment = environment
        self.warnings: list[str] = []

    def read(self) -> Configuration:
        """Return the configuration of the environment."""
        values = self.source.values
        self.check_keys(values, (), (*keys.INHERITED, *keys.NOT_INHERITED, *keys.TOP_LEVEL))
        environments = self.table(values, (), "env")
        for name in environments:
            part = self.table(environments, ("env",), name)
            self.check_keys(part, ("env", name), (*keys.INHERITED, *keys.NOT_INHERITED))
        if self.environment is None:
            found = self._read(values, ())
        else:
            found = self._read_environment(values, environments, self.environment)
        unsafe = unsafe_name(found)
        if unsafe is not None:
            raise self.source.error(unsafe)
        return dataclasses.replace(
            found,
            environment=self.environment,
            environments=tuple(environments),
            path=self.source.path,
            warnings=tuple(self.warnings),
        )

    def _read_environment(
        self, values: Mapping[str, Any], environments: Mapping[str, Any], name: str
    ) -> Configuration:
        if name not in environments:
            raise self.source.error(
                f"there is no environment {name!r}. {suggest(name, environments)}", ("env",)
            )
        own = environments[name]
        inherited = [key for key in keys.INHERITED if key in values and key not in own]
        top = self._read({key: values[key] for key in inherited}, ())
        found = self._read(own, ("env", name))
        if "migrations" in own:
            self.warn(
                "migrations belong to the Worker as a whole; keep them at the top level.",
                ("env", name, "migrations"),
            )
        for key in ("vars", "durable_objects", "services", *keys.UNSUPPORTED):
            if key in values and key not in own:
                self.warn(
                    f"{key!r} is not inherited: the environment {name!r} has none of it. Repeat "
                    f"it under env.{name}.",
                    (key,),
                )
        fields = {"crons": "triggers"}
        changes = {
            f.name: getattr(top, f.name)
            for f in dataclasses.fields(top)
            if fields.get(f.name, f.name) in inherited
        }
        if "name" not in own and top.name is not None:
            changes["name"] = f"{top.name}-{name}"
        return dataclasses.replace(found, **changes)

    def _read(self, values: Mapping[str, Any], at: Place) -> Configuration:
        durable_objects = self._durable_objects(values, at)
        migrations = self._migrations(values, at)
        exports = self._exports(values, at)
        if migrations and exports:
            raise self.source.error(
                "`migrations` and `exports` are mutually exclusive. Choose one or the other to "
                "declare your Durable Object lifecycle, but not both.",
                (*at, "exports"),
            )
        return Configuration(
            name=self.text(values, at, "name"),
            main=self.text(values, at, "main"),
            compatibility_date=self.date(values, at),
            compatibility_flags=self.texts(values, at, "compatibility_flags"),
            vars=dict(self.table(values, at, "vars")),
            durable_objects=durable_objects,
            migrations=migrations,
            exports=exports,
            crons=self.texts(self.table(values, at, "triggers"), (*at, "triggers"), "crons"),
            services=tuple(
                ServiceBinding(
                    self.needed(entry, place, "binding", "services"),
                    self.needed(entry, place, "service", "services"),
                    self.text(entry, place, "entrypoint"),
                    self.table(entry, place, "props") or None,
                )
                for entry, place in self.entries(values, at, "services")
            ),
            queue_consumers=tuple(
                self.needed(entry, place, "queue", "queues.consumers")
                for entry, place in self.entries(
                    self.table(values, at, "queues"), (*at, "queues"), "consumers"
                )
            ),
            assets=self._assets(values, at),
            rules=tuple(
                Rule(self.needed(entry, place, "type", "rules"), self.texts(entry, place, "globs"))
                for entry, place in self.entries(values, at, "rules")
            ),
            build_command=self.text(self.table(values, at, "build"), (*at, "build"), "command"),
            unsupported=tuple(self._unsupported(values, at)),
        )

    # ------------------------------------------------------------------ Durable Objects

    def _durable_objects(
        self, values: Mapping[str, Any], at: Place
    ) -> tuple[DurableObjectBinding, ...]:
        table = self.table(values, at, "durable_objects")
        at = (*at, "durable_objects")
        self.check_keys(table, at, ("bindings",))
        found: list[DurableObjectBinding] = []
        for entry, place in self.entries(table, at, "bindings"):
            self.check_keys(entry, place, ("name", "class_name", "script_name", "environment"))
            what = "durable_objects.bindings"
            name = self.needed(entry, place, "name", what)
            if not name.isidentifier():
                raise self.source.error(
                    f"{name!r} cannot be a binding: env.{name} could not be written.",
                    (*place, "name"),
                )
            if any(b.name == name for b in found):
                raise self.source.error(f"{name} is bound twice.", place)
            script = self.text(entry, place, "script_name")
            if script is None and "environment" in entry:
                raise self.source.error(
                    'binding should have a "script_name" field if "environment" is present.', place
                )
            if script is not None and (environment := self.text(entry, place, "environment")):
                script = f"{script}-{environment}"
            class_name = self.needed(entry, place, "class_name", what)
            found.append(DurableObjectBinding(name, class_name, script))
        return tuple(found)

    def _migrations(self, values: Mapping[str, Any], at: Place) -> tuple[Migration, ...]:
        found: list[Migration] = []
        for entry, place in self.entries(values, at, "migrations"):
            self.check_keys(entry, place, keys.MIGRATION)
            tag = self.needed(entry, place, "tag", "migrations")
            if any(m.tag == tag for m in found):
                raise self.source.error(
                    f"two migrations have the tag {tag!r}. A tag says how far a Worker has come; "
                    "give the later one another tag.",
                    (*place, "tag"),
                )
            migration = Migration(
                tag,
                new_classes=self.texts(entry, place, "new_classes"),
                new_sqlite_classes=self.texts(entry, place, "new_sqlite_classes"),
                renamed_classes=tuple(
                    Rename(
                        self.needed(e, p, "from", "renamed_classes"),
                        self.needed(e, p, "to", "renamed_classes"),
                    )
                    for e, p in self.entries(entry, place, "renamed_classes")
                ),
                deleted_classes=self.texts(entry, place, "deleted_classes"),
                transferred_classes=tuple(
                    Transfer(
                        self.needed(e, p, "from", "transferred_classes"),
                        self.needed(e, p, "from_script", "transferred_classes"),
                        self.needed(e, p, "to", "transferred_classes"),
                    )
                    for e, p in self.entries(entry, place, "transferred_classes")
                ),
            )
            found.append(migration)
        return tuple(found)

    def _exports(self, values: Mapping[str, Any], at: Place) -> tuple[Export, ...]:
        table = self.table(values, at, "exports")
        at = (*at, "exports")
        found = []
        for name in table:
            entry, place = self.table(table, at, name), (*at, name)
            if self.needed(entry, place, "type", "exports") != "durable-object":
                continue
            state = self.text(entry, place, "state") or "created"
            names = {"renamed": "renamed_to", "transferred": "transferred_to"}
            if state not in ("created", "expecting-transfer", "deleted", *names):
                raise self.source.error(
                    f"{state!r} is not a state of an export.", (*place, "state")
                )
            storage: Any = None
            if state in ("created", "expecting-transfer"):
                storage = self.needed(entry, place, "storage", "exports")
                if storage not in ("sqlite", "legacy-kv"):
                    raise self.source.error(
                        f'storage is "sqlite" or "legacy-kv", not {storage!r}.', (*place, "storage")
                    )
            target = self.needed(entry, place, names[state], "exports") if state in names else None
            source = (
                self.needed(entry, place, "transfer_from", "exports")
                if state == "expecting-transfer"
                else None
            )
            found.append(Export(name, state, storage, target, source))
        return tuple(found)

    # ------------------------------------------------------------------ other parts

    def _assets(self, values: Mapping[str, Any], at: Place) -> Assets | None:
        if "assets" not in values:
            return None
        table, at = self.table(values, at, "assets"), (*at, "assets")
        first = table.get("run_worker_first", False)
        return Assets(
            directory=self.text(table, at, "directory"),
            binding=self.text(table, at, "binding"),
            not_found_handling=self.text(table, at, "not_found_handling"),
            html_handling=self.text(table, at, "html_handling"),
            run_worker_first=first
            if isinstance(first, bool)
            else self.texts(table, at, "run_worker_first"),
        )

    def _unsupported(self, values: Mapping[str, Any], at: Place) -> Iterable[UnsupportedBinding]:
        for key, (names, kind) in keys.UNSUPPORTED.items():
            if key not in values:
                continue
            if names == "":
                name = self.text(self.table(values, at, key), (*at, key), "binding")
                if name is not None:
                    yield UnsupportedBinding(name, kind)
                continue
            if key == "send_email" and isinstance(values[key], Mapping):
                continue
            for entry, where in self.entries(values, at, key):
                yield UnsupportedBinding(self.needed(entry, where, names, key), kind)
        queues = self.table(values, at, "queues")
        for entry, where in self.entries(queues, (*at, "queues"), "producers"):
            yield UnsupportedBinding(
                self.needed(entry, where, "binding", "queues.producers"), "Queues"
            )

    # ------------------------------------------------------------------ single values

    def warn(self, message: str, place: Place) -> None:
        """Warn of what works, but perhaps not as meant."""
        self.warnings.append(self.source.remark(message, place))

    def check_keys(self, table: Mapping[str, Any], at: Place, known: Sequence[str]) -> None:
        """Complain of a misspelt key, warn of an unknown one.

        Raises:
            ConfigurationError: If a key is almost one that wrangler knows.
        """
        for key in table:
            if key in known:
                continue
            where = ".".join(str(p) for p in at if not isinstance(p, int)) or "the configuration"
            text = f"{where} has no key {key!r}."
            if difflib.get_close_matches(key.lower(), known, n=1, cutoff=_ALMOST):
                raise self.source.error(f"{text} {suggest(key, known)}", (*at, key))
            self.warn(f"{text} It is ignored, as wrangler does.", (*at, key))

    def table(self, values: Mapping[str, Any], at: Place, key: str) -> Mapping[str, Any]:
        """Return a table, empty if it is not there."""
        found = values.get(key)
        if found is None:
            return {}
        if not isinstance(found, Mapping):
            raise self.source.error(f"{key!r} is a table of keys, not {found!r:.60}", (*at, key))
        return found

    def entries(
        self, values: Mapping[str, Any], at: Place, key: str
    ) -> list[tuple[Mapping[str, Any], Place]]:
        """Return the tables of a list, each with its place."""
        found = values.get(key)
        if found is None:
            return []
        if not isinstance(found, list):
            raise self.source.error(f"{key!r} is a list, not {found!r:.60}", (*at, key))
        places = [((*at, key, index), entry) for index, entry in enumerate(found)]
        for place, entry in places:
            if not isinstance(entry, Mapping):
                raise self.source.error(f"{key!r} is a list of tables, not {entry!r:.60}", place)
        return [(entry, place) for place, entry in places]

    def texts(self, values: Mapping[str, Any], at: Place, key: str) -> tuple[str, ...]:
        """Return a list of texts, empty if it is not there."""
        found = values.get(key)
        if found is None:
            return ()
        if not isinstance(found, list) or not all(isinstance(v, str) for v in found):
            raise self.source.error(f"{key!r} is a list of texts, not {found!r:.60}", (*at, key))
        return tuple(found)

    def text(self, values: Mapping[str, Any], at: Place, key: str) -> str | None:
        """Return a text, None if it is not there."""
        found = values.get(key)
        if found is not None and not isinstance(found, str):
            raise self.source.error(f"{key!r} is a text, not {found!r:.60}", (*at, key))
        return found

    def needed(self, values: Mapping[str, Any], at: Place, key: str, of: str) -> str:
        """Return a text that has to be there."""
        found = self.text(values, at, key)
        if not found:
            near = difflib.get_close_matches(key, values.keys() - {key}, n=1, cutoff=0.6)
            hint = f" Did you mean it by {near[0]!r}?" if near else ""
            raise self.source.error(f"an entry of {of} needs {key!r}.{hint}", at)
        return found

    def date(self, values: Mapping[str, Any], at: Place) -> str | None:
        """Return the compatibility date, also where TOML has read it as a date."""
        found = values.get("compatibility_date")
        if found is not None and hasattr(found, "isoformat"):
            return str(found.isoformat())
        return self.text(values, at, "compatibility_date")
