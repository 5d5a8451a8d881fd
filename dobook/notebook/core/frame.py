"""Snapshots and records as DataFrames: dtypes stated, the same columns also without rows.

Times are `datetime64[ms, UTC]` on the runtime's clock, durations float64 in the unit that the
column's name ends with. `.attrs` says which object a frame is of and at what time it was taken.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, ClassVar, Final

import numpy as np
import pandas as pd

from dobook.clock import format_time
from dobook.notebook.core.display import (
    MUTED,
    NUMBER_COLUMN,
    TEXT_COLUMN,
    TIME_COLUMN,
    shorten,
    table_html,
    tag,
)

TIME = "datetime64[ms, UTC]"
ID_DIGITS = 12
_STYLES = {"Int64": NUMBER_COLUMN, "float64": NUMBER_COLUMN, TIME: TIME_COLUMN}
_MOST_DIGITS = 12  # of a number, before it is rounded
_MOST_WIDE = 70  # characters of a cell
_MOST_OF_ERROR = 400  # the cure is at the end of it
_TEXT: Final = ("display.width", 160, "display.max_columns", 20, "display.show_dimensions", False)


class Frame(pd.DataFrame):
    """A DataFrame that says in a line above what it shows; everything made from it is plain."""

    # pandas' hook for attributes that are not columns.
    _internal_names = [*getattr(pd.DataFrame, "_internal_names", ()), "_picture"]  # noqa: RUF012
    _internal_names_set = set(_internal_names)  # noqa: RUF012
    _picture = ""
    most_rows: ClassVar[int] = 20  # of a table on the screen; the frame has them all

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def picture(self, svg: str) -> "Frame":
        """Show a picture above the table; returns the frame."""
        self._picture = svg
        return self

    @property
    def svg(self) -> str:
        """The picture; empty without one."""
        return self._picture

    @property
    def table(self) -> str:
        """The table as HTML, all text escaped; empty without rows."""
        return "" if self.empty else self._table()

    def __repr__(self) -> str:
        caption = str(self.attrs.get("caption", ""))
        if self.empty:
            return caption
        # The same width everywhere: committed outputs must not depend on a terminal.
        with pd.option_context(
            *_TEXT, "display.max_rows", self.most_rows, "display.min_rows", self.most_rows
        ):
            return f"{caption}\n{self._readable()!r}"

    def _repr_html_(self) -> str:
        caption = tag("div", escape(self.attrs.get("caption", "")), f"color: {MUTED}")
        return caption + self._picture + self.table

    def _table(self) -> str:
        shown = self._readable()
        widths = [_MOST_OF_ERROR if name == "error" else _MOST_WIDE for name in shown.columns]
        rows = [
            [str(index), *(shorten(_cell(v), w) for v, w in zip(row, widths, strict=True))]
            for index, *row in shown.itertuples(name=None)
        ]
        if len(self) > self.most_rows:
            rows[len(rows) // 2 - 1 : len(rows) // 2 + 1] = [["…"] * (len(shown.columns) + 1)]
        dtypes = [self.dtypes[name] for name in shown.columns]
        styles = [_STYLES.get(str(dtype), TEXT_COLUMN) for dtype in dtypes]
        return table_html(["", *map(str, shown.columns)], rows, [NUMBER_COLUMN, *styles])

    def _readable(self) -> pd.DataFrame:
        """Return the frame with times as people read them, and nothing where nothing is."""
        shown = pd.DataFrame(self).drop(columns=list(self.attrs.get("hidden", ())))
        if len(shown) > self.most_rows:
            half = self.most_rows // 2 + 1  # one too many each: pandas marks what it leaves out
            shown = pd.concat([shown.head(half), shown.tail(half)])
        for name, dtype in shown.dtypes.items():
            if str(dtype) == TIME:
                texts = [
                    "" if pd.isna(t) else format_time(round(t.timestamp() * 1000))
                    for t in shown[name]
                ]
                shown[name] = pd.Series(texts, index=shown.index, dtype=object)
            elif str(dtype) in ("string", "Int64") or shown[name].hasnans:
                texts = ["" if pd.api.types.is_scalar(v) and pd.isna(v) else v for v in shown[name]]
                shown[name] = pd.Series(texts, index=shown.index, dtype=object)
        return shown


def _cell(value: object) -> str:
    """Return a cell's text; of a number that has no short one, six digits.

    Example:
        >>> _cell(50.0), _cell(8.529700000000002e-05), _cell("lamp")
        ('50.0', '8.5297e-05', 'lamp')
    """
    text = str(value)
    return f"{value:.6g}" if isinstance(value, float) and len(text) > _MOST_DIGITS else text


def make_frame(
    columns: Mapping[str, str],
    rows: Iterable[Sequence[Any]],
    caption: str,
    now_ms: int,
    **attrs: Any,
) -> Frame:
    """Return a frame of documented columns.

    Args:
        columns: Their names and dtypes.
        rows: The rows, each as long as there are columns.
        caption: What the frame says above itself.
        now_ms: When it was taken, in ms since 1970.
        attrs: What else `.attrs` has; `hidden` names columns that are not shown.
    """
    listed = list(rows)
    data = {
        name: _column([row[i] for row in listed], dtype)
        for i, (name, dtype) in enumerate(columns.items())
    }
    frame = Frame(data)
    frame.attrs.update(caption=caption, time=format_time(now_ms), **attrs)
    return frame


def _column(values: list[Any], dtype: str) -> "pd.Series[Any]":
    if dtype == TIME:
        return pd.Series(np.array(values, dtype="datetime64[ms]")).dt.tz_localize("UTC")
    if dtype == "object":
        series = pd.Series([None] * len(values), dtype=object)
        for i, value in enumerate(values):
            series.iat[i] = value  # lists and dicts are values here, not rows
        return series
    return pd.Series(values, dtype=dtype)
