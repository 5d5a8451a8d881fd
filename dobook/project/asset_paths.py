"""Where a pattern of `_headers` or `_redirects` fits a path: splats and placeholders.

The patterns are the author's, the paths are anybody's. So each segment is compared on its own, and a
path that fits nowhere costs no more than its length; a regular expression would take powers of it.

Source: developers.cloudflare.com/workers/static-assets/redirects/#advanced-redirects,
cloudflare/workers-sdk packages/workers-shared/asset-worker/src/utils/rules-engine.ts
"""

import re
from typing import Final

_PLACEHOLDER: Final = re.compile(r":([A-Za-z]\w*)", re.ASCII)
SPLAT: Final = "splat"


class PatternError(ValueError):
    """A pattern that fits nothing."""


class PathPattern:
    """A pattern such as `/blog/:year/*`, or `https://:name.example.com/*` with a host.

    Args:
        text: The pattern.

    Raises:
        PatternError: If it has two splats, a name twice, or a placeholder beside a splat.

    Example:
        >>> PathPattern("/blog/:year/*").match("/blog/2026/a/b")
        {'year': '2026', 'splat': 'a/b'}
    """

    def __init__(self, text: str) -> None:
        names = _PLACEHOLDER.findall(text)
        if text.count("*") > 1:
            raise PatternError("only one splat (*) is possible")
        if len(set(names)) < len(names) or (SPLAT in names and "*" in text):
            raise PatternError("a placeholder can be used once only")
        self.absolute = text.startswith("https://")
        self.dynamic = bool(names) or "*" in text
        segments = text.split("/")
        host = 2 if self.absolute else -1
        splat = next((n for n, segment in enumerate(segments) if "*" in segment), None)
        if splat is not None and _PLACEHOLDER.search(segments[splat]):
            raise PatternError("a placeholder and a splat need a slash between them")
        self._left = [_Segment(s, host=n == host) for n, s in enumerate(segments[:splat])]
        self._right: list[_Segment] = []
        self._splat: tuple[str, str] | None = None
        if splat is not None:
            before, _, after = segments[splat].partition("*")
            self._splat = before, after
            self._right = [_Segment(s, host=False) for s in segments[splat + 1 :]]

    def match(self, path: str) -> dict[str, str] | None:
        """Return what the placeholders and the splat stand for; None if the pattern does not fit."""
        segments = path.split("/")
        left, right = self._left, self._right
        found: dict[str, str] = {}
        if self._splat is None:
            if len(segments) != len(left):
                return None
        elif len(segments) <= len(left) + len(right):
            return None
        for pattern, segment in zip(left, segments, strict=False):
            if not pattern.match(segment, found):
                return None
        if self._splat is not None:
            end = len(segments) - len(right)
            for pattern, segment in zip(right, segments[end:], strict=True):
                if not pattern.match(segment, found):
                    return None
            (before, after), middle = self._splat, "/".join(segments[len(left) : end])
            if len(middle) < len(before) + len(after):
                return None
            if not (middle.startswith(before) and middle.endswith(after)):
                return None
            found[SPLAT] = middle[len(before) : len(middle) - len(after)]
        return found


class _Segment:
    """What is between two slashes: texts and placeholders, which stand for a character or more."""

    def __init__(self, text: str, *, host: bool) -> None:
        pieces = _PLACEHOLDER.split(text)
        self._texts = pieces[::2]
        self._names = pieces[1::2]
        self._labels = host and bool(self._names)
        if self._labels:  # a placeholder of a host ends at a full stop
            self._parts = [_Segment(label, host=False) for label in text.split(".")]

    def match(self, segment: str, found: dict[str, str]) -> bool:
        """Add what the placeholders stand for; returns whether the segment fits.

        The first one takes as much as it can, then the second, as in a regular expression: so each
        text between them is looked for from the end.
        """
        if self._labels:
            labels = segment.split(".")
            return len(labels) == len(self._parts) and all(
                part.match(label, found) for part, label in zip(self._parts, labels, strict=True)
            )
        texts, names = self._texts, self._names
        if not names:
            return segment == texts[0]
        end = len(segment) - len(texts[-1])
        if end < len(texts[0]) or not segment.startswith(texts[0]):
            return False
        if not segment.endswith(texts[-1]):
            return False
        for n in range(len(names) - 1, 0, -1):
            at = segment.rfind(texts[n], len(texts[0]) + 1, end - 1)
            if at < 0:
                return False
            found[names[n]] = segment[at + len(texts[n]) : end]
            end = at
        found[names[0]] = segment[len(texts[0]) : end]
        return end > len(texts[0])


def fill(text: str, found: dict[str, str]) -> str:
    """Return a text with what its placeholders stand for; unknown ones stay.

    Example:
        >>> fill("/news/:splat?of=:year&x=:x", {"splat": "a", "year": "2026"})
        '/news/a?of=2026&x=:x'
    """
    return _PLACEHOLDER.sub(lambda name: found.get(name[1], name[0]), text)
