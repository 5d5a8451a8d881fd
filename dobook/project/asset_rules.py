"""`_headers` and `_redirects` of an assets folder: read once, asked for each request.

A rule that Cloudflare would leave out is left out here too, with a warning that says why.

Source: developers.cloudflare.com/workers/static-assets/headers/, …/redirects/,
cloudflare/workers-sdk packages/workers-shared/utils/configuration/
"""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from dobook.project.asset_paths import PathPattern, PatternError, fill
from dobook.web import Headers
from dobook.web.url import URL

MOST_HEADER_RULES: Final = 100
MOST_HEADER_LINE: Final = 2_000  # characters
MOST_STATIC: Final = 2_000
MOST_DYNAMIC: Final = 100
MOST_REDIRECT_LINE: Final = 1_000  # characters
STATUSES: Final = (200, 301, 302, 303, 307, 308)

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\uffff]*").fullmatch
_IS_PATH: Final = re.compile(r"\S+://|/").match
_TO_INDEX: Final = re.compile(r"/index(\.html)?$").search


class RuleError(ValueError):
    """Why a line is left out."""


@dataclass(slots=True)
class _Rules:
    """What the rules of a file have in common: a name, and warnings.

    Attributes:
        warnings: What was left out, and why.
    """

    warnings: list[str] = field(default_factory=list)
    name = ""

    def leave_out(self, number: int, why: str) -> None:
        self.warnings.append(f"{self.name}, line {number}: {why} The line is left out.")


# ---------------------------------------------------------------------- _headers


@dataclass(slots=True)
class HeaderRule:
    """The headers of the answers to some paths.

    Attributes:
        pattern: The paths.
        given: Names in lower case, and values.
        removed: Names of headers that are taken away.
    """

    pattern: PathPattern
    given: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)


class HeaderRules(_Rules):
    """The rules of a `_headers`.

    Args:
        text: What the file says.
    """

    name = "_headers"

    def __init__(self, text: str) -> None:
        super().__init__()
        self._rules: list[HeaderRule] = []
        rule: HeaderRule | None = None
        for number, raw in enumerate(text.split("\n"), 1):
            line = raw.strip()
            if not line or line.startswith("#"):
                continue
            try:
                if len(line) > MOST_HEADER_LINE:
                    raise RuleError(f"it has more than {MOST_HEADER_LINE:,} characters.")
                if _IS_PATH(line):
                    rule = None
                    if len(self._rules) == MOST_HEADER_RULES:
                        raise RuleError(f"a file has at most {MOST_HEADER_RULES} rules.")
                    rule = HeaderRule(_pattern(line, host=True))
                    self._rules.append(rule)
                elif rule is None:
                    raise RuleError("a path that begins with a slash has to come first.")
                else:
                    _read_header(line, rule)
            except RuleError as error:
                self.leave_out(number, str(error))

    def apply(self, url: str, headers: Headers) -> None:
        """Change the headers of the answer to a URL.

        Rules apply in their order. What a rule gives replaces what the server has set; what
        several rules give is joined.
        """
        if not self._rules:
            return
        parts = urlsplit(url)
        given: set[str] = set()
        for rule in self._rules:
            host = f"https://{parts.hostname}" if rule.pattern.absolute else ""
            found = rule.pattern.match(host + parts.path)
            if found is None:
                continue
            for name in rule.removed:
                headers.delete(name)
            for name, value in rule.given.items():
                put = headers.append if name in given else headers.set
                put(name, fill(value, found))
                given.add(name)


def _read_header(line: str, rule: HeaderRule) -> None:
    name, colon, value = line.partition(":")
    if not colon:
        if not line.startswith("! "):
            raise RuleError('it is neither "name: value" nor "! name".')
        name = line[2:].strip()
        if not _NAME(name):
            raise RuleError(f"{name!r} is not a header's name.")
        rule.removed.append(name)
        return
    name, value = name.strip().lower(), value.strip()
    if not _NAME(name):
        raise RuleError(f"{name!r} is not a header's name.")
    if not value or not _VALUE(value):
        raise RuleError(f"{name} has no value that a header can have.")
    before = rule.given.get(name)
    rule.given[name] = value if before is None else f"{before}, {value}"


