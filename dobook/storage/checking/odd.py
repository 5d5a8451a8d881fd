"""Files in a state directory that dobook does not use."""

from dobook.storage import files
from dobook.storage.checking.findings import NOTE, StateReport


def note_odd_file(report: StateReport, place: str, name: str) -> None:
    """Add what there is to say about a file that dobook does not use."""
    if files.DAMAGED_SUFFIX in name:
        what = "it was set aside as damaged, and kept as evidence."
        report.add(NOTE, place, "evidence", what, "Delete it when it is not needed any more.")
    elif name.endswith(files.NEW_SUFFIX):
        what = "a crash has interrupted the making of a file; nothing in it counts."
        report.add(NOTE, place, "leftover", what, "It is replaced, or can be deleted.")
    else:
        report.add(NOTE, place, "foreign", "dobook does not know this file.", "It is left alone.")
