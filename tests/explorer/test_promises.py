"""The engine's promises under exploration, and what happens when one of its parts is weakened.

Each mutation takes one gate, fence or retry out of the engine; the explorer has to find it with the
promise that depends on it.
"""

import importlib
import inspect
import textwrap

import pytest

from .promises import PROMISES, explore

RUNS = 50
BUDGET = 300  # for a mutation
by_name = {promise.scenario.__name__: promise for promise in PROMISES}


@pytest.mark.slow
@pytest.mark.parametrize("promise", PROMISES, ids=lambda p: p.scenario.__name__)
def test_the_promise_holds(promise):
    for strategy in ("random", "pct"):
        report = explore(promise, RUNS, strategy=strategy, stop=True)
        assert report.ok, report


# The function, what is in it, what stands there instead, and the promise that depends on it.
MUTATIONS = {
    "the input gate does not lock": (
        "dobook.gates:InputGate.lock",
        "self.busy = True",
        "pass",
        "no_update_is_lost_across_storage",
    ),
    "slow storage does not lock the gate": (
        "dobook.runtime.debug.watched:SlowPromise.__init__",
        "if locks else None",
        "if False else None",
        "no_update_is_lost_across_storage",
    ),
    "a new event does not wait at the gate": (
        "dobook.runtime.objects.instance:Instance.enter",
        "if self.gate.busy:",
        "if False:",
        "no_update_is_lost_across_storage",
    ),
    "code that wakes does not wait at the gate": (
        "dobook.runtime.loop.turns:_steps",
        "if busy and ended is None",
        "if False and ended is None",
        "nobody_goes_on_in_a_section",
    ),
    "a critical section does not lock": (
        "dobook.gates:CriticalSection.enter",
        "self.parent.lock()",
        "self.parent.locks += 1",
        "nothing_overtakes_a_section",
    ),
    "the gate lets all in at once": (
        "dobook.gates:InputGate._admit",
        "while not self.locks and (queue := self.sections or self.waiters):",
        "while queue := self.sections or self.waiters:",
        "no_update_is_lost_across_storage",
    ),
    "answers do not wait for the commit": (
        "dobook.runtime.calls.call:Call.finish",
        "commit = instance.output_gate.commit",
        "commit = None",
        "an_answer_survives_a_crash",
    ),
    "calls do not wait for the commit": (
        "dobook.runtime.calls.post:PostOffice.post",
        "if (commit := home.output_gate.commit) is not None:",
        "if (commit := None) is not None:",
        "what_others_are_told_survives_a_crash",
    ),
    "sockets do not wait for the commit": (
        "dobook.runtime.sockets.websocket:WebSocket.send",
        "commit = end.gate.commit",
        "commit = None",
        "what_a_socket_has_said_survives_a_crash",
    ),
    "a failed commit lets its answers go": (
        "dobook.runtime.calls.call:Call.reject",
        'self.settle(None, carry_error(error, remote=self.kind == "fetch"))',
        "self.settle(None, None)",
        "an_answer_survives_a_crash",
    ),
    "each write is a commit of its own": (
        "dobook.storage.store:ObjectStore.touch",
        "self._committer.add(self, confirmed=confirmed)",
        "self._committer.flush(); self._committer.add(self, confirmed=confirmed)",
        "a_turn_is_written_whole",
    ),
    "a crash keeps what was not committed": (
        "dobook.storage.store:ObjectStore.discard",
        "self.kv.undo_all()",
        "pass",
        "a_turn_is_written_whole",
    ),
    "a crash keeps what SQL has not committed": (
        "dobook.storage.store:ObjectStore.discard",
        "connection.rollback()",
        "pass",
        "a_turn_of_sql_is_written_whole",
    ),
    "a transaction that fails is not undone": (
        "dobook.storage.store:ObjectStore.rollback_transaction",
        "self.kv.pop_and_undo()",
        "self.kv.pop()",
        "a_transaction_that_fails_leaves_nothing",
    ),
    "a transaction begins after a failed commit": (
        "dobook.runtime.storage.storage:DurableObjectStorage.transaction",
        "self._check()",
        "pass",
        "a_transaction_that_fails_leaves_nothing",
    ),
    "an alarm that fails is not tried again": (
        "dobook.runtime.objects.alarms:AlarmScheduler._over",
        "elif call.error is None or (now_ms is None and not (was_reset and entry.retried)):",
        "elif True:",
        "an_alarm_runs_at_least_once",
    ),
    "an alarm is removed before it runs": (
        "dobook.runtime.objects.alarms:AlarmScheduler.handler",
        "entry.absorbed = entry.deferred and written",
        "entry.absorbed = False; actor.store.touch(); kv.set_alarm(None)",
        "an_alarm_runs_at_least_once",
    ),
    "an alarm that waits runs after it was deleted": (
        "dobook.runtime.objects.alarms:AlarmScheduler.handler",
        "if not entry.deferred and not (written and waited):",
        "if False:",
        "a_deleted_alarm_does_not_run",
    ),
    "dead code goes on": (
        "dobook.runtime.loop.turns:_steps",
        "if frame.instance.dead is not None:",
        "if False:",
        "a_dead_object_is_silent",
    ),
    "dead code may write": (
        "dobook.runtime.storage.storage:DurableObjectStorage._end",
        "self._ended = error",
        "pass",
        "what_a_dead_object_cleans_up_has_no_effect",
    ),
    "a crash does not answer its calls": (
        "dobook.runtime.objects.instance:Instance._end",
        "call.reject(error)",
        "pass",
        "everybody_is_answered",
    ),
    "a busy object is evicted": (
        "dobook.runtime.objects.instance:Instance.busy",
        "return bool(self.calls or self.background or self.sockets or self.tasks)",
        "return False",
        "everybody_is_answered",
    ),
    "calls on one stub overtake one another": (
        "dobook.runtime.calls.post:_lane",
        "return id(",
        "return id(call) + 0 * id(",
        "calls_on_one_stub_keep_their_order",
    ),
}


def weaken(monkeypatch, place, old, new):
    """Replace a piece of a function of the engine."""
    module_name, _, qualname = place.partition(":")
    module = importlib.import_module(module_name)
    *owners, name = qualname.split(".")
    owner = module
    for part in owners:
        owner = getattr(owner, part)
    member = inspect.getattr_static(owner, name)
    source = textwrap.dedent(inspect.getsource(getattr(member, "fget", member)))
    assert source.count(old) == 1, f"{place} has changed; weaken it in another place"
    names = dict(vars(module))
    code = "from __future__ import annotations\n" + source.replace(old, new)
    exec(compile(code, module_name, "exec"), names)
    monkeypatch.setattr(owner, name, names[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTATIONS)
def test_weakening_the_engine_is_found(monkeypatch, name):
    place, old, new, promise = MUTATIONS[name]
    weaken(monkeypatch, place, old, new)
    report = explore(by_name[promise], BUDGET, stop=True)
    assert not report.ok
