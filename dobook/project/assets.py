"""Static files beside a Worker: what `assets.directory` has, as a request finds it.

Source: developers.cloudflare.com/workers/static-assets/
"""

import contextlib
import json
import mimetypes
import os
import re
import stat
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes, urlsplit

from dobook.errors import ConfigurationError, PlatformTypeError
from dobook.project.asset_ignore import IgnoreRules
from dobook.project.asset_rules import HeaderRules, Redirect, RedirectRules
from dobook.runtime.calls.aborting import heeding
from dobook.runtime.calls.promise import Promise, Rejected, Resolved
from dobook.web import Request, Response
from dobook.web.url import URL
from dobook.wrangler import Assets

IGNORE: Final = ".assetsignore"
HEADERS: Final = "_headers"
REDIRECTS: Final = "_redirects"
_OWN: Final = frozenset((IGNORE, HEADERS, REDIRECTS))  # they say how to serve, and are not served
_SECRETS: Final = re.compile(r"\.(dev\.vars|env)(\..*)?", re.IGNORECASE)
_MOST_HOPS: Final = 20

_TEXT = ("text/", "application/javascript", "application/json")
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".ico": "image/vnd.microsoft.icon"}
_TIDY: Final = "!$&'()*+,;=:@/-._~"  # what a path may have as it is


def _how_to_build(folder: Path, command: str | None) -> str:
    """Return what makes the files, which dobook does not run; empty if nothing is known."""
    package = folder / "package.json"
    if command is None and package.is_file():
        with contextlib.suppress(ValueError, AttributeError):
            if json.loads(package.read_text("utf-8")).get("scripts", {}).get("build"):
                command = "npm run build"
    return f" Its build makes it: {command}" if command else ""


