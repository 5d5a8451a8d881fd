"""Handing solutions in as one snapshot file, and reading a folder of such files.

A file is an ordinary snapshot of a runtime with one object, `SOLUTIONS/name`, which has a row for
each exercise: so `%storage --state ada.dobook Solutions/ada` reads it like any other. Reading never runs
what was handed in.
"""

from pathlib import Path
from typing import Any

from dobook.clock import DEFAULT_START_MS
from dobook.errors import DobookError, UsageError
from dobook.notebook.display import Card, count
from dobook.notebook.exercises.registry import examine, exercises, work_here
from dobook.notebook.frames.frame import Frame, make_frame
from dobook.runtime.runtime import Runtime

SUFFIX = ".dobook"
MOST_SOURCE = 100_000  # characters kept of one exercise's code


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
        UsageError: If there is nothing to hand in, or this is no notebook with dobook loaded.
    """
    if not who.strip() or any(c in who for c in "/\\"):
        raise UsageError(f"{who!r} cannot be the name of a file. Write hand_in('ada').")
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
    """Solutions that were handed in, one row for each learner and exercise, by both.

    Index: range. Columns: who, exercise (string), solved (boolean), done, to_do (Int64, points), missing
    (string, what was still wrong), source (string, the code). No files: same columns, no rows.
    A file that cannot be read has one row, which says why in `missing`.

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
        try:
            found = _read(file)
        except (DobookError, OSError) as error:
            rows.append((file.stem, None, None, None, None, str(error), ""))
            continue
        for name, row in sorted(found.items()):
            missing = "; ".join(row["to_do"])
            counts = (len(row["done"]), len(row["to_do"]))
            rows.append((file.stem, name, row["solved"], *counts, missing, row["source"]))
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


def _read(file: Path) -> dict[str, Any]:
    with Runtime.restore(file, classes=[Solutions]) as runtime:
        found: dict[str, Any] = runtime.run(runtime.env.SOLUTIONS.getByName(file.stem).all())
        if not found:  # renamed since
            names = [o.name for o in runtime.objects() if o.keys and o.name]
            for name in names[:1]:
                found = runtime.run(runtime.env.SOLUTIONS.getByName(name).all())
        return found


def _verdict(row: dict[str, Any]) -> str:
    if row["solved"]:
        return "solved"
    return f"{len(row['done'])} done, {len(row['to_do'])} to do"
