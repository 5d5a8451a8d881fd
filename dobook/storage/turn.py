"""What one event wrote, apart from what earlier events of the same tick did.

The writes of a tick are committed together, for speed. The real engine commits at the end of each
event, though: an event that ends in a reset loses what it wrote itself, and nothing else. So where
an event finds writes of earlier ones that are not committed yet, its own are noted here.

Source: cloudflare/workerd src/workerd/io/actor-sqlite.c++ (`ImplicitTxn`)
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dobook.storage.connection import Connection

NAME: Final = "_cf_turn"  # of the savepoint


class Turn:
    """How to undo the SQL of the latest event that wrote; `KV.turn` is the same for the rows."""

    __slots__ = ("_began", "_pending", "_savepoint")

    def __init__(self) -> None:
        self._savepoint = False
        self.begin()

    def begin(self) -> None:
        """Start the writes of another event."""
        self._pending = True  # nothing of SQL yet
        self._began = False  # this event opened the transaction, so all of it is its own

    def before_sql(self, connection: "Connection") -> None:
        """Make it possible to undo what is about to be written with SQL."""
        if not self._pending:
            return
        self._pending = False
        if not connection.in_transaction:
            self._began, self._savepoint = True, False
            return
        if self._savepoint:
            connection.release(NAME)
        connection.savepoint(NAME)
        self._savepoint = True

    def undo(self, connection: "Connection") -> None:
        """Undo what the event wrote with SQL."""
        if self._pending or not connection.in_transaction:
            return
        if self._began:
            connection.rollback()
        else:
            connection.rollback_to(NAME)
