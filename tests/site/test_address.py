"""The repository's address is said in one place, and every link to Binder follows from it."""

import shutil
from pathlib import Path

import pytest

from docs import address

ROOT = Path(__file__).parent.parent.parent
QUICKSTART = "?urlpath=lab/tree/notebooks/01_quickstart.ipynb"


def test_the_badge_opens_the_quickstart_in_jupyterlab_at_the_projects_address():
    owner_and_name = address.repository().removeprefix("https://github.com/")
    link = f"https://mybinder.org/v2/gh/{owner_and_name}/HEAD{QUICKSTART}"
    assert address.badge() in (ROOT / "README.md").read_text("utf-8")
    assert address.badge().endswith(f"({link})")
    assert (ROOT / "notebooks" / "01_quickstart.ipynb").exists()


def test_no_other_page_says_where_the_repository_is():
    pages = [
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "dobook").rglob("*.py"),
    ]
    naming = [str(p) for p in pages if address.repository() in p.read_text("utf-8")]
    assert naming == []


@pytest.mark.parametrize(
    ("published", "link"),
    [
        ("https://github.com/ada/engine", "gh/ada/engine"),
        ("https://gitlab.com/lab/tools/engine", "gl/lab%2Ftools%2Fengine"),
        ("https://git.example.org/engine", "git/https%3A%2F%2Fgit.example.org%2Fengine"),
    ],
)
def test_binder_is_asked_in_its_own_words_for_each_kind_of_host(published, link):
    asked = address.binder("01_quickstart", published)
    assert asked == f"https://mybinder.org/v2/{link}/HEAD{QUICKSTART}"


@pytest.mark.parametrize(
    ("remote", "page"),
    [
        ("ada/engine", "https://github.com/ada/engine"),
        ("https://github.com/ada/engine.git\n", "https://github.com/ada/engine"),
        ("https://ada:secret@github.com/ada/engine/", "https://github.com/ada/engine"),
        ("git@github.com:ada/engine.git", "https://github.com/ada/engine"),
        ("ssh://git@gitlab.com:22/lab/tools/engine.git", "https://gitlab.com/lab/tools/engine"),
    ],
)
def test_what_git_clones_becomes_the_address_of_the_page(remote, page):
    assert address.web_address(remote) == page


@pytest.mark.parametrize(
    "remote", ["", "engine", "/srv/git/engine", "../engine", "file:///srv/engine"]
)
def test_a_place_that_others_cannot_reach_is_refused(remote):
    with pytest.raises(ValueError, match="no address that others can reach"):
        address.web_address(remote)


def test_another_address_is_written_where_the_old_one_was_and_nowhere_else(tmp_path):
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    address.put(tmp_path, "https://gitlab.com/ada/engine")
    for name in ("pyproject.toml", "README.md"):
        before = (ROOT / name).read_text("utf-8").splitlines()
        after = (tmp_path / name).read_text("utf-8").splitlines()
        changed = [new for old, new in zip(before, after, strict=True) if old != new]
        assert len(changed) == 1
        assert "ada" in changed[0]
    assert address.badge("https://gitlab.com/ada/engine") in (tmp_path / "README.md").read_text(
        "utf-8"
    )
    address.put(tmp_path, address.repository())
    for name in ("pyproject.toml", "README.md"):
        assert (tmp_path / name).read_text("utf-8") == (ROOT / name).read_text("utf-8")


def test_a_readme_without_a_badge_is_not_passed_over(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "README.md").write_text("# engine\n")
    with pytest.raises(ValueError, match="in 0 places"):
        address.put(tmp_path, "https://github.com/ada/engine")
