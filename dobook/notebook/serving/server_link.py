"""The URL of a served runtime: a text that shows itself as a link, with what it leads to."""

import os
from html import escape
from typing import TYPE_CHECKING, Any, Self

from dobook.notebook.core.display import Rows, box, heading, rows_html, rows_text, tag
from dobook.runtime.access import kernel_of

if TYPE_CHECKING:
    from dobook.serve import Server


class ServedUrl(str):
    """Where a runtime is served."""

    __slots__ = ("_rows",)

    _rows: Rows

    @classmethod
    def of(cls, server: "Server") -> Self:
        """Return the URL of a server, through JupyterHub's proxy where there is one."""
        url = server.url_with_token
        prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
        if prefix is not None:
            query = url.partition("/?")[2]
            url = f"{prefix.rstrip('/')}/proxy/{server.port}/" + (f"?{query}" if query else "")
        self = cls(url)
        runtime = server.runtime
        if kernel_of(runtime).worker_entry is not None:
            answers = "the Worker"
        else:
            paths = [f"/{n.binding}/{{name}}/…" for n in kernel_of(runtime).namespaces]
            answers = ", ".join(paths) or "nothing yet; define a class with %%durable_object"
        self._rows = (
            ("answers", answers),
            ("clock", "real, from where it stood; %serve --stop makes it virtual again"),
        )
        return self

    def __repr__(self) -> str:
        return f"{self}\n{rows_text(self._rows)}"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: FBT001 - IPython's
        printer.text(repr(self))

    def _repr_html_(self) -> str:
        link = f'<a style="color: inherit" href="{escape(self)}" target="_blank" rel="noopener">{escape(self)}</a>'
        return box(
            heading("serving", "in real time"),
            tag("div", link, "margin-top: 2px"),
            rows_html(self._rows),
        )
