"""What a configuration says, in TOML and in JSON with comments, and what its errors point at."""

import pytest

from dobook.errors import ConfigurationError, UsageError
from dobook.wrangler import (
    Assets,
    DurableObjectBinding,
    Export,
    Migration,
    Rename,
    Rule,
    ServiceBinding,
    Transfer,
    load,
    parse,
)

TOML = """\
name = "chat"
main = "src/entry.py"
compatibility_date = "2026-01-31"
compatibility_flags = ["python_workers"]

[vars]
GREETING = "hello"
LIMITS = { a = 1 }

[[durable_objects.bindings]]
name = "ROOM"
class_name = "Room"

[[durable_objects.bindings]]
name = "USER"
class_name = "User"
script_name = "accounts"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Lobby"]
new_classes = ["Old", "Older"]

[[migrations]]
tag = "v2"
renamed_classes = [{ from = "Lobby", to = "Room" }]
deleted_classes = ["Old"]
transferred_classes = [{ from = "A", from_script = "other", to = "B" }]

[triggers]
crons = ["0 * * * *"]

[[services]]
binding = "AUTH"
service = "auth"
entrypoint = "Admin"

[assets]
directory = "./public"
binding = "ASSETS"

[[rules]]
type = "Text"
globs = ["**/*.html"]

[[queues.consumers]]
queue = "jobs"
"""

JSONC = """\
{
  // The chat room.
  "name": "chat",
  "main": "src/entry.py",
  "compatibility_date": "2026-01-31",
  "compatibility_flags": ["python_workers"],
  "vars": {"GREETING": "hello", "LIMITS": {"a": 1}},
  "durable_objects": {
    "bindings": [
      {"name": "ROOM", "class_name": "Room"},
      {"name": "USER", "class_name": "User", "script_name": "accounts"},
    ],
  },
  "migrations": [
    {"tag": "v1", "new_sqlite_classes": ["Lobby"], "new_classes": ["Old", "Older"]},
    {
      "tag": "v2", /* the lobby became a room */
      "renamed_classes": [{"from": "Lobby", "to": "Room"}],
      "deleted_classes": ["Old"],
      "transferred_classes": [{"from": "A", "from_script": "other", "to": "B"}],
    },
  ],
  "triggers": {"crons": ["0 * * * *"]},
  "services": [{"binding": "AUTH", "service": "auth", "entrypoint": "Admin"}],
  "assets": {"directory": "./public", "binding": "ASSETS"},
  "rules": [{"type": "Text", "globs": ["**/*.html"]}],
  "queues": {"consumers": [{"queue": "jobs"}]},
}
"""


@pytest.mark.parametrize("text", [TOML, JSONC], ids=["toml", "jsonc"])
def test_everything_that_concerns_durable_objects_is_read(text):
    found = parse(text)
    assert (found.name, found.main) == ("chat", "src/entry.py")
    assert found.compatibility_date == "2026-01-31"
    assert found.compatibility_flags == ("python_workers",)
    assert found.vars == {"GREETING": "hello", "LIMITS": {"a": 1}}
    assert found.durable_objects == (
        DurableObjectBinding("ROOM", "Room"),
        DurableObjectBinding("USER", "User", "accounts"),
    )
    assert found.own_bindings == (DurableObjectBinding("ROOM", "Room"),)
    assert found.migrations == (
        Migration("v1", new_sqlite_classes=("Lobby",), new_classes=("Old", "Older")),
        Migration(
            "v2",
            renamed_classes=(Rename("Lobby", "Room"),),
            deleted_classes=("Old",),
            transferred_classes=(Transfer("A", "other", "B"),),
        ),
    )
    assert found.crons == ("0 * * * *",)
    assert found.services == (ServiceBinding("AUTH", "auth", "Admin"),)
    assert found.assets == Assets("./public", "ASSETS")
    assert found.rules == (Rule("Text", ("**/*.html",)),)
    assert found.queue_consumers == ("jobs",)
    assert found.warnings == ()


def test_a_date_that_toml_reads_as_a_date_is_its_text():
    assert parse("compatibility_date = 2026-01-31").compatibility_date == "2026-01-31"


def test_exports_declare_classes_without_migrations():
    found = parse(
        '{"exports": {"Room": {"type": "durable-object", "storage": "sqlite"}, '
        '"Lobby": {"type": "durable-object", "state": "renamed", "renamed_to": "Room"}, '
        '"Default": {"type": "worker"}}}'
    )
    assert found.exports == (
        Export("Room", storage="sqlite"),
        Export("Lobby", "renamed", target="Room"),
    )
    assert [e.lives for e in found.exports] == [True, False]


def test_an_environment_inherits_what_wrangler_inherits_and_names_itself():
    text = TOML + '[env.staging.vars]\nGREETING = "hi"\n[env.live]\nname = "chat-live"\n'
    staging, live = parse(text, environment="staging"), parse(text, environment="live")
    assert (staging.name, live.name) == ("chat-staging", "chat-live")
    assert staging.main == "src/entry.py"
    assert staging.crons == ("0 * * * *",)
    assert [m.tag for m in staging.migrations] == ["v1", "v2"]
    assert staging.vars == {"GREETING": "hi"}
    assert staging.durable_objects == ()
    assert any("'durable_objects' is not inherited" in w for w in staging.warnings)
    assert parse(text).environments == ("staging", "live")


