"""The site builds without a warning, every link within it leads somewhere, and it fetches nothing."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from docs.address import binder
from tests.conformance.conftest import read_todo

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    target = tmp_path_factory.mktemp("site") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "docs.site", str(target)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target


class Page(HTMLParser):
    """Where a page's links lead, and which anchors it has."""

    def __init__(self, text):
        super().__init__()
        self.links, self.fetched, self.anchors = [], [], {""}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        if tag != "a":
            followed = {"canonical", "next", "prev", "search", "index"} & set(
                (values.get("rel") or "").split()
            )
            self.fetched += [values[n] for n in ("href", "src") if values.get(n) and not followed]
        self.links += [values[name] for name in ("href", "src") if values.get(name)]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_every_link_leads_to_a_page_and_an_anchor(site):
    pages = {p: Page(p.read_text("utf-8")) for p in site.rglob("*.html")}
    assert len(pages) > 10
    broken = []
    for page, parsed in pages.items():
        for link in parsed.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            place = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            anchors = pages[place].anchors if place in pages else {parts.fragment}
            if not place.exists() or unquote(parts.fragment) not in anchors:
                broken.append(f"{page.relative_to(site)}: {link}")
    assert broken == []


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_site_has_every_notebook_every_page_and_every_magic(site):
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        text = (site / "notebooks" / f"{notebook.stem}.html").read_text("utf-8")
        assert "cell_output" in text, notebook.name
    for page in (ROOT / "docs").glob("*.md"):
        assert (site / "docs" / f"{page.stem}.html").exists()
    magics = (site / "reference" / "magics.html").read_text("utf-8")
    for name in ("%%durable_object", "%fast_forward", "%storage"):
        assert name in magics


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_each_lesson_opens_on_binder_from_its_own_page(site):
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        page = Page((site / "notebooks" / f"{notebook.stem}.html").read_text("utf-8"))
        assert [at for at in page.links if "mybinder" in at] == [binder(notebook.stem)]
    first = Page((site / "index.html").read_text("utf-8"))
    assert [at for at in first.links if "mybinder" in at] == [binder("01_quickstart")]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_page_fetches_nothing_from_elsewhere(site):
    fetched = []
    for page in site.rglob("*.html"):
        fetched += [(page.name, at) for at in Page(page.read_text("utf-8")).fetched if "//" in at]
    for sheet in (site / "_static").rglob("*.css"):
        fetched += [
            (sheet.name, at) for at in re.findall(r"url\((.*?)\)", sheet.read_text("utf-8"))
        ]
    assert [each for each in fetched if re.match(r"""["']?(https?:)?//""", each[1])] == []


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_page_of_recorded_answers_counts_what_was_played(site):
    text = re.sub(r"<[^>]+>", " ", (site / "docs" / "conformance.html").read_text("utf-8"))
    found = re.search(r"\ball\s+(\d+)\s+(\d+)", text)
    assert found is not None
    known = read_todo(ROOT / "tests" / "conformance" / "todo.txt")
    assert int(found[2]) - int(found[1]) == len(known)
    assert int(found[2]) > 500


@pytest.mark.slow
def test_nothing_is_misspelt():
    done = subprocess.run(
        [sys.executable, "-m", "codespell_lib", "--toml", "pyproject.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
