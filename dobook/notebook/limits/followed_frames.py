"""Frames that can be followed: where a front end is there, they are shown live beside themselves."""

from collections.abc import Callable
from typing import Self

import pandas as pd

from dobook.notebook.core.frame import Frame


class FollowedFrame(Frame):
    """A frame that knows how it was made, so that a view can make it again as time passes.

    It stays a DataFrame of the moment it was made; everything made from it is plain.
    """

    _internal_names = [*Frame._internal_names, "_again", "_label"]  # noqa: RUF012, SLF001
    _internal_names_set = set(_internal_names)  # noqa: RUF012
    _again: Callable[[], Frame] | None = None
    _label = ""

    @classmethod
    def follow(cls, label: str, make: Callable[[], Frame]) -> Self:
        """Return a frame as it is now.

        Args:
            label: The object that it is about, `BINDING/name`.
            make: Makes the frame; called again whenever a view looks.
        """
        frame = make()
        followed = cls(frame)
        followed.attrs.update(frame.attrs)
        followed.picture(frame.svg)
        followed._again = make
        followed._label = label
        return followed

    @property
    def label(self) -> str:
        """The object that it is about."""
        return self._label

    def again(self) -> Frame:
        """Return the frame as it is now."""
        return self if self._again is None else self._again()

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame


class RateLimitFrame(FollowedFrame):
    """What a rate limiter counts."""


class WorkflowFrame(FollowedFrame):
    """A workflow's steps."""
