"""`%dobook check-state`: damage in a state directory, as a DataFrame."""

import pytest
from IPython.core.error import UsageError


def test_the_runtimes_own_directory_is_checked_while_it_is_open(counting, tmp_path):
    counting.cell(f"%dobook --state {tmp_path / 'state'}")
    found = counting.cell("%dobook check-state")
    assert found.columns.tolist() == ["level", "place", "what", "then"]
    assert set(found["level"]) == {"ok"}
    assert found.attrs["in_use"]
    assert "all right" in counting.shown(found)


def test_another_directory_is_named(counting, tmp_path):
    counting.cell(f"%dobook --state {tmp_path / 'state'}")
    counting.cell("%dobook --state memory")
    (tmp_path / "state" / ".dobook" / "state.sqlite").write_bytes(b"not what it was\n" * 400)
    found = counting.cell(f"%dobook check-state {tmp_path / 'state'}")
    assert found.attrs["damage"] == 1
    assert found["level"].tolist()[0] == "damage"
    assert "made again from the ledger" in found["then"].tolist()[0]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%dobook check-state", "keeps its state in memory"),
        ("%dobook check-state ./nowhere", "nowhere is not a directory"),
        ("%dobook reset ./state", "./state is one word too many"),
    ],
)
def test_what_cannot_be_checked_is_said_in_a_line(counting, line, said):
    with pytest.raises(UsageError, match=said):
        counting.cell(line)
