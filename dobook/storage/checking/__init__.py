"""Looking at a state directory and saying what is right in it, without changing anything."""

from dobook.storage.checking.check import check_state
from dobook.storage.checking.findings import DAMAGE, NOTE, OK, StateFinding, StateReport

__all__ = ["DAMAGE", "NOTE", "OK", "StateFinding", "StateReport", "check_state"]
