"""How the engine's objects show themselves in a notebook, in text and HTML.

Registered with IPython, so that the engine knows nothing of HTML. Nothing shows a memory address:
committed outputs have to be the same every time.
"""

from collections.abc import Callable
from types import CoroutineType
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from dobook.clock import format_time
from dobook.explorer.report import Report
from dobook.ids import DurableObjectId
from dobook.notebook import live
from dobook.notebook.chat.transcripts import (
    NotebookClient,
    client_html,
    client_text,
    transcript_html,
)
from dobook.notebook.clock.alarms_ahead import schedule, schedule_card
from dobook.notebook.core.display import Card, Rows, box, clock_text, count, heading, rows_html
from dobook.notebook.core.session import Session
from dobook.notebook.inspector.inspection import card_of, inspect, target_of
from dobook.notebook.overview.objects_table import namespace_card
from dobook.notebook.overview.runtime_facts import runtime_card
from dobook.notebook.past.moments import ObjectPast
from dobook.notebook.races.exploring import report_html
from dobook.notebook.requests.request_console import RequestConsole
from dobook.notebook.requests.responses import response_html, response_text
from dobook.runtime.calls.answer import RpcPromise
from dobook.runtime.calls.stub import DurableObjectStub
from dobook.runtime.client import Client, Transcript
from dobook.runtime.loop.loop import Clock
from dobook.runtime.objects.alarm import AlarmRun
from dobook.runtime.objects.namespace import DurableObjectNamespace
from dobook.runtime.runtime import Runtime
from dobook.runtime.worker.env import Env
from dobook.runtime.worker.worker import Worker
from dobook.web import FetchResponse


def install(shell: InteractiveShell, session: Session) -> Callable[[], None]:
    """Register the displays with a shell; returns what undoes it."""
    formatters: Any = shell.display_formatter
    text, html = (formatters.formatters[kind] for kind in ("text/plain", "text/html"))
    cards: dict[type, Callable[[Any], Card]] = {
        Runtime: runtime_card,
        RequestConsole: RequestConsole.card,
        ObjectPast: ObjectPast.card,
        Clock: lambda clock: clock_card(clock, session),
        DurableObjectNamespace: namespace_card,
        DurableObjectStub: lambda stub: card_of(inspect(session, target_of(stub))),
        Worker: worker_card,
    }
    undo: list[Callable[[], None]] = []

    def register(formatter: Any, kind: type, function: Callable[..., Any]) -> None:
        before = formatter.for_type(kind, function)

        def back() -> None:
            if before is not None:
                formatter.for_type(kind, before)
            else:
                formatter.pop(kind, None)

        undo.append(back)

    for kind, card in cards.items():
        register(text, kind, lambda obj, p, _cycle, card=card: p.text(repr(card(obj))))
        register(html, kind, lambda obj, card=card: card(obj)._repr_html_())
    bundles = formatters.mimebundle_formatter
    for kind, view in live.VIEWS.items():
        register(bundles, kind, lambda obj, view=view, **_: live.bundle(session, view, obj))
    register(text, FetchResponse, lambda obj, p, _cycle: p.text(response_text(obj, shell)))
    register(html, FetchResponse, lambda obj: response_html(obj, shell))
    register(text, AlarmRun, lambda obj, p, _cycle: p.text(str(obj)))
    register(html, AlarmRun, lambda obj: box(rows_html(run_rows([obj]))))
    register(html, list, runs_html)
    register(html, Report, report_html)
    for client in (Client, NotebookClient):
        register(text, client, lambda obj, p, _cycle: p.text(client_text(obj)))
        register(html, client, client_html)
    register(text, Transcript, lambda obj, p, _cycle: p.text(repr(obj)))
    register(html, Transcript, lambda obj: box(transcript_html(obj)))
    register(text, RpcPromise, lambda obj, p, _cycle: p.text(promise_text(obj)))
    register(text, CoroutineType, lambda obj, p, _cycle: p.text(coroutine_text(obj)))
    register(text, DurableObjectId, lambda obj, p, _cycle: p.text(repr(obj)))
    register(text, Env, lambda obj, p, _cycle: p.text(repr(obj)))

    def undo_all() -> None:
        for step in reversed(undo):
            step()

    return undo_all


def clock_card(clock: Clock, session: Session) -> Card:
    """Return the card of a clock; that of the session's has its alarms too."""
    if clock is session.runtime.clock and not session.kernel.closed:
        return schedule_card(schedule(session.runtime))
    return Card(
        "Clock",
        (("now", clock_text(clock.now_ms, virtual=clock.virtual)), ("now_ms", str(clock.now_ms))),
    )


def worker_card(worker: Worker) -> Card:
    """Return the card of the entry Worker."""
    name = getattr(worker.entry, "__name__", type(worker.entry).__name__)
    return Card(name, (), "Worker, answers runtime.fetch(...) and %request METHOD /path")


def run_rows(runs: list[AlarmRun]) -> Rows:
    """Return when each run was, and what came of it."""
    return tuple(
        (format_time(run.ran_ms), " ".join(filter(None, (run.object, run.outcome, run.error))))
        for run in runs
    )


def runs_html(value: list[Any]) -> str | None:
    """Return what `runtime.advance(...)` gave as HTML; None for every other list."""
    if not value or not all(isinstance(item, AlarmRun) for item in value):
        return None
    return box(heading(f"{count(len(value), 'alarm')} ran"), rows_html(run_rows(value[:200])))


def coroutine_text(coroutine: Any) -> str:
    """Return what a coroutine is that a cell has shown instead of what it gives."""
    name = coroutine.__qualname__.replace("_json", "json")
    return f"<{name}() is not awaited: write `await` before it>"


def promise_text(promise: RpcPromise) -> str:
    """Return what a promise is, and how to get what it promises."""
    text = repr(promise)
    return text.replace("pending>", "pending: write `await` before it>")
