"""Handing solutions in as one snapshot file, and reading a folder of such files.

A file is an ordinary snapshot of a runtime with one object, `SOLUTIONS/name`, which has a row for
each exercise: so `%storage --state ada.dobook Solutions/ada` reads it like any other. Reading never runs
what was handed in.
"""

from pathlib import Path
from typing import Any

from dobook.clock import DEFAULT_START_MS
from dobook.errors import DobookError, UsageError
from dobook.ids import IdFactory
from dobook.notebook.core.display import Card, count
from dobook.notebook.core.frame import Frame, make_frame
from dobook.notebook.exercises.registry import examine, exercises, work_here
from dobook.runtime.runtime import Runtime
from dobook.storage.contents import Contents, Place
from dobook.storage.names import flaw_of
from dobook.storage.snapshot_file import load_world

SUFFIX = ".dobook"
MOST_SOURCE = 100_000  # characters kept of one exercise's code
MOST_TEXT = 10_000  # characters shown of what is missing
MOST_FILE_BYTES = 64 * 1024 * 1024  # of a file that is handed in


class Solutions:
    """Keeps the rows of one learner; an object like any other."""

    def __init__(self, ctx: Any, env: Any) -> None:
        self.ctx = ctx

    async def put(self, rows: dict[str, Any]) -> None:
        """Keep a row for each exercise."""
        for name, row in rows.items():
            await self.ctx.storage.put(name, row)

    async def all(self) -> dict[str, Any]:
        """Return the rows, by exercise."""
        return dict(await self.ctx.storage.list())


def hand_in(who: str, folder: str | Path = ".") -> Card:
    """Check every exercise that the notebook has something for, and write it all into one file.

    Args:
        who: A name; the file is called after it.
        folder: Where the file goes.

    Returns:
        A card with the verdicts and the file.

    Raises:
        UsageError: If there is nothing to hand in, or this is not a notebook with dobook loaded.
    """
    flaw = flaw_of(f"{who}{SUFFIX}") if who.strip() else "it is empty"
    if flaw is not None:
        raise UsageError(f"{who!r:.80} cannot be the name of a file: {flaw}. Write hand_in('ada').")
    rows = {}
    for name in exercises():
        work = work_here()
        verdict = examine(name, work)
        if work.sources:
            rows[name] = {
                "solved": verdict.passed,
                "done": [point.text for point in verdict.points if point.holds],
                "to_do": [point.text for point in verdict.points if not point.holds],
                "source": "\n\n".join(work.sources.values())[:MOST_SOURCE],
            }
    if not rows:
        raise UsageError(
            "there is nothing to hand in: no exercise has been begun in this notebook."
        )
    file = Path(folder).expanduser() / f"{who}{SUFFIX}"
    with Runtime() as runtime:
        runtime.run(runtime.register(Solutions).getByName(who).put(rows))
        runtime.snapshot(file)
    verdicts = tuple((name, _verdict(row)) for name, row in rows.items())
    return Card(file.name, (*verdicts, ("next", "send this file to your teacher")), "handed in")


def collect(folder: str | Path = ".") -> Frame:
    """Return the solutions that were handed in, one row for each learner and exercise, by both.

    Index: range. Columns: who, exercise (string), solved (boolean), done, to_do (Int64, points), missing
    (string, what was still wrong), source (string, the code). No files: same columns, no rows.
    A file that cannot be read has one row, which says why in `missing`; so has a solution that
    `hand_in` did not write. What a file says is the learner's own word: nothing in it is run.

    Args:
        folder: Where the files are.

    Raises:
        UsageError: If there is no such folder.
    """
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise UsageError(f"there is no folder {folder}.")
    rows: list[tuple[Any, ...]] = []
    files = sorted(place.glob(f"*{SUFFIX}"))
    for file in files:
        rows += _rows_of(file)
    columns = {
        "who": "string",
        "exercise": "string",
        "solved": "boolean",
        "done": "Int64",
        "to_do": "Int64",
        "missing": "string",
        "source": "string",
    }
    solved = sum(row[2] is True for row in rows)
    caption = f"{count(len(files), 'file')}, {solved} of {count(len(rows), 'solution')} solved"
    return make_frame(columns, rows, caption, DEFAULT_START_MS, hidden=["source"])


def _rows_of(file: Path) -> list[tuple[Any, ...]]:
    """Return the rows of one file; whatever is in it, another file's rows do not depend on it."""
    who = _text(file.stem)
    try:
        found = _read(file)
        return [(who, _text(name), *_row_of(found, name)) for name in sorted(found.rows)]
    except Exception as error:
        odd = isinstance(error, (DobookError, OSError))
        reason = str(error) if odd else f"it cannot be read ({type(error).__name__}: {error})"
        return [(who, None, None, None, None, _text(reason[:MOST_TEXT]), "")]


def _row_of(found: Contents, name: str) -> tuple[Any, ...]:
    """Return solved, done, to_do, missing and source of an exercise, each checked."""
    try:
        row = found.value(name)
        if not isinstance(row, dict):
            raise UsageError(f"the row of {name[:80]!r} is {_kind(row)}, expected an object")
        solved = row.get("solved")
        if type(solved) is not bool:
            raise UsageError(f"solved is {_kind(solved)}, expected true or false")
        done, to_do = _points(row, "done"), _points(row, "to_do")
        source = row.get("source")
        if not isinstance(source, str):
            raise UsageError(f"source is {_kind(source)}, expected text")
    except UsageError as error:
        return None, None, None, _text(f"not written by dobook.hand_in: {error}"), ""
    missing = "; ".join(to_do)[:MOST_TEXT]
    return solved, len(done), len(to_do), _text(missing), _text(source[:MOST_SOURCE])


def _points(row: dict[Any, Any], key: str) -> list[str]:
    points = row.get(key)
    if not isinstance(points, list):
        raise UsageError(f"{key} is {_kind(points)}, expected a list of texts")
    for point in points:
        if not isinstance(point, str):
            raise UsageError(f"{key} has {_kind(point)} in it, expected texts")
    return points


def _read(file: Path) -> Contents:
    """Return what the learner's object has stored.

    Raises:
        StateDirectoryError: If the file is not a snapshot, or hostile.
        UsageError: If it is another snapshot.
    """
    world = load_world(file, most=MOST_FILE_BYTES)
    keys = [record.unique_key for record in world.classes if record.class_name == "Solutions"]
    for key in keys:
        found = world.objects.get(Place(key, IdFactory(key).from_name(file.stem).toString()))
        if found is not None and found.rows:
            return found
    for place, found in sorted(world.objects.items()):  # renamed since
        if place.unique_key in keys and found.name and found.rows:
            return found
    raise UsageError("it has no solutions in it: it is another snapshot, not one of hand_in")


def _kind(value: object) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list"}
    if value is None:
        return "missing or null"
    return names.get(type(value), "an object" if isinstance(value, dict) else type(value).__name__)


def _text(text: str) -> str:
    """Return a text that can be written anywhere: half a surrogate pair cannot."""
    return text.encode("utf-8", "replace").decode()


def _verdict(row: dict[str, Any]) -> str:
    if row["solved"]:
        return "solved"
    return f"{len(row['done'])} done, {len(row['to_do'])} to do"
