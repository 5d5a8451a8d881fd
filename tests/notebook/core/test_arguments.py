"""The words of a magic's line."""

import pytest

from dobook.errors import UsageError
from dobook.notebook.core.arguments import read_json, read_value, split, unquote, with_names


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("  GET   A/b ", ["GET", "A/b"]),
        ('A/b say {"n": [1, 2]} [1, 2]', ["A/b", "say", '{"n": [1, 2]}', "[1, 2]"]),
        ("-H 'k: v' x", ["-H", "'k: v'", "x"]),
        ('--json={"a": "}"} x', ['--json={"a": "}"}', "x"]),
        ("it's /a(b {'k': 'a b'}", ["it's", "/a(b", "{'k': 'a b'}"]),
        (r'"a \" b" c', [r'"a \" b"', "c"]),
        ("/check?limit=10&q=[1]", ["/check?limit=10&q=[1]"]),
    ],
)
def test_a_line_is_split_into_words_and_values(line, words):
    assert split(line) == words


@pytest.mark.parametrize("line", ['"open', "{'a': 1", "[1, 2}", '{"a": "x}'])
def test_what_is_not_closed_is_said(line):
    with pytest.raises(UsageError, match="not closed"):
        split(line)


def test_quotes_round_a_word_go_and_others_stay():
    assert [unquote(w) for w in ("'k: v'", '--body="a b"', "it's", "'")] == [
        "k: v",
        "--body=a b",
        "it's",
        "'",
    ]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("3", 3),
        ("-2.5", -2.5),
        ("true", True),
        ("None", None),
        ("null", None),
        ('"3"', "3"),
        ("'x'", "x"),
        ('{"a": [1]}', {"a": [1]}),
        ("{'a': b'x'}", {"a": b"x"}),
        ("$n", [7]),
    ],
)
def test_values_are_json_or_literals_or_variables(word, value):
    assert read_value(word, {"n": [7]}) == value


@pytest.mark.parametrize("word", ["__import__('os')", "1+1", "f()", "[x for x in y]", "hello"])
def test_nothing_is_evaluated(word):
    with pytest.raises(UsageError, match="neither JSON nor a Python literal"):
        read_value(word, {"hello": 1})


def test_a_bare_word_is_answered_with_both_spellings():
    with pytest.raises(UsageError, match=r'Write "ada" for the text, \$ada for the variable'):
        read_value("ada", {})


def test_an_unknown_variable_is_named():
    with pytest.raises(UsageError, match="no variable 'm'"):
        read_value("$m", {"n": 1})


def test_a_body_may_be_json_a_literal_or_a_variable():
    assert read_json('{"a": true}', {}) == '{"a": true}'
    assert read_json("{'a': True}", {}) == '{"a": true}'
    assert read_json("$body", {"body": {"a": 1}}) == '{"a": 1}'
    with pytest.raises(UsageError, match="not JSON"):
        read_json("{a: 1}", {})
    with pytest.raises(UsageError, match="not JSON"):
        read_json("{1, 2}", {})


def test_names_are_replaced_only_where_there_is_such_a_variable():
    assert with_names("/x?u=$user&p=$5&q=$other", {"user": "ada"}) == "/x?u=ada&p=$5&q=$other"
