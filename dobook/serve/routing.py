"""Where a request goes: to the Worker if there is one, else to the object that its path names.

`/{binding}/{name}/…` asks an object, which sees the rest of the path; the binding may be written in
any case. Under `/_dobook/` a server has pages of its own.
"""

from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import quote

from dobook.errors import DobookError
from dobook.runtime.access import kernel_of
from dobook.runtime.worker.inbound import Answered, fetch_object, fetch_worker
from dobook.serve.access import PAGES
from dobook.serve.head import Head
from dobook.web import Response
from dobook.web.body import Content
from dobook.web.url import delivered_url

if TYPE_CHECKING:
    from dobook.runtime.objects.namespace import DurableObjectNamespace
    from dobook.runtime.runtime import Runtime

HTML = {"content-type": "text/html;charset=UTF-8"}


class Router:
    """Passes the requests of a server on to its runtime.

    Args:
        runtime: The runtime.
        pages: Whether the server has pages of its own.
    """

    def __init__(self, runtime: "Runtime", *, pages: bool) -> None:
        self._runtime = runtime
        self._pages = pages

    def send(self, head: Head, body: Content, answered: Answered) -> None:
        """Pass a request on.

        Args:
            head: The request.
            body: Its body, None for none.
            answered: Called with the response, or with what an object raised.
        """
        runtime = self._runtime
        if self._pages and head.target.startswith(PAGES):
            answered(self._page(head)._delivered(head.url, head=head.method == "HEAD"), None)
        elif kernel_of(runtime).worker_entry is not None:
            fetch_worker(kernel_of(runtime), head.request(body), answered)
        else:
            self._send_to_object(head, body, answered)

    def _send_to_object(self, head: Head, body: Content, answered: Answered) -> None:
        found = head.object_path()
        namespace = None if found is None else self._namespace(found[0])
        if found is None or namespace is None:
            answered(self._nobody(head)._delivered(head.url, head=head.method == "HEAD"), None)
            return
        _, name, url = found
        try:
            if len(name) == 64 and all(c in "0123456789abcdefABCDEF" for c in name):
                identity = namespace.idFromString(name)
            else:
                identity = namespace.idFromName(name)
            request = head.request(body, delivered_url(url))
        except DobookError as error:
            answered(_text(404, str(error))._delivered(head.url), None)
            return
        fetch_object(namespace, identity, request, answered)

    def _namespace(self, binding: str) -> "DurableObjectNamespace | None":
        namespaces = kernel_of(self._runtime).namespaces
        for namespace in namespaces:
            if namespace.binding == binding:
                return namespace
        folded = binding.lower()
        return next((n for n in namespaces if n.binding.lower() == folded), None)

    def _nobody(self, head: Head) -> Response:
        bindings = [n.binding for n in kernel_of(self._runtime).namespaces]
        if head.target == "/" and self._pages:
            return self._index(head)
        known = ", ".join(f"/{b}/{{name}}" for b in bindings) or "no classes yet"
        return _text(404, f"Nobody answers to this path. There are: {known}.")

    # ------------------------------------------------------------------ the server's own pages

    def _page(self, head: Head) -> Response:
        path = head.target.partition("?")[0].removeprefix(PAGES)
        if path in ("", "/"):
            return self._index(head)
        parts = path.strip("/").split("/")
        if parts[0] == "chat" and len(parts) >= 3:
            return Response(_chat_page(), headers=HTML)
        return _text(404, "This server has no such page.")

    def _index(self, head: Head) -> Response:
        # Relative, because a proxy may put something before the path.
        pages = "" if head.target.startswith(f"{PAGES}/") else PAGES.lstrip("/") + "/"
        rows = "".join(
            f"<li><code>/{escape(n.binding)}/<em>name</em></code> {escape(n.class_name)}"
            f" <a href='{pages}chat/{quote(n.binding)}/lobby'>chat page</a></li>"
            for n in kernel_of(self._runtime).namespaces
        )
        return Response(_INDEX.replace("ROWS", rows or "<li>no classes yet</li>"), headers=HTML)


def _text(status: int, text: str) -> Response:
    return Response(text + "\n", status=status)


def _chat_page() -> str:
    return files("dobook.serve").joinpath("static", "chat.html").read_text("utf-8")


_INDEX = """<!doctype html><html lang="en"><meta charset="utf-8"><title>dobook</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;
margin:3rem auto;padding:0 1rem}</style><h1>dobook</h1><p>These objects answer:</p><ul>ROWS</ul>"""
