"""wrangler's configuration: reading it, and deploying a Worker's classes as it says.

Example:
    >>> configuration = parse('''
    ... name = "chat"
    ... [[durable_objects.bindings]]
    ... name = "ROOM"
    ... class_name = "Room"
    ... [[migrations]]
    ... tag = "v1"
    ... new_sqlite_classes = ["Room"]
    ... ''')
    >>> configuration.durable_objects[0].class_name, configuration.migrations[0].tag
    ('Room', 'v1')

Source: developers.cloudflare.com/workers/wrangler/configuration/
"""

from pathlib import Path

from dobook.errors import ConfigurationError
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
from dobook.wrangler.deployment import Deployment, deploy
from dobook.wrangler.reading import Format, Source
from dobook.wrangler.validation import Reader

__all__ = [
    "Assets",
    "Configuration",
    "Deployment",
    "DurableObjectBinding",
    "Export",
    "Migration",
    "Rename",
    "Rule",
    "ServiceBinding",
    "Transfer",
    "UnsupportedBinding",
    "deploy",
    "find",
    "load",
    "parse",
]

FILES = ("wrangler.json", "wrangler.jsonc", "wrangler.toml")  # in wrangler's own order


def parse(
    text: str,
    *,
    environment: str | None = None,
    kind: Format | None = None,
    path: Path | None = None,
) -> Configuration:
    """Return what a configuration's text says.

    Args:
        text: TOML, or JSON with comments.
        environment: One of its environments, as `wrangler --env` chooses; None for the top level.
        kind: "toml" or "jsonc"; by default what the text looks like.
        path: The file it comes from.

    Raises:
        ConfigurationError: If it cannot be read, or something in it is missing, of the wrong kind
            or misspelt; the message has the line and what was probably meant.

    Example:
        >>> parse('{"name": "chat", "triggers": {"crons": ["0 * * * *"]}}').crons
        ('0 * * * *',)
    """
    return Reader(Source(text, kind, path), environment).read()


def load(path: str | Path, *, environment: str | None = None) -> Configuration:
    """Return what a configuration file says.

    Args:
        path: The file, or the directory of a project that has one.
        environment: One of its environments; None for the top level.

    Raises:
        ConfigurationError: As `parse`, and if there is no such file.
    """
    file = find(path)
    try:
        text = file.read_text("utf-8-sig")  # a link is followed, as wrangler does
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"it cannot be read: {error}", file.name) from error
    kind: Format = "toml" if file.suffix == ".toml" else "jsonc"
    return parse(text, environment=environment, kind=kind, path=file)


def find(path: str | Path) -> Path:
    """Return the configuration file of a project's directory, or the file itself.

    Raises:
        ConfigurationError: If there is no configuration.
    """
    path = Path(path)
    if path.is_dir():
        for name in FILES:
            if (path / name).is_file():
                return path / name
        raise ConfigurationError(
            f"there is none in {path}. A project has {', '.join(FILES[:-1])} or {FILES[-1]}.",
            "wrangler configuration",
        )
    if not path.is_file():
        raise ConfigurationError(f"there is no file {path}.", path.name)
    return path
