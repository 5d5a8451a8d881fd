"""Which types have a live view, and the part of a display that carries it.

Text and HTML come from the formatters as ever; the view is one more kind beside them, and only
where a front end is likely to be there. So outputs that a program makes stay the same every time.
"""

import importlib
from typing import Any

from dobook.notebook.session import Session
from dobook.runtime.stub import DurableObjectStub

VIEW = "application/vnd.jupyter.widget-view+json"

# Module and class, imported when the first one is shown: ipywidgets takes its time.
VIEWS: dict[type, tuple[str, str]] = {
    DurableObjectStub: ("inspector", "ObjectInspector"),
}


def make(session: Session, which: tuple[str, str], subject: Any) -> Any:
    """Return a live view.

    Args:
        session: The session.
        which: Its module and class.
        subject: What it shows.
    """
    module = importlib.import_module(f"dobook.notebook.widgets.{which[0]}")
    return getattr(module, which[1])(session, subject)


def bundle(session: Session, which: tuple[str, str], subject: Any) -> dict[str, Any]:
    """Return the live part of a display; nothing where nobody could use it."""
    if not session.shows_views:
        return {}
    view = make(session, which, subject)
    return {VIEW: {"version_major": 2, "version_minor": 0, "model_id": view.model_id}}
