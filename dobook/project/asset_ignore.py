"""`.assetsignore`: which files of an assets folder are not served, in the syntax of `.gitignore`.

Source: developers.cloudflare.com/workers/static-assets/binding/#ignoring-assets,
git-scm.com/docs/gitignore
"""

import re
from typing import NamedTuple

_CLASS = re.compile(r"\[(!|\^)?(\]?(?:\\.|\[:[a-z]+:\]|[^\]\\])*)\]")
_NAMED = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "blank": " \\t", "digit": "0-9", "lower": "a-z",
    "upper": "A-Z", "space": "\\s", "xdigit": "0-9a-fA-F", "word": "\\w",
}  # fmt: skip


class _Pattern(NamedTuple):
    match: re.Pattern[str]
    ignores: bool
    folders_only: bool


class IgnoreRules:
    r"""The rules of a `.assetsignore`.

    Args:
        text: What the file says.

    Example:
        >>> rules = IgnoreRules("*.map\n!keep.map\n/hidden/\n")
        >>> [rules.ignores(path) for path in ("a.map", "b/keep.map", "hidden/x", "b/hidden/x")]
        [True, False, True, False]
    """

    def __init__(self, text: str) -> None:
        found = (_pattern(line) for line in text.splitlines())
        self._patterns = [pattern for pattern in found if pattern is not None]

    def ignores(self, path: str) -> bool:
        """Return whether a file is not served.

        Args:
            path: Its path in the folder, with slashes between the names and none in front.
        """
        parts = path.split("/")
        # What is in an ignored folder cannot be taken back.
        for end in range(1, len(parts)):
            if self._decides("/".join(parts[:end]), folder=True):
                return True
        return self._decides(path, folder=False)

    def _decides(self, path: str, *, folder: bool) -> bool:
        for pattern in reversed(self._patterns):
            if (folder or not pattern.folders_only) and pattern.match.fullmatch(path):
                return pattern.ignores
        return False


def _pattern(line: str) -> _Pattern | None:
    line = _without_trailing_spaces(line.rstrip("\r"))
    if not line or line.startswith("#"):
        return None
    ignores = not line.startswith("!")
    line = line if ignores else line[1:]
    folders_only = line.endswith("/")
    line = line.removesuffix("/")
    anchored = "/" in line
    line = line.removeprefix("/")
    if not line:
        return None
    expression = _translate(line)
    if expression is None:
        return None
    if not anchored:
        expression = f"(?:.*/)?{expression}"
    return _Pattern(re.compile(expression, re.DOTALL), ignores, folders_only)


def _without_trailing_spaces(line: str) -> str:
    bare = line.rstrip(" ")
    backslashes = len(bare) - len(bare.rstrip("\\"))
    return bare + " " if backslashes % 2 and len(bare) < len(line) else bare


def _translate(glob: str) -> str | None:
    """Return the regular expression of a pattern; None if it can match nothing."""
    out: list[str] = []
    at = 0
    while at < len(glob):
        here = glob[at]
        starts = at == 0 or glob[at - 1] == "/"
        if here == "*":
            stars = at
            while at < len(glob) and glob[at] == "*":
                at += 1
            if not starts or at - stars == 1 or glob[at : at + 1] not in ("/", ""):
                out.append("[^/]*")
            elif at == len(glob):
                out.append(".+")
            else:
                at += 1
                if out[-1:] != [
                    "(?:.*/)?"
                ]:  # several are as good as one, and no faster to tell apart
                    out.append("(?:.*/)?")
            continue
        if here == "?":
            out.append("[^/]")
        elif here == "\\":
            at += 1
            if at == len(glob):
                return None  # git: a backslash at the end never matches
            out.append(re.escape(glob[at]))
        elif here == "[":
            found = _CLASS.match(glob, at)
            if found is None:
                return None  # an unclosed bracket never matches either
            out.append(_translate_class(*found.groups()))
            at = found.end()
            continue
        else:
            out.append(re.escape(here))
        at += 1
    return "".join(out)


def _translate_class(negated: str | None, content: str) -> str:
    out: list[str] = []
    at = 0
    while at < len(content):
        if content.startswith("[:", at) and (end := content.find(":]", at)) > 0:
            out.append(_NAMED.get(content[at + 2 : end], ""))
            at = end + 2
            continue
        if content[at] == "\\" and at + 1 < len(content):
            at += 1
            out.append(re.escape(content[at]))
        elif content[at] == "-" and 0 < at < len(content) - 1:
            out.append("-")
        else:
            out.append(re.escape(content[at]))
        at += 1
    inner = "".join(out)
    if not inner:
        return "[^/]" if negated else r"(?!)"
    # Git's classes never match a slash.
    return f"(?!/)[{'^' if negated else ''}{inner}]"
