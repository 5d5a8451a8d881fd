"""Puts the pages together and has Sphinx make HTML of them."""

import json
import shutil
from pathlib import Path

from sphinx.cmd.build import main as sphinx

from docs.address import QUICKSTART, badge, binder
from docs.site import conformance, lite, reference

ROOT = Path(__file__).parent.parent.parent


def build(target: Path, *, with_lite: bool = False, pyodide: Path | None = None) -> int:
    """Build the site.

    Args:
        target: Where the HTML goes; a folder beside it, `NAME-source`, gets what Sphinx reads.
        with_lite: Whether the lessons can be run in the browser, in JupyterLite.
        pyodide: See `docs.site.lite.build`.

    Returns:
        Sphinx's exit status; a warning counts as a failure.
    """
    source = target.with_name(target.name + "-source")
    shutil.rmtree(source, ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    assemble(source, with_lite=with_lite)
    # The README shows some pictures by an HTML tag, to give them a width; Sphinx leaves those alone.
    shutil.copytree(ROOT / "docs" / "images", target / "docs" / "images")
    if with_lite:
        lite.build(target / "lite", pyodide)
    return int(
        sphinx(["-q", "-W", "--keep-going", "-j", "auto", "-b", "html", str(source), str(target)])
    )


def assemble(source: Path, *, with_lite: bool = False) -> None:
    """Lay the pages out as they lie in the clone, so that their links hold."""
    for folder in ("docs", "notebooks", "reference"):
        (source / folder).mkdir(parents=True)
    shutil.copy(Path(__file__).parent / "conf.py", source / "conf.py")
    shutil.copytree(Path(__file__).parent / "static", source / "static")
    for name in ("CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md"):
        copy_page(ROOT / name, source / name)
    for name in ("LICENSE", ".ci/run"):
        (source / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    for page in sorted((ROOT / "docs").glob("*.md")):
        copy_page(page, source / "docs" / page.name)
    for picture in (ROOT / "docs").rglob("*"):
        if picture.suffix in {".svg", ".png"}:
            place = source / picture.relative_to(ROOT)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(picture, place)
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        run = launcher(notebook.stem, "../lite" if with_lite else None)
        copy_notebook(notebook, source / "notebooks" / notebook.name, run)
    (source / "docs" / "conformance.md").write_text(conformance.page(), "utf-8")
    names = reference.write(source / "reference")
    # The badge's picture would be fetched from Binder: the site fetches nothing.
    run = launcher(QUICKSTART, "lite" if with_lite else None, "the quickstart")
    readme = (ROOT / "README.md").read_text("utf-8").replace(badge(), run)
    (source / "index.md").write_text(readme + "\n" + contents(source, names), "utf-8")


def copy_page(page: Path, place: Path) -> None:
    """Copy a page; the README is the site's first page."""
    text = page.read_text("utf-8").replace("](README.md", "](index.md")
    place.write_text(text.replace("](../README.md", "](../index.md"), "utf-8")


def copy_notebook(notebook: Path, place: Path, run: str) -> None:
    """Copy a notebook, with what runs it below its title."""
    document = json.loads(notebook.read_text("utf-8"))
    title, *rest = "".join(document["cells"][0]["source"]).split("\n", 1)
    document["cells"][0]["source"] = "\n".join([title, "", run, *rest])
    place.write_text(json.dumps(document, ensure_ascii=False), "utf-8")


def launcher(notebook: str, lite_place: str | None, what: str = "it") -> str:
    """Return, as HTML, what opens a notebook where it can be run.

    Args:
        notebook: Its file's name, without the ending.
        lite_place: Where JupyterLite is, seen from the page; None for a site without it.
        what: What the page calls it.
    """
    places = {f"Run {what} on Binder": binder(notebook)}
    if lite_place is not None:
        places[f"Run {what} in this browser"] = f"{lite_place}/lab/index.html?path={notebook}.ipynb"
    links = " ".join(f'<a href="{place}">{text}</a>' for text, place in places.items())
    return f'<p class="launch">{links}</p>\n'


def contents(source: Path, reference_names: list[str]) -> str:
    """Return the tables of contents that the first page ends with."""
    lessons = [f"notebooks/{p.stem}" for p in sorted((source / "notebooks").glob("*.ipynb"))]
    pages = sorted(p.stem for p in (source / "docs").glob("*.md"))
    guides = [f"docs/{name}" for name in pages if name != "conformance"]
    return "\n".join(
        [
            toctree("Lessons", lessons),
            toctree("Guides", guides),
            toctree(
                "Reference",
                [*[f"reference/{name}" for name in reference_names], "docs/conformance"],
            ),
            toctree("Project", ["CHANGELOG", "CONTRIBUTING", "CODE_OF_CONDUCT", "SECURITY"]),
        ]
    )


def toctree(caption: str, entries: list[str]) -> str:
    """Return one table of contents."""
    options = f":hidden:\n:maxdepth: 1\n:caption: {caption}\n"
    return "```{toctree}\n" + options + "\n" + "\n".join(entries) + "\n```\n"
