"""Sphinx's configuration, copied beside the assembled pages; see `build.py`."""

import re
from collections.abc import Iterator
from typing import Any

from ipython_pygments_lexers import IPython3Lexer

import dobook

project = "dobook"
author = "The dobook developers"
version = release = dobook.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "index"
exclude_patterns = ["_build"]

nb_execution_mode = "off"  # the notebooks are committed with their outputs, which tests compare
nb_merge_streams = True
# A page has no kernel: show the static picture of a widget, not its place-holder.
nb_mime_priority_overrides = [
    ("html", "text/html", 0),
    ("html", "image/svg+xml", 1),
    ("html", "application/vnd.jupyter.widget-view+json", None),
]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
suppress_warnings = [
    "myst.header",  # a notebook may begin below the first level
    "misc.highlighting_failure",  # cells under %% magics are not Python
    "ref.python",  # a word such as `type` is also the name of several attributes
    "mystnb.unknown_mime_type",  # widget views are left out on purpose
]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_inherit_docstrings = True
napoleon_google_docstring = True

html_theme = "furo"
pygments_dark_style = "github-dark"  # the theme's own underlines modules, as if they were links
html_title = "dobook"
html_static_path = ["static"]
html_css_files = ["tables.css", "launch.css"]
html_show_sourcelink = False


class CellLexer(IPython3Lexer):  # type: ignore[misc,unused-ignore]
    """Colours what is below a magic that takes Python, which IPython's own lexer leaves plain."""

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, Any, str]]:
        """Yield the tokens of a cell: of its first line, then of the rest, as two cells."""
        first, newline, rest = text.partition("\n")
        split = bool(re.match(r"%%(durable_object|worker|explore)\b", first))
        for start, part in (
            ((0, first + newline), (len(first) + 1, rest)) if split else ((0, text),)
        ):
            for index, token, value in super().get_tokens_unprocessed(part):
                yield start + index, token, value


def setup(app: Any) -> None:
    """Register the lexer for the notebooks' cells."""
    app.add_lexer("ipython3", CellLexer)