class AssetsFetcher:
    """What `env.ASSETS` is, and what answers before the Worker.

    `.assetsignore`, `_headers` and `_redirects` are read when it is made.

    Args:
        folder: The folder of the project.
        assets: What the configuration says of them.
        build: The command that makes them, if the configuration has one.

    Attributes:
        warnings: Rules that were left out, and why.

    Raises:
        ConfigurationError: If no folder is given, it is missing, or a file of rules is unreadable.
    """

    def __init__(self, folder: Path, assets: Assets, build: str | None = None) -> None:
        self._assets = assets
        self._html = assets.html_handling or "auto-trailing-slash"
        if assets.directory is None:
            raise ConfigurationError(
                '"assets" has no "directory", so the whole project would be served, its secrets '
                'included. Name the folder of the files: "directory": "./public".',
                "wrangler configuration",
            )
        self._root = (folder / assets.directory).resolve()
        if not self._root.is_dir():
            raise ConfigurationError(
                f"assets.directory is {assets.directory!r}, and there is no such folder in {folder}."
                f"{_how_to_build(folder, build)}",
                "wrangler configuration",
            )
        self._ignored = IgnoreRules(self._text(IGNORE))
        self._headers = HeaderRules(self._text(HEADERS))
        self._redirects = RedirectRules(self._text(REDIRECTS), self._html)
        self.warnings = [*self._headers.warnings, *self._redirects.warnings]

    def _text(self, name: str) -> str:
        file = self._root / name
        if not file.is_file():
            return ""
        try:
            return file.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8"
            raise ConfigurationError(
                f"{name} in {self._assets.directory} cannot be read: {why}.", name
            ) from error

    def fetch(self, input: Any, init: Any = None, **options: Any) -> Promise:  # noqa: A002
        """Return a promise of the file that a URL's path leads to, status 404 without one."""
        try:
            request = Request._for_delivery(input, {**(init or {}), **options} or None)  # noqa: SLF001
            return heeding(request, lambda: Resolved(self._found(request)))
        except Exception as error:
            return Rejected(error)

    def _found(self, request: Request) -> Response:
        follow = request._redirect == "follow"  # noqa: SLF001
        return self.answer(request, follow=follow) or self._missing(request.url)

    def before_worker(self, request: Request) -> Response | None:
        """Return the file that answers a request before the Worker is asked, None for none."""
        first = self._assets.run_worker_first
        path = urlsplit(request.url).path
        if first is True or (first and any(fnmatchcase(path, pattern) for pattern in first)):
            return None
        return self.answer(request)

    def after_worker(self, request: Request) -> Response:
        """Return what answers where there is no Worker."""
        return self._missing(request.url)

    def answer(self, request: Request, *, follow: bool = False) -> Response | None:
        """Return the file of a request, or where it is sent; None if there is neither.

        Args:
            request: What is asked.
            follow: Whether the file is given where a browser is sent to another address.
        """
        url, hops = request.url, 0
        while (redirect := self._redirects.find(urlsplit(url).path)) and redirect.status != 200:
            sent = _location(redirect, url)
            if sent is None:
                redirect = None
                break
            location, to = sent
            if not follow or to is None:
                headers = {"Location": location}
                return self._dressed(url, Response(None, status=redirect.status, headers=headers))
            url, hops = to, hops + 1
            if hops > _MOST_HOPS:
                raise PlatformTypeError("Too many redirects.")
        if request.method not in ("GET", "HEAD"):
            return None
        path = urlsplit(url).path if redirect is None else str(URL(redirect.to, url).pathname)
        found = self._answer_file(path, url, follow=follow)
        if found is None and redirect is not None:
            found = Response(None, status=404)
        return None if found is None else self._dressed(url, found)

    def _answer_file(self, path: str, url: str, *, follow: bool) -> Response | None:
        try:
            decoded = unquote_to_bytes(path).decode()
        except UnicodeDecodeError:
            return None  # no name of a file: they are UTF-8
        file = self._find(decoded)
        if file is None:
            return None
        if self._html != "none" and decoded.endswith(".html") and not follow:
            *folders, name = decoded.removesuffix(".html").split("/")
            tidy = "/".join(["", *filter(None, folders), "" if name == "index" else name])
            if self._find(tidy) == file:  # or there is another file of that address
                query = urlsplit(url).query
                location = quote(tidy, safe=_TIDY) + (f"?{query}" if query else "")
                return Response(None, status=307, headers={"Location": location})
        return _response(file)

    def _find(self, path: str) -> Path | None:
        relative = path.lstrip("/")
        candidates = [relative]
        if self._html != "none":
            bare = relative.rstrip("/")
            candidates += [f"{bare}.html"] if bare else []
            candidates += [f"{bare}/index.html" if bare else "index.html"]
        for candidate in candidates:
            file = self._file(candidate)
            if file is not None:
                return file
        return None

    def _file(self, relative: str) -> Path | None:
        """Return a file that is served, by its path with slashes; None without one.

        A name is one only as it is spelled, which a file system may see otherwise: Windows has
        devices, streams, short names and full stops that do not count, and it and macOS do not
        tell upper from lower case. What a file system cannot even look for is not there.
        """
        names = [name for name in relative.split("/") if name]
        if not names or relative.endswith("/") or any(name in (".", "..") for name in names):
            return None
        if os.sep == "\\" and any(c in relative for c in '\\:*?"<>|'):
            return None  # before a path is made of it, which could be on another drive
        try:
            file = self._root.joinpath(*names).resolve(strict=True)
            if not stat.S_ISREG(file.stat().st_mode) or not file.is_relative_to(self._root):
                return None
            if not self._is_spelled(names):
                return None
        except (OSError, ValueError, RuntimeError):  # RuntimeError: links that go round in circles
            return None
        inside = file.relative_to(self._root).as_posix()
        for path in ("/".join(names), inside):
            if path in _OWN or _SECRETS.fullmatch(file.name) or self._ignored.ignores(path):
                return None
        return file

    def _is_spelled(self, names: list[str]) -> bool:
        folder = self._root
        for name in names:
            with os.scandir(folder) as entries:
                if all(entry.name != name for entry in entries):
                    return False
            folder /= name
        return True

    def _missing(self, url: str) -> Response:
        handling = self._assets.not_found_handling
        answer = None
        if handling == "single-page-application" and (page := self._file("index.html")):
            answer = _response(page)
        elif handling == "404-page" and (page := self._file("404.html")):
            answer = _response(page, 404)
        return self._dressed(url, answer or Response(None, status=404))

    def _dressed(self, url: str, response: Response) -> Response:
        self._headers.apply(url, response.js_headers)
        return response


def _location(redirect: Redirect, url: str) -> tuple[str, str | None] | None:
    """Return the Location of a redirect, and the URL itself if it is of the same origin.

    None if it has become no URL, which what a visitor has put into a host can make of it.
    """
    to, parts = URL.parse(redirect.to, url), urlsplit(url)
    if to is None:
        return None
    search = str(to.search) or (f"?{parts.query}" if parts.query else "")
    if to.origin == URL(url).origin:
        return f"{to.pathname}{search}{to.hash}", f"{to.origin}{to.pathname}{search}"
    bare = str(to.href).removesuffix(str(to.hash)).removesuffix(str(to.search))
    return f"{bare}{search}{to.hash}", None


def _response(file: Path, status: int = 200) -> Response | None:
    try:
        data = file.read_bytes()
    except OSError:
        return None  # gone, or not ours to read
    kind = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0]
    kind = kind or "application/octet-stream"
    if kind.startswith(_TEXT):
        kind += "; charset=utf-8"
    return Response(data, status=status, headers={"Content-Type": kind})
