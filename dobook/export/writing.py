"""Writing a project into a folder, again and again, without ever losing what was edited by hand.

A file that is as it was written last may be replaced; one that somebody has changed since is left
alone, and the difference is shown. What was written last is noted in `.dobook-export.json`.
"""

import difflib
import hashlib
import json
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from dobook.errors import UsageError
from dobook.export.project import Project
from dobook.storage.foreign_files import kind_of, read_regular, replace_users_file
from dobook.storage.names import is_segment

MANIFEST = ".dobook-export.json"
Status = Literal["new", "unchanged", "updated", "edited", "overwritten"]


@dataclass(frozen=True, slots=True)
class FileReport:
    """What has become of one file.

    Attributes:
        path: Its path in the project.
        status: "edited" for one that was left alone because somebody has changed it.
        diff: From what is or was there to the new text; "" where nothing differs.
    """

    path: str
    status: Status
    diff: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What an export has done.

    Attributes:
        folder: Where the project is.
        files: Its files.
        warnings: What has to be looked after by hand.
    """

    folder: Path
    files: tuple[FileReport, ...]
    warnings: tuple[str, ...] = ()

    @property
    def kept(self) -> list[str]:
        """The files that were left alone because somebody has changed them."""
        return [f.path for f in self.files if f.status == "edited"]

    @property
    def diff(self) -> str:
        """All differences, one file after the other."""
        return "".join(f.diff for f in self.files)

    def __str__(self) -> str:
        lines = [f"{f.status:<11} {f.path}" for f in self.files]
        lines += [f"warning     {text}" for text in self.warnings]
        if self.kept:
            lines.append(f"{', '.join(self.kept)}: edited by hand, left alone. --force replaces.")
        return "\n".join(lines)


def write_project(project: Project, folder: Path, *, force: bool = False) -> Report:
    """Write a project's files.

    Args:
        project: The project.
        folder: Where to; made if it does not exist.
        force: Also replace what was edited by hand.

    Raises:
        UsageError: If the folder cannot be written, or has a symbolic link, a pipe or a device in
            the place of one of the files.
    """
    known = _manifest(folder)
    reports, written = [], {}
    try:
        for name, text in project.files.items():
            path = folder / name
            _check_inside(folder, name)
            report = _compare(name, text, path, known.get(name), force=force)
            reports.append(report)
            if report.status in ("new", "updated", "overwritten"):
                path.parent.mkdir(parents=True, exist_ok=True)
                replace_users_file(path, text.encode())
            written[name] = known.get(name, "") if report.status == "edited" else _digest(text)
        note = json.dumps(written, indent=2, sort_keys=True) + "\n"
        folder.mkdir(parents=True, exist_ok=True)
        replace_users_file(folder / MANIFEST, note.encode())
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({error.strerror or error}).") from error
    return Report(folder, tuple(reports), project.warnings)


def _check_inside(folder: Path, name: str) -> None:
    """Check that nothing in the folder leads a file of the project elsewhere.

    The folder may have come with a stranger's project: a link in it would have another file
    written over.
    """
    parts = PurePosixPath(name).parts
    if not parts or not all(map(is_segment, (part.lstrip(".") for part in parts))):
        raise UsageError(f"{name!r:.80} cannot be a file of a project.")
    place = folder
    for part in parts:
        place = place / part
        try:
            mode = place.lstat().st_mode
        except FileNotFoundError:
            return
        kind = kind_of(mode)
        if kind is not None and (place == folder / name or not stat.S_ISDIR(mode)):
            raise UsageError(
                f"{place} is {kind}, so {name} is not written: it would lead elsewhere. Remove it "
                "first, or choose another folder."
            )


def _compare(name: str, text: str, path: Path, last: str | None, *, force: bool) -> FileReport:
    if not path.exists():
        return FileReport(name, "new")
    try:
        present = path.read_text("utf-8")  # not a link: see _check_inside
    except UnicodeDecodeError:
        return FileReport(name, "overwritten" if force else "edited")
    if present == text:
        return FileReport(name, "unchanged")
    diff = "".join(
        line if line.endswith("\n") else f"{line}\n"
        for line in difflib.unified_diff(
            present.splitlines(keepends=True),
            text.splitlines(keepends=True),
            f"{name} (in the folder)",
            f"{name} (of the notebook)",
        )
    )
    if _digest(present) == last:
        return FileReport(name, "updated", diff)
    return FileReport(name, "overwritten" if force else "edited", diff)


def _manifest(folder: Path) -> dict[str, str]:
    try:
        found = json.loads(read_regular(folder / MANIFEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