def test_what_dobook_does_not_offer_is_kept_by_name_and_refused_when_used():
    found = parse(
        '{"kv_namespaces": [{"binding": "CACHE"}], "r2_buckets": [{"binding": "FILES"}], '
        '"d1_databases": [{"binding": "DB"}], "queues": {"producers": [{"binding": "JOBS", '
        '"queue": "jobs"}]}, "ai": {"binding": "AI"}}'
    )
    kinds = {b.name: b.kind for b in found.unsupported}
    assert kinds == {
        "CACHE": "Workers KV",
        "FILES": "R2",
        "DB": "D1",
        "AI": "Workers AI",
        "JOBS": "Queues",
    }
    with pytest.raises(UsageError, match=r"^env\.CACHE is Workers KV, which dobook does not offer"):
        _ = found.unsupported[0].get


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('name = "a"\nname = "b"', "wrangler.toml:2: this is not TOML: Cannot overwrite a value"),
        ('name = "chat', "wrangler.toml:1: this is not TOML: Unterminated string"),
        ('{\n  "name": "a"\n  "main": "b"\n}', "wrangler.jsonc:3: this is not JSON with comments"),
        ('name = "a"\nmigratons = []', "wrangler.toml:2: 'migratons'. Did you mean 'migrations'"),
        (
            '[[migrations]]\ntag = "v1"\n[[migrations]]\nnew_sqlite_clases = ["A"]\ntag = "v2"',
            "wrangler.toml:4: Did you mean 'new_sqlite_classes'",
        ),
        (
            '{"migrations": [\n{"tag": "v1"},\n{"tag":\n"v1"}\n]}',
            "wrangler.jsonc:3: two migrations have the tag 'v1'",
        ),
        ('[[migrations]]\nnew_classes = ["A"]', "wrangler.toml:1:  needs 'tag'"),
        ("[[migrations]]\ntag = 1", "wrangler.toml:2: 'tag' is a text, not 1"),
        (
            '[[migrations]]\ntag = "v1"\nnew_classes = "A"',
            "wrangler.toml:3: 'new_classes' is a list of texts, not 'A'",
        ),
        (
            '{"durable_objects": {\n"bindings": [\n{"name": "A", "class_name": "A"},\n'
            '{"name": "B", "class": "B"}\n]}}',
            "wrangler.jsonc:4:  needs 'class_name'",
        ),
        (
            '[durable_objects]\nbindings = [{name = "MY-DO", class_name = "A"}]',
            "wrangler.toml:2: 'MY-DO' cannot be a binding",
        ),
        (
            '[durable_objects]\nbindings = [{name = "A", class_name = "A"}, '
            '{name = "A", class_name = "B"}]',
            "wrangler.toml:2: A is bound twice",
        ),
        (
            '[[migrations]]\ntag = "v1"\n[exports.A]\ntype = "durable-object"\nstorage = "sqlite"',
            "wrangler.toml:3: `migrations` and `exports` are mutually exclusive",
        ),
        (
            '[exports.A]\ntype = "durable-object"\nstorage = "kv"',
            'wrangler.toml:3: storage is "sqlite" or "legacy-kv"',
        ),
        ("[]", "wrangler.toml"),
    ],
)
def test_an_error_has_the_line_and_what_was_meant(text, error):
    with pytest.raises(ConfigurationError) as raised:
        parse(text)
    place, _, said = error.partition(": ")
    assert str(raised.value).startswith(place)
    assert said in str(raised.value)


def test_an_unknown_environment_is_answered_with_the_known_ones():
    with pytest.raises(
        ConfigurationError, match=r"no environment 'stagin'\. Did you mean 'staging'"
    ):
        parse("[env.staging]\n", environment="stagin")


def test_an_unknown_key_that_resembles_none_is_a_warning_as_in_wrangler():
    (warning,) = parse('name = "a"\nzebra = 1').warnings
    assert warning.startswith("wrangler.toml:2: the configuration has no key 'zebra'")


def test_a_project_is_found_by_its_directory_in_wranglers_order(tmp_path):
    (tmp_path / "wrangler.toml").write_text('name = "from-toml"', "utf-8")
    assert load(tmp_path).name == "from-toml"
    (tmp_path / "wrangler.jsonc").write_text('{"name": "from-jsonc"}', "utf-8")
    assert load(tmp_path).name == "from-jsonc"
    assert load(tmp_path / "wrangler.toml").path == tmp_path / "wrangler.toml"


def test_a_directory_without_configuration_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"there is none in .*wrangler\.toml\.$"):
        load(tmp_path)
    with pytest.raises(ConfigurationError, match="there is no file"):
        load(tmp_path / "wrangler.toml")
