"""What a class hands in arrives: verdicts and code, one file a learner, read without running it."""

import pytest

from dobook.errors import UsageError
from dobook.notebook.exercises.handing_in import collect

from .test_exercises import TRIED, solution


@pytest.fixture
def handed_in(shell, tmp_path):
    def hand_in(who, *cells):
        for cell in cells:
            shell.cell(cell)
        return shell.cell(f"import dobook\ndobook.hand_in({who!r}, {str(tmp_path)!r})")

    return hand_in


def test_solutions_arrive_with_verdicts_and_code(handed_in, shell, tmp_path):
    card = handed_in("ada", solution("identity-1"), TRIED["limits-1"].half)
    assert card.title == "ada.dobook"
    assert dict(card.rows)["identity-1"] == "solved"
    frame = collect(tmp_path)
    assert frame["who"].tolist() == ["ada", "ada"]
    assert frame["exercise"].tolist() == ["identity-1", "limits-1"]
    assert frame["solved"].tolist() == [True, False]
    assert "at midnight" in frame["missing"][1]
    assert "class Seat(DurableObject)" in frame["source"][0]
    assert "source" not in repr(frame)


def test_many_learners_are_listed_together(handed_in, tmp_path):
    handed_in("ada", solution("identity-1"))
    handed_in("grace", TRIED["identity-1"].wrong)
    frame = collect(tmp_path)
    assert frame.groupby("who")["solved"].sum().to_dict() == {"ada": 1, "grace": 0}


def test_a_file_that_was_renamed_or_is_none_does_not_hide_the_others(handed_in, tmp_path):
    handed_in("ada", solution("identity-1"))
    (tmp_path / "ada.dobook").rename(tmp_path / "ada (1).dobook")
    (tmp_path / "broken.dobook").write_bytes(b"no snapshot")
    frame = collect(tmp_path)
    assert frame["who"].tolist() == ["ada (1)", "broken"]
    assert frame["solved"].tolist()[0] is True
    assert frame["missing"][1] != ""


def test_code_variables_and_functions_are_handed_in_too(handed_in, shell, tmp_path):
    shell.cell("configuration = 'x'")
    handed_in("ada")
    assert collect(tmp_path)["source"].tolist() == ["x"]


def test_the_file_can_be_looked_into_like_any_snapshot(handed_in, shell, tmp_path):
    handed_in("ada", solution("identity-1"))
    frame = shell.cell(f"%storage --state {tmp_path}/ada.dobook Solutions/ada")
    assert frame["key"].tolist() == ["identity-1"]


def test_nothing_to_hand_in_is_said(handed_in, tmp_path):
    with pytest.raises(UsageError, match="nothing to hand in"):
        handed_in("ada")
    with pytest.raises(UsageError, match="cannot be the name of a file"):
        handed_in("a/b")
    assert collect(tmp_path).empty
    with pytest.raises(UsageError, match="no folder"):
        collect(tmp_path / "nowhere")
