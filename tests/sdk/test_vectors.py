"""Promise: what runs here runs with Cloudflare's Python SDK, and means the same.

Every row is code that ran with the SDK itself, in Pyodide (`record.py`). It has to give the same
here. Where it does not, the row is in `differences.py`: dobook says so at run time, or `dobook
check` finds it by reading the code, or docs/differences.md lists it.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from dobook.errors import PortabilityWarning
from dobook.lint import check_text
from tests.npm import missing
from tests.sdk.differences import DIFFERENCES
from tests.sdk.record import VECTORS, answers
from tests.sdk.rows import rows
from tests.sdk.running import outcome

RECORDED = json.loads(VECTORS.read_text())
ROWS = {row["name"]: row for row in RECORDED["rows"]}
SAME = [name for name in ROWS if name not in DIFFERENCES]
DOCUMENTED = Path(__file__).parents[2] / "docs" / "differences.md"


def _agrees(here: dict[str, Any], there: dict[str, Any]) -> bool:
    """Return whether two outcomes are the same: the value, or the kind of error.

    The SDK hands JavaScript's errors on as they are, JsException; here they have the class of
    Python that belongs to them as well. Texts may say more.
    """
    if "ok" in here or "ok" in there:
        return here == there
    kind, text = there["error"]
    if kind == "JsException PythonError":  # of the other side: "TypeError: …"
        kind = text.partition(":")[0]
    kind = kind.removeprefix("JsException ")
    return kind in here["kinds"]


def _run(code: str) -> tuple[dict[str, Any], list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = outcome(code)
    return found, [str(w.message) for w in caught if w.category is PortabilityWarning]


def test_the_vectors_are_those_of_the_rows():
    assert [(r["name"], r["code"]) for r in RECORDED["rows"]] == [
        (r["name"], r["code"]) for r in rows()
    ], "record again: python -m tests.sdk.record"


@pytest.mark.parametrize("name", SAME)
def test_the_same_as_with_the_sdk(name):
    here, said = _run(ROWS[name]["code"])
    assert _agrees(here, ROWS[name]["answer"]), (here, ROWS[name]["answer"])
    assert any(WARNED[name] in text for text in said) if name in WARNED else said == []


# The same on both sides, and hardly meant by anybody: dobook warns.
WARNED = {
    "rpc/truth": "write `await` before the call",
    "rpc/compare": "write `await` before the call",
    "storage/get-or": "write `await` before the call",
    "storage/set-alarm-without-handler": "has no alarm()",
    "storage/set-alarm-datetime": "has no alarm()",
}
NEVER_MEANT = {*WARNED, "storage/get-compare"}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_difference_is_as_it_is_listed(name):
    listed, there = DIFFERENCES[name], ROWS[name]["answer"]
    here, said = _run(ROWS[name]["code"])
    assert not _agrees(here, there), "it is none any more: take it off the list"
    if "ok" in listed.here:
        assert here == listed.here
    else:
        assert listed.here["error"] in here["kinds"]
    if listed.says:
        assert any(listed.says in text for text in said), said


@pytest.mark.parametrize(
    "name", ["rpc/truth", "rpc/compare", "storage/get-or", "storage/get-compare"]
)
def test_check_finds_a_promise_as_a_value(name):
    assert "await" in check_text(ROWS[name]["code"], "entry.py").rules


@pytest.mark.parametrize("name", [n for n, d in DIFFERENCES.items() if d.rule])
def test_check_finds_what_is_kinder_here(name):
    found = check_text(ROWS[name]["code"], "entry.py")
    assert DIFFERENCES[name].rule in found.rules


@pytest.mark.parametrize(
    "name", [n for n in SAME if "ok" in ROWS[n]["answer"] and n not in NEVER_MEANT]
)
def test_check_finds_nothing_in_what_is_the_same(name):
    assert check_text(ROWS[name]["code"], "entry.py").rules == []


def test_what_is_kinder_is_warned_of_once_for_each_line():
    code = ROWS["rpc/keywords"]["code"].replace(
        "return await b.add(a=1, b=2)", "for _ in range(3): await b.add(a=1, b=2)"
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        outcome(code)
    assert len([w for w in caught if w.category is PortabilityWarning]) == 1


def test_every_difference_is_documented():
    text = DOCUMENTED.read_text()
    rules = {d.rule for d in DIFFERENCES.values() if d.rule}
    assert [rule for rule in rules if f"`{rule}`" not in text and rule != "await"] == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_sdk_still_gives_what_was_recorded():
    try:
        again = answers()
    except OSError as error:
        missing(f"no Node: {error}")
    assert again["rows"] == {name: row["answer"] for name, row in ROWS.items()}
    assert again["names"] == RECORDED["names"]
    assert again["signatures"] == RECORDED["signatures"]
