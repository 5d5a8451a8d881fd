"""Whatever stands in a configuration, reading it gives one or says what is wrong with it."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dobook.errors import ConfigurationError
from dobook.wrangler import Configuration, parse
from dobook.wrangler.keys import INHERITED, MIGRATION, NOT_INHERITED
from dobook.wrangler.writing import to_jsonc, to_toml

names = st.sampled_from(
    [*INHERITED, *NOT_INHERITED, *MIGRATION, "bindings", "name", "class_name", "from", "to", "type",
     "storage", "state", "binding", "service", "crons", "queue", "producers", "consumers", "env"]
)  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5) | st.floats(0, 1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def read(text, **options):
    with contextlib.suppress(ConfigurationError):
        assert isinstance(parse(text, **options), Configuration)


@pytest.mark.slow
@settings(max_examples=50)
@given(st.dictionaries(names, values, max_size=5))
def test_any_values_under_known_keys(document):
    read(json.dumps(document))
    read(json.dumps({"env": {"x": document}}), environment="x")


@settings(max_examples=150)
@given(st.text(max_size=60))
def test_any_text(text):
    read(text)
    read(text, kind="toml")
    read(text, kind="jsonc")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "x = " + "[" * 100_000])
def test_what_is_nested_beyond_reason_is_refused(text):
    with pytest.raises(ConfigurationError):
        parse(text)


WHOLE = """
name = "chat"
main = "src/entry.py"
compatibility_date = "2026-03-15"
compatibility_flags = ["python_workers"]

[vars]
A = "x"
B = 1
C = { "odd key" = [1, 2.5, { z = true }], e = {} }
D = "\\u007f\\" \\\\ \\n ž"

[durable_objects]
bindings = [{ name = "A", class_name = "A" }, { name = "B", class_name = "B", script_name = "o" }]

[[migrations]]
tag = "v1"
new_classes = ["A"]
renamed_classes = [{ from = "X", to = "Y" }]
transferred_classes = [{ from = "X", from_script = "o", to = "Z" }]

[triggers]
crons = ["* * * * *"]

[[services]]
binding = "S"
service = "s"

[assets]
directory = "public"
run_worker_first = ["/api/*"]

[[rules]]
type = "Text"
globs = ["**/*.md"]
"""


@pytest.mark.parametrize("write", [to_toml, to_jsonc])
def test_what_is_written_reads_as_the_same(write):
    configuration = parse(WHOLE)
    assert parse(write(configuration)) == configuration
    assert write(parse(write(configuration))) == write(configuration)


@pytest.mark.parametrize("write", [to_toml, to_jsonc])
def test_an_empty_configuration_is_written_and_read(write):
    assert parse(write(Configuration()), kind=write.__name__[3:]) == Configuration()


@pytest.mark.parametrize("write", [to_toml, to_jsonc])
@settings(max_examples=30)
@given(
    st.dictionaries(
        st.from_regex(r"[A-Z][A-Z_]{0,3}", fullmatch=True),
        st.text(st.characters(exclude_categories=["Cs"])),
    )
)
def test_variables_of_any_text_come_back(write, variables):
    configuration = Configuration(name="n", vars=variables)
    assert parse(write(configuration)).vars == variables
