"""Trace events: each kind has one class, and the runtime emits what the classes say."""

import dataclasses
import pickle
from typing import get_args

import pytest

from dobook import events
from dobook.events import AnyEvent, Commit, Log, Rpc, StorageOperation, TraceEvent

CLASSES = get_args(AnyEvent)


def test_every_event_class_of_the_module_is_one_of_any_event():
    written = {
        cls
        for cls in vars(events).values()
        if isinstance(cls, type) and issubclass(cls, TraceEvent) and cls is not TraceEvent
    }
    assert written == set(CLASSES)
    assert len(events.KINDS) == len(CLASSES)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_events_are_frozen_documented_and_can_be_sent_to_another_process(cls):
    fields = [f.name for f in dataclasses.fields(cls)]
    event = cls(1, 5, "A/a", 0, *[()] * (len(fields) - 4))
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.object = "B/b"
    assert cls.__doc__.strip()
    assert pickle.loads(pickle.dumps(event)) == event
    assert str(event).startswith("1970-01-01 00:00:00.005  A/a  ")


def test_details_are_the_fields_of_the_kind():
    log = Log(1, 0, "A/a", 0, "hello")
    assert (log.detail, log.text) == ((("line", "hello"),), "line=hello")
    assert (log.get("line"), log.get("other"), log.get("other", 2)) == ("hello", None, 2)


def test_long_lists_are_cut_in_the_text_and_not_in_the_event():
    keys = tuple(f"key {n}" for n in range(9))
    put = StorageOperation(1, 0, "A/a", 0, "put", keys, value="(…)")
    assert put.text == f"op=put keys={', '.join(keys[:8])}, … value=(…)"
    assert put.shortened().keys == keys
    assert Commit(1, 0, "A/a", 0, keys).get("keys") == ", ".join(keys[:8]) + ", …"
    assert Rpc(1, 0, "A/a", 0, "f", tuple("abcdefg")).get("args") == "(a, b, c, d, e, f, …)"
    assert Rpc(1, 0, "A/a", 0, "f", None).get("args") is None


def test_a_shortened_event_has_no_text_of_more_than_80_characters():
    log = Log(1, 0, "A/a", 0, "x" * 100)
    assert log.shortened().line == "x" * 79 + "…"
    short = Log(1, 0, "A/a", 0, "x" * 80)
    assert short.shortened() is short
