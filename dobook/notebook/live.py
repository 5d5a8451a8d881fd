"""The types with a live view, and the part of a display that carries it.

Text and HTML come from the formatters as ever; the view is one more kind beside them, and only
where a front end is likely to be there. So outputs that a program makes stay the same every time.
"""

import importlib
from typing import Any

from dobook.notebook.core.session import Session, SessionCard
from dobook.notebook.limits.followed_frames import RateLimitFrame, WorkflowFrame
from dobook.notebook.past.moments import ObjectPast
from dobook.notebook.requests.request_console import RequestConsole
from dobook.notebook.timeline.diagram import Diagram
from dobook.runtime.access import kernel_of
from dobook.runtime.calls.stub import DurableObjectStub
from dobook.runtime.loop.loop import Clock
from dobook.runtime.objects.namespace import DurableObjectNamespace
from dobook.runtime.runtime import Runtime
from dobook.web import FetchResponse

VIEW = "application/vnd.jupyter.widget-view+json"

# Module and class, imported when the first one is shown: ipywidgets takes its time.
VIEWS: dict[type, tuple[str, str]] = {
    Clock: ("clock.clock_view", "ClockView"),
    Runtime: ("overview.runtime_view", "RuntimeView"),
    SessionCard: ("overview.runtime_view", "RuntimeView"),
    DurableObjectNamespace: ("overview.namespace_view", "NamespaceView"),
    ObjectPast: ("past.past_view", "PastView"),
    Diagram: ("timeline.timeline_view", "TimelineView"),
    RequestConsole: ("requests.console_view", "ConsoleView"),
    DurableObjectStub: ("inspector.inspector_view", "ObjectInspector"),
    FetchResponse: ("requests.response_view", "ResponseView"),
    RateLimitFrame: ("limits.followed_view", "RateLimitGauge"),
    WorkflowFrame: ("limits.followed_view", "WorkflowProgress"),
}


def make(session: Session, which: tuple[str, str], subject: object) -> Any:
    """Return a live view.

    Args:
        session: The session.
        which: Its module and class.
        subject: What it shows.
    """
    module = importlib.import_module(f"dobook.notebook.{which[0]}")
    return getattr(module, which[1])(session, subject)


def bundle(session: Session, which: tuple[str, str], subject: object) -> dict[str, Any]:
    """Return the live part of a display; nothing where nobody could use it."""
    if not session.shows_views or not _is_ours(session, subject):
        return {}
    view = make(session, which, subject)
    return {VIEW: {"version_major": 2, "version_minor": 0, "model_id": view.model_id}}


def _is_ours(session: Session, subject: object) -> bool:
    """Return whether a subject belongs to the session's runtime, not to another one."""
    runtime = session.runtime
    if isinstance(subject, DurableObjectStub):
        return subject._namespace.runtime is kernel_of(runtime)  # noqa: SLF001
    if isinstance(subject, DurableObjectNamespace):
        return subject.runtime is kernel_of(runtime)
    if isinstance(subject, Runtime):
        return subject is runtime and not kernel_of(runtime).closed
    return subject is runtime.clock or not isinstance(subject, Clock)
