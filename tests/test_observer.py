"""Observers: events in order to whoever listens, nothing at all when nobody does."""

from dobook.events import Answer, Log, Started
from dobook.observer import Observers


def test_nothing_is_counted_while_nobody_listens():
    observers = Observers(lambda: 5)
    assert observers.emit(Started, "A/a", 0) == 0
    assert not observers.active
    seen = []
    observers.add(seen.append)
    assert observers.active
    assert observers.emit(Started, "A/a", 0) == 1


def test_events_carry_number_time_object_cause_and_their_own_fields():
    seen = []
    observers = Observers(lambda: 5)
    observers.add(seen.append)
    first = observers.emit(Log, "A/a", 0, "hello")
    observers.emit(Answer, "A/b", first, status=200, value=None, error="")
    assert seen == [Log(1, 5, "A/a", 0, "hello"), Answer(2, 5, "A/b", 1, 200, None, "")]


def test_a_listener_may_leave_while_it_is_called_and_others_are_still_told():
    told = []
    observers = Observers(lambda: 0)

    def once(event):
        told.append(("once", event.seq))
        observers.remove(once)

    observers.add(once)
    observers.add(lambda event: told.append(("always", event.seq)))
    observers.emit(Log, "", 0, "x")
    observers.emit(Log, "", 0, "y")
    assert told == [("once", 1), ("always", 1), ("always", 2)]


def test_removing_the_last_listener_makes_it_quiet_and_an_unknown_one_is_ignored():
    observers = Observers(lambda: 0)
    listener = [].append
    observers.add(listener)
    observers.remove(print)
    assert observers.active
    observers.remove(listener)
    assert not observers.active


def test_a_listener_that_fails_is_said_and_harms_nobody(caplog):
    seen = []
    observers = Observers(lambda: 0)
    observers.add(lambda event: 1 / 0)
    observers.add(seen.append)
    assert observers.emit(Started, "A/a", 0) == 1
    assert len(seen) == 1
    assert "ZeroDivisionError" in caplog.text
