"""A configuration as text again, in TOML or in JSON with comments; the same text every time."""

import json
from typing import Any

from dobook.wrangler.configuration import Configuration, Export, Migration

_WIDTH = 96


def to_jsonc(configuration: Configuration) -> str:
    """Return a configuration as the text of a `wrangler.jsonc`.

    Example:
        >>> print(to_jsonc(Configuration(name="chat", main="src/entry.py")), end="")
        {
          "name": "chat",
          "main": "src/entry.py"
        }
    """
    return json_text(as_values(configuration))


def json_text(values: dict[str, Any]) -> str:
    """Return values as JSON whose short lists and objects stay on one line.

    Example:
        >>> print(json_text({"tags": ["a", "b"]}), end="")
        {
          "tags": ["a", "b"]
        }
    """
    return _json(values, 0, top=True) + "\n"


def to_toml(configuration: Configuration) -> str:
    """Return a configuration as the text of a `wrangler.toml`.

    Example:
        >>> print(to_toml(Configuration(name="chat", vars={"A": "x"})), end="")
        name = "chat"
        <BLANKLINE>
        [vars]
        A = "x"
    """
    values = as_values(configuration)
    parts = ["".join(f"{k} = {_toml(v)}\n" for k, v in values.items() if not _apart(v))]
    for key, value in values.items():
        if isinstance(value, dict):
            parts += _table(key, value)
        elif _apart(value):
            parts += [f"[[{key}]]\n" + _lines(entry) for entry in value]
    return "\n".join(filter(None, parts))


def as_values(configuration: Configuration) -> dict[str, Any]:
    """Return a configuration as the plain values of its file; what is empty is left out."""
    found = {
        "name": configuration.name,
        "main": configuration.main,
        "compatibility_date": configuration.compatibility_date,
        "compatibility_flags": list(configuration.compatibility_flags),
        "vars": dict(configuration.vars),
        "durable_objects": _filled(
            bindings=[
                _filled(name=b.name, class_name=b.class_name, script_name=b.script_name)
                for b in configuration.durable_objects
            ]
        ),
        "migrations": [_migration(m) for m in configuration.migrations],
        "exports": {e.class_name: _export(e) for e in configuration.exports},
        "triggers": _filled(crons=list(configuration.crons)),
        "services": [
            _filled(
                binding=s.binding,
                service=s.service,
                entrypoint=s.entrypoint,
                props=None if s.props is None else dict(s.props),
            )
            for s in configuration.services
        ],
        "rules": [{"type": r.type, "globs": list(r.globs)} for r in configuration.rules],
    }
    if configuration.assets is not None:
        assets = configuration.assets
        first = assets.run_worker_first
        found["assets"] = _filled(
            directory=assets.directory,
            binding=assets.binding,
            not_found_handling=assets.not_found_handling,
            html_handling=assets.html_handling,
            run_worker_first=list(first) if isinstance(first, tuple) else first or None,
        )
    return _filled(**found)


def _json(value: object, depth: int, *, top: bool = False) -> str:
    inline = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value:
        return inline
    if not top and len(inline) + 2 * depth <= _WIDTH:
        if isinstance(value, list):
            if not isinstance(value[0], dict):
                return inline
        elif not any(isinstance(v, dict) for v in value.values()):
            inside = ", ".join(f"{json.dumps(k)}: {_json(v, 0)}" for k, v in value.items())
            if "\n" not in inside:
                return f"{{ {inside} }}"
    margin, end = "  " * (depth + 1), "  " * depth
    if isinstance(value, list):
        lines = [margin + _json(v, depth + 1) for v in value]
        return "[\n" + ",\n".join(lines) + f"\n{end}]"
    lines = [f"{margin}{json.dumps(k)}: {_json(v, depth + 1)}" for k, v in value.items()]
    return "{\n" + ",\n".join(lines) + f"\n{end}}}"


def _migration(migration: Migration) -> dict[str, Any]:
    return _filled(
        tag=migration.tag,
        new_classes=list(migration.new_classes),
        new_sqlite_classes=list(migration.new_sqlite_classes),
        renamed_classes=[{"from": r.source, "to": r.target} for r in migration.renamed_classes],
        deleted_classes=list(migration.deleted_classes),
        transferred_classes=[
            {"from": t.source, "from_script": t.source_script, "to": t.target}
            for t in migration.transferred_classes
        ],
    )


def _export(export: Export) -> dict[str, Any]:
    names = {"renamed": "renamed_to", "transferred": "transferred_to"}
    target = {names[export.state]: export.target} if export.state in names else {}
    return _filled(
        type="durable-object",
        state=None if export.state == "created" else export.state,
        storage=export.storage,
        transfer_from=export.source_script,
        **target,
    )


def _filled(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, [], {}, "")}


def _apart(value: object) -> bool:
    """Return whether a value has a header of its own in TOML."""
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], dict)
    return isinstance(value, dict)


def _table(key: str, values: dict[str, Any]) -> list[str]:
    inner = {k: v for k, v in values.items() if isinstance(v, list) and _apart(v)}
    plain = {k: v for k, v in values.items() if k not in inner}
    parts = [f"[{key}]\n" + _lines(plain)] if plain else []
    return parts + [f"[[{key}.{k}]]\n" + _lines(e) for k, v in inner.items() for e in v]


def _lines(values: dict[str, Any]) -> str:
    return "".join(f"{_key(key)} = {_toml(value)}\n" for key, value in values.items())


def _key(key: str) -> str:
    return key if key and all(c.isalnum() or c in "_-" for c in key) else json.dumps(key)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(k)} = {_toml(v)}" for k, v in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str | bool | int):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
