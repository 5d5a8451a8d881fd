"""Which interleaving is named the guilty one: only uses of the same keys of the same object."""

import pytest

from dobook.events import Rpc, StorageOperation
from dobook.explorer.explanation import Story


def interleaved(first, second):
    """Two requests: the first reads its keys, the second writes its own, the first writes."""
    return [
        Rpc(1, 0, "BOOK/a", 0, "rename", ()),
        Rpc(2, 0, "BOOK/a", 0, "rename", ()),
        StorageOperation(3, 0, "BOOK/a", 1, "get", keys=first),
        StorageOperation(4, 0, "BOOK/a", 2, "put", keys=second),
        StorageOperation(5, 0, "BOOK/a", 1, "put", keys=first),
    ]


def many(letter):
    return tuple(f"{letter}{n}" for n in range(10))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("Lovelace, Ada",), ("Byron, Ada",)),
        (("a, b",), ("b",)),
        (("…",), ("…, x",)),
        (many("a"), many("b")),
        (("k" * 100 + "1",), ("k" * 100 + "2",)),
    ],
)
def test_requests_that_share_no_key_are_innocent(first, second):
    assert Story(interleaved(first, second)).guilty() == ()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("Lovelace, Ada",), ("Lovelace, Ada",)),
        (many("a"), ("a9",)),
        (("k" * 100 + "1",), ("k" * 100 + "1",)),
    ],
)
def test_requests_that_share_a_key_are_named(first, second):
    assert Story(interleaved(first, second)).guilty() == (3, 4, 5)


def test_a_write_that_was_refused_harms_nobody():
    events = interleaved(("n",), ("n",))
    events[3] = StorageOperation(4, 0, "BOOK/a", 2, "put", keys=("n",), error="TypeError: no")
    assert Story(events).guilty() == ()
    (told,) = [s.text for s in Story(events).sentences() if s.seq == 4]
    assert told.startswith("request 2 was refused put n: TypeError: no")
