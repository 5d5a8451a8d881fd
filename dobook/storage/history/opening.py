"""Opening the objects' history of a state directory, whatever has become of it."""

import warnings
from pathlib import Path

from dobook.errors import StateDirectoryError
from dobook.storage import files
from dobook.storage.blank import is_damage_of_own
from dobook.storage.connection import SqliteError
from dobook.storage.history.file import HistoryFile


def open_history(path: Path, *, wanted: bool, torn: bool) -> HistoryFile | None:
    """Open the history; one that is damaged is set aside, and another begins.

    Args:
        path: The file.
        wanted: Whether there is to be any. If not, what there is of it is deleted: objects change
            without it from then on, so it could not be used again.
        torn: Whether a power cut may have taken or torn parts of it; then it is deleted, too.

    Raises:
        StateDirectoryError: If it cannot be used for another reason.
        OSError: If it cannot be deleted.
    """
    if not wanted or torn:
        files.remove_database(path)
        files.sync_folder(path.parent)
        if not wanted:
            return None
    try:
        return HistoryFile(path)
    except (SqliteError, StateDirectoryError) as error:
        if not is_damage_of_own(path, error):
            raise
        aside = files.set_database_aside(path)
        warnings.warn(f"history begins anew, the file is now {aside.name}: {error}", stacklevel=6)
        return HistoryFile(path)
