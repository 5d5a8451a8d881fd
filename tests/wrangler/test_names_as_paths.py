"""Names in a stranger's configuration never lead out of a state directory."""

import json

import pytest

from dobook import Runtime
from dobook.errors import ConfigurationError, StateDirectoryError
from dobook.runtime.access import kernel_of
from dobook.wrangler import parse
from dobook.wrangler.record import read_all

BAD = ["../../x", "a/b", "a\\b", "C:x", "\0", "a\n", "..\\..", "x" * 300, "\u202e", "a:b", "．．/"]  # noqa: RUF001


def everywhere(name):
    """Return configurations with a name in each place that becomes part of a folder's name."""
    binding = {"name": "A", "class_name": "A"}
    yield {"name": name}
    yield {"durable_objects": {"bindings": [{**binding, "class_name": name}]}}
    yield {"durable_objects": {"bindings": [{**binding, "script_name": name}]}}
    for key in ("new_classes", "new_sqlite_classes", "deleted_classes"):
        yield {"migrations": [{"tag": "v1", key: [name]}]}
    for change in ({"from": name, "to": "B"}, {"from": "B", "to": name}):
        yield {"migrations": [{"tag": "v1", "renamed_classes": [change]}]}
    whole = {"from": "A", "from_script": "other", "to": "B"}
    for key in whole:
        yield {"migrations": [{"tag": "v1", "transferred_classes": [{**whole, key: name}]}]}
    yield {"exports": {name: {"type": "durable-object", "storage": "sqlite"}}}
    yield {"exports": {"A": {"type": "durable-object", "state": "renamed", "renamed_to": name}}}


@pytest.mark.parametrize("name", BAD, ids=ascii)
def test_a_name_that_leads_elsewhere_is_refused(name):
    for values in everywhere(name):
        with pytest.raises(ConfigurationError, match="cannot be part of the name of a folder"):
            parse(json.dumps(values))
        with pytest.raises(ConfigurationError, match="cannot be part of the name of a folder"):
            parse(json.dumps({"name": "x", "env": {"y": values}}), environment="y")


@pytest.mark.parametrize("name", ["chat", "Chat_Room-2", "a", "9", "Zähler", "$A", ""])
def test_ordinary_names_are_read(name):
    for values in everywhere(name or "x"):
        parse(json.dumps(values))


DEPLOYED = {
    "script": "w",
    "tag": "v1",
    "classes": [{"name": "A", "unique_key": "w-A", "sqlite": True}],
    "migrations": [],
}
ODD = [
    "",
    "x",
    "5",
    "null",
    "[]",
    '"text"',
    "[" * 100_000,
    '{"w": 5}',
    '{"w": {}}',
    '{"w": null}',
    *(
        json.dumps({"w": {**DEPLOYED, key: value}})
        for key, values in {
            "script": [None, 5, [], {}],
            "tag": [5, [], {}],
            "classes": [None, 5, "text", [5], [{}], [{"name": 1, "unique_key": 2, "sqlite": 3}]],
            "migrations": [None, 5, "text", [5], [{}]],
        }.items()
        for value in values
    ),
    *(
        json.dumps({"w": {**DEPLOYED, "classes": [{**DEPLOYED["classes"][0], key: value}]}})
        for key, value in [("unique_key", "../../x"), ("unique_key", 5), ("sqlite", 1), ("more", 1)]
    ),
]


@pytest.mark.parametrize("text", ODD, ids=lambda text: text[:60])
def test_an_odd_note_of_what_was_deployed_is_refused(text):
    with Runtime() as runtime:
        kernel_of(runtime).stores.keep_note("deployed", text)
        with pytest.raises(StateDirectoryError):
            read_all(runtime)
        kernel_of(runtime).stores.keep_note("deployed", json.dumps({"w": DEPLOYED}))
        assert read_all(runtime)["w"].classes[0].unique_key == "w-A"


def test_a_number_of_thousands_of_digits_is_refused():
    for text in (f"x = {'9' * 10_000}", '{"x": ' + "9" * 10_000 + "}"):
        with pytest.raises(ConfigurationError):
            parse(text)
