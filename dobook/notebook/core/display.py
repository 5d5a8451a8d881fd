"""Cards: text and HTML from the same rows, all text escaped, light and dark alike.

Styles are inline: an output has to look right alone, in a committed notebook, in an exported page
and where a front end strips style sheets. Text has the colour of the text around it. Marks keep a
contrast of 3 to 1 at least on white and on every dark grey that front ends have (#383838 and
below), so no front end's variables are needed; VS Code and Colab define some of them wrongly for a
dark page.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from dobook.clock import format_time

FONT = "currentColor"
MUTED = "color-mix(in srgb, currentColor 72%, transparent)"
LINE = "rgba(128, 128, 128, 0.45)"  # a grid, which nothing depends on
ACCENT = "#368ce9"
GOOD = "#3b9d48"
WARNING = "#d66e00"
ERROR = "#ec5853"
DURABLE = "#0098a9"
TINT = "rgba(255, 193, 7, 0.22)"  # behind words only
MONO = "var(--jp-code-font-family, ui-monospace, monospace)"

_BOX = "border-left: 3px solid %s; padding: 2px 0 2px 12px; margin: 2px 0"
_TABLE = "border: 0; border-collapse: collapse; margin: 4px 0 0 0; table-layout: auto"
_ROW = "background: transparent"
_CELL = "border: 0; text-align: left; vertical-align: top; padding: 1px 16px 1px 0; max-width: none"
_PRE = (
    f"margin: 6px 0 0 0; padding: 0; border: 0; background: transparent; color: inherit; "
    f"font-family: {MONO}; white-space: pre-wrap; overflow-wrap: anywhere"
)


def tag(name: str, content: str, style: str = "") -> str:
    """Return an element; `content` is HTML already."""
    return f'<{name} style="{style}">{content}</{name}>' if style else f"<{name}>{content}</{name}>"


def box(*parts: str, colour: str = ACCENT) -> str:
    """Return the frame that all of dobook's outputs share."""
    return tag("div", "".join(parts), _BOX % colour)


def heading(title: str, note: str = "") -> str:
    """Return a card's first line, from plain text."""
    aside = " " + tag("span", escape(note), f"color: {MUTED}") if note else ""
    return tag("div", tag("b", escape(title)) + aside)


def pre(text: str) -> str:
    """Return text as it is, with its line breaks."""
    return tag("pre", escape(text), _PRE)


def rows_html(rows: "Rows", *, code: bool = False) -> str:
    """Return rows of a label and a text as a table without lines."""
    font = f"; font-family: {MONO}" if code else ""
    lines = "".join(
        tag(
            "tr",
            tag("td", escape(label), f"{_CELL}; color: {MUTED}; white-space: nowrap{font}")
            + tag("td", escape(text).replace("\n", "<br>"), _CELL + font),
            _ROW,
        )
        for label, text in rows
    )
    return tag("table", lines, _TABLE)


TEXT_COLUMN = "text-align: left"
TIME_COLUMN = "text-align: left; white-space: nowrap"
NUMBER_COLUMN = "text-align: right"


def table_html(names: Sequence[str], rows: Iterable[Sequence[str]], styles: Sequence[str]) -> str:
    """Return a table with a heading.

    Args:
        names: The headings.
        rows: The cells' texts.
        styles: One of the column styles above for each.
    """

    def line(kind: str, texts: Sequence[str]) -> str:
        cells = zip(texts, styles, strict=True)
        return tag("tr", "".join(tag(kind, escape(text), style) for text, style in cells))

    head = tag("thead", line("th", names))
    body = tag("tbody", "".join(line("td", row) for row in rows))
    return f'<table class="dataframe">{head}{body}</table>'


def rows_text(rows: "Rows") -> str:
    """Return rows of a label and a text, aligned."""
    width = max((len(label) for label, _ in rows), default=0)
    margin = "\n" + " " * (width + 4)
    return "\n".join(
        f"  {label:<{width}}  {text}".replace("\n", margin).rstrip() for label, text in rows
    )


Rows = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, repr=False)
class Card:
    """What dobook says of one thing.

    Attributes:
        title: What it is.
        rows: Label and text.
        note: A few words beside the title.
        picture: SVG to show below the rows, all its text escaped; the rows say the same in words.
    """

    title: str
    rows: Rows
    note: str = ""
    picture: str = ""

    def __repr__(self) -> str:
        head = f"{self.title}  {self.note}".rstrip()
        return "\n".join(filter(None, (head, rows_text(self.rows))))

    def _repr_html_(self) -> str:
        rows = rows_html(self.rows) if self.rows else ""
        return box(heading(self.title, self.note), rows, self.picture)


@dataclass(frozen=True, slots=True, repr=False)
class Hint:
    """One sentence beside an output."""

    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return tag("div", escape(self.text), f"color: {MUTED}; padding-left: 15px")


def count(number: int, noun: str) -> str:
    """Return a number with its noun.

    Example:
        >>> count(1, "key"), count(2, "key"), count(0, "class")
        ('1 key', '2 keys', '0 classes')
    """
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith('s') else 's'}"


def clock_text(now_ms: int, *, virtual: bool) -> str:
    """Return the time of a clock, and what makes it move.

    Example:
        >>> clock_text(0, virtual=True)
        '1970-01-01 00:00:00 UTC, virtual: moves when told to'
    """
    kind = "virtual: moves when told to" if virtual else "real"
    return f"{format_time(now_ms)} UTC, {kind}"


def shorten(text: str, width: int = 80) -> str:
    """Return a text cut to a width, with an ellipsis where it was cut."""
    return text if len(text) <= width else text[: width - 1] + "…"
