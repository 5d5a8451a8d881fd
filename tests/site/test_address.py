"""The repository's address is said in one place, and every link to Binder follows from it."""

import re
import shutil
from pathlib import Path

import pytest

from docs import address
from tests.test_house import relative, tracked

ROOT = Path(__file__).parent.parent.parent
PLACES = list(address.places(address.repository()))
QUICKSTART = "?urlpath=lab/tree/notebooks/01_quickstart.ipynb"


def test_the_badge_opens_the_quickstart_in_jupyterlab_at_the_projects_address():
    owner_and_name = address.repository().removeprefix("https://github.com/")
    link = f"https://mybinder.org/v2/gh/{owner_and_name}/HEAD{QUICKSTART}"
    assert address.badge() in (ROOT / "README.md").read_text("utf-8")
    assert address.badge().endswith(f"({link})")
    assert (ROOT / "notebooks" / "01_quickstart.ipynb").exists()


@pytest.mark.parametrize("name", PLACES)
def test_each_place_has_the_projects_address(name):
    pattern, text = address.places(address.repository())[name]
    assert re.findall(pattern, (ROOT / name).read_text("utf-8")) == [text]


def test_no_other_file_says_where_the_repository_is():
    owner_and_name = address.repository().removeprefix("https://github.com/")
    naming = []
    for file in tracked():
        if file.suffix in {".png", ".sqlite", ".zip"} or relative(file) in PLACES:
            continue
        if owner_and_name in file.read_text("utf-8", errors="replace"):
            naming.append(relative(file))
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
    with pytest.raises(ValueError, match="not an address that others can reach"):
        address.web_address(remote)


@pytest.fixture
def copies(tmp_path):
    """A folder with a copy of every file that says where the repository is."""
    for name in PLACES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_another_address_is_written_where_the_old_one_was_and_nowhere_else(copies):
    address.put(copies, "https://gitlab.com/ada/engine")
    for name in PLACES:
        before = (ROOT / name).read_text("utf-8").splitlines()
        after = (copies / name).read_text("utf-8").splitlines()
        changed = [new for old, new in zip(before, after, strict=True) if old != new]
        assert len(changed) == 1
        assert "ada" in changed[0]
    assert address.badge("https://gitlab.com/ada/engine") in (copies / "README.md").read_text(
        "utf-8"
    )
    address.put(copies, address.repository())
    for name in PLACES:
        assert (copies / name).read_text("utf-8") == (ROOT / name).read_text("utf-8")


def test_a_readme_without_a_badge_is_not_passed_over(copies):
    (copies / "README.md").write_text("# engine\n")
    with pytest.raises(ValueError, match="in 0 places"):
        address.put(copies, "https://github.com/ada/engine")
