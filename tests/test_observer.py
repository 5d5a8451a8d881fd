"""Observers: events in order to whoever listens, nothing at all when nobody does."""

from dobook.observer import Event, Observers


def test_nothing_is_counted_while_nobody_listens():
    observers = Observers(lambda: 5)
    assert observers.emit("A/a", "started") == 0
    assert not observers.active
    seen = []
    observers.add(seen.append)
    assert observers.active
    assert observers.emit("A/a", "started") == 1


def test_events_carry_number_time_object_kind_detail_and_cause():
    seen = []
    observers = Observers(lambda: 5)
    observers.add(seen.append)
    first = observers.emit("A/a", "fetch", path="/")
    observers.emit("A/b", "started", cause=first)
    assert seen == [
        Event(1, 5, "A/a", "fetch", {"path": "/"}, 0),
        Event(2, 5, "A/b", "started", {}, 1),
    ]


def test_a_listener_may_leave_while_it_is_called_and_others_are_still_told():
    told = []
    observers = Observers(lambda: 0)

    def once(event):
        told.append(("once", event.seq))
        observers.remove(once)

    observers.add(once)
    observers.add(lambda event: told.append(("always", event.seq)))
    observers.emit("", "x")
    observers.emit("", "y")
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
    assert observers.emit("A/a", "started") == 1
    assert len(seen) == 1
    assert "ZeroDivisionError" in caplog.text
