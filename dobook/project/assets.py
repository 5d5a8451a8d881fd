"""Static files beside a Worker: what `assets.directory` has, as a request finds it.

Source: developers.cloudflare.com/workers/static-assets/
"""

import mimetypes
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from dobook.errors import ConfigurationError
from dobook.runtime.calls.promise import Promise, Rejected, Resolved
from dobook.web import Request, Response
from dobook.wrangler import Assets

_SECRETS = re.compile(r"\.(dev\.vars|env)(\..*)?", re.IGNORECASE)
_TEXT = ("text/", "application/javascript", "application/json")
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".ico": "image/vnd.microsoft.icon"}


class AssetsFetcher:
    """What `env.ASSETS` is, and what answers before the Worker.

    Args:
        folder: The folder of the project.
        assets: What the configuration says of them.

    Raises:
        ConfigurationError: If there is no such folder.
    """

    def __init__(self, folder: Path, assets: Assets) -> None:
        self._assets = assets
        self._root = (folder / (assets.directory or ".")).resolve()
        if not self._root.is_dir():
            raise ConfigurationError(
                f"assets.directory is {assets.directory!r}, and there is no such folder in {folder}.",
                "wrangler configuration",
            )

    def fetch(self, input: Any, init: Any = None, **options: Any) -> Promise:  # noqa: A002
        """Return a promise of the file that a URL's path leads to, status 404 without one."""
        try:
            request = Request._for_delivery(input, {**(init or {}), **options} or None)  # noqa: SLF001
            follow = request._redirect == "follow"  # noqa: SLF001
            return Resolved(self.answer(request, follow=follow) or self._missing())
        except Exception as error:
            return Rejected(error)

    def before_worker(self, request: Request) -> Response | None:
        """Return the file that answers a request before the Worker is asked, None for none."""
        first = self._assets.run_worker_first
        path = urlsplit(request.url).path
        if first is True or (first and any(fnmatchcase(path, pattern) for pattern in first)):
            return None
        return self.answer(request)

    def after_worker(self) -> Response | None:
        """Return what answers where there is no Worker."""
        return self._missing()

    def answer(self, request: Request, *, follow: bool = False) -> Response | None:
        """Return the file of a request; None if there is none, or it is no GET or HEAD.

        Args:
            request: What is asked.
            follow: Whether the file is given where a browser is sent to its shorter address.
        """
        if request.method not in ("GET", "HEAD"):
            return None
        path = unquote(urlsplit(request.url).path)
        html = self._assets.html_handling or "auto-trailing-slash"
        file = self._find(path, html)
        if file is None:
            return None
        if html != "none" and path.endswith(".html") and not follow:
            # One slash: a browser takes what follows two of them, or a backslash, for a host.
            tidy = quote("/" + path.lstrip("/\\").removesuffix(".html").removesuffix("index"))
            return Response(None, status=307, headers={"Location": tidy})
        return _response(file)

    def _find(self, path: str, html: str) -> Path | None:
        relative = path.lstrip("/")
        candidates = [relative]
        if html != "none":
            bare = relative.rstrip("/")
            candidates += [f"{bare}.html"] if bare else []
            candidates += [f"{bare}/index.html" if bare else "index.html"]
        for candidate in candidates:
            file = (self._root / candidate).resolve()
            inside = file.is_file() and file.is_relative_to(self._root)
            if inside and not _SECRETS.fullmatch(file.name):
                return file
        return None

    def _missing(self) -> Response:
        handling = self._assets.not_found_handling
        if handling == "single-page-application" and (self._root / "index.html").is_file():
            return _response(self._root / "index.html")
        if handling == "404-page" and (self._root / "404.html").is_file():
            return _response(self._root / "404.html", 404)
        return Response(None, status=404)


def _response(file: Path, status: int = 200) -> Response:
    kind = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0]
    kind = kind or "application/octet-stream"
    if kind.startswith(_TEXT):
        kind += "; charset=utf-8"
    return Response(file.read_bytes(), status=status, headers={"Content-Type": kind})