# ---------------------------------------------------------------------- _redirects


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where a request is sent.

    Attributes:
        to: The URL, or a path.
        status: 200 for a file that is given under another path, else that of the answer.
    """

    to: str
    status: int


class RedirectRules(_Rules):
    """The rules of a `_redirects`.

    Args:
        text: What the file says.
        html_handling: As in the configuration.
    """

    name = "_redirects"

    def __init__(self, text: str, html_handling: str = "auto-trailing-slash") -> None:
        super().__init__()
        self._html = html_handling != "none"
        self._static: dict[str, Redirect] = {}
        self._dynamic: list[tuple[PathPattern, Redirect]] = []
        self._sources: set[str] = set()
        self._counts = {"static": 0, "dynamic": 0}
        for number, raw in enumerate(text.split("\n"), 1):
            line = raw.strip()
            if not line or line.startswith("#"):
                continue
            try:
                self._read(line)
            except RuleError as error:
                self.leave_out(number, str(error))

    def find(self, path: str) -> Redirect | None:
        """Return where a path, as the URL has it, is sent; None if it is not.

        The first rule counts, and rules without splats and placeholders come first.
        """
        redirect = self._static.get(path)
        if redirect is not None:
            return redirect
        for pattern, rule in self._dynamic:
            found = pattern.match(path)
            if found is not None:
                to = fill(rule.to, found).strip()
                return Redirect(_one_slash(to) if rule.to.startswith("/") else to, rule.status)
        return None

    def _read(self, line: str) -> None:
        if len(line) > MOST_REDIRECT_LINE:
            raise RuleError(f"it has more than {MOST_REDIRECT_LINE:,} characters.")
        words = line.split()
        for n, word in enumerate(words):
            if n >= 2 and word.startswith("#"):
                del words[n:]
                break
        if len(words) not in (2, 3):
            raise RuleError('it is not "source destination code", where the code may be left out.')
        source = words[0] if words[0].startswith(("/", "https://")) else f"/{words[0]}"
        pattern = _pattern(source, host=False)
        source = _normal(source)
        kind = "dynamic" if pattern.dynamic or self._dynamic else "static"
        most = MOST_DYNAMIC if kind == "dynamic" else MOST_STATIC
        if self._counts[kind] == most:
            raise RuleError(f"a file has at most {most:,} {kind} redirects.")
        code = words[2] if len(words) == 3 else "302"
        if code not in map(str, STATUSES):
            raise RuleError(f"the code is one of {', '.join(map(str, STATUSES))}, not {code[:20]}.")
        redirect = Redirect(_destination(words[1]), int(code))
        local = redirect.to.startswith("/")
        if redirect.status == 200 and not local:
            raise RuleError("200 gives a file of the folder, so the destination is a path.")
        loops = source.endswith("/*") or (source.endswith("/") and self._html)
        if local and loops and _TO_INDEX(redirect.to):
            raise RuleError("it would go round in circles: `/index.html` is sent to `/`.")
        if source in self._sources:
            raise RuleError(f"there is a rule for {source} above.")
        self._sources.add(source)
        self._counts[kind] += 1
        if kind == "static":
            self._static[source] = redirect
        else:
            self._dynamic.append((pattern, redirect))


def _destination(text: str) -> str:
    if text.startswith("https://"):
        if not URL.canParse(text):
            raise RuleError("the destination is not a URL.")
        return text
    if not text.startswith("/"):
        raise RuleError("the destination begins with a slash or with https://.")
    return _one_slash(text)


def _one_slash(to: str) -> str:
    # "//host" and "/\host" would lead to another host, which a visitor could have chosen.
    path, mark, rest = to.partition("?")
    return re.sub(r"[/\\]+", "/", "/" + path) + mark + rest


def _pattern(text: str, *, host: bool) -> PathPattern:
    if text.startswith("https://"):
        if not host:
            raise RuleError("the source is a path.")
        if re.match(r"https://[^/]*:\d+(/|$)", text):
            raise RuleError("a port cannot be given.")
    elif not text.startswith("/"):
        raise RuleError("a path begins with a slash, an absolute URL with https://.")
    try:
        return PathPattern(_normal(text))
    except PatternError as error:
        raise RuleError(f"{error}.") from None


def _normal(text: str) -> str:
    """Return a pattern as paths of URLs are: escaped, without query, fragment and dot segments."""
    start, path = "", text
    if text.startswith("https://"):
        host, _, path = text.removeprefix("https://").partition("/")
        start, path = f"https://{host.lower()}", f"/{path}"
    return start + str(URL(f"http://x{path}").pathname)
