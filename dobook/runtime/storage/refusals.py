"""The errors when a disk refuses: for an object's callers, and for the runtime's owner."""

import contextlib
from collections.abc import Iterator

from dobook.errors import PlatformError, StateDirectoryError
from dobook.storage.connection import STORAGE_ERRORS, error_text, is_constraint, is_critical


def broken(error: BaseException) -> PlatformError:
    """Return what the callers of an object get whose commit has failed."""
    text = error_text(error)
    reason = PlatformError(
        text
        if is_critical(error) or isinstance(error, PlatformError)
        else "Durable Object was reset and rolled back to its last known good state because the "
        "application left the database in a state where constraints were violated: " + text
        if is_constraint(error)
        else f"Durable Object was reset because its storage could not be written: {text}"
    )
    reason.__cause__ = error
    return reason


@contextlib.contextmanager
def in_words(what: str) -> Iterator[None]:
    """Convert errors of the disk into a sentence."""
    try:
        yield
    except StateDirectoryError:
        raise
    except STORAGE_ERRORS as error:
        raise StateDirectoryError(
            f"{what} ({error_text(error)}). Nothing that was acknowledged is lost: the journal has it, and the "
            "directory can be opened again."
        ) from error
