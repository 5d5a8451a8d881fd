"""A process that makes runs for another one: `python -m dobook.explorer.worker`.

On its standard input it reads the length of a packed case and the case, then for each batch a line
with the first and the last number. For each batch it writes a line of JSON.
"""

import json
import os
import sys
from typing import Any, BinaryIO, Final, TextIO

from dobook.explorer.batch import MOST_BYTES, run_batch

_MOST_LINE: Final = 64  # bytes


def main() -> None:
    """Work until the input ends."""
    source, out = _private_pipes()
    length = int(_line(source))
    if not 0 <= length <= MOST_BYTES:
        raise SystemExit(f"a packed case has 0 to {MOST_BYTES:,} bytes, not {length:,}")
    packed = source.read(length)
    if len(packed) < length:
        return  # the other process has ended
    while line := _line(source):
        first, last = map(int, line.split())
        try:
            answer: dict[str, Any] = {"results": run_batch(packed, first, last)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        out.write(json.dumps(answer) + "\n")
        out.flush()


def _line(source: BinaryIO) -> bytes:
    line = source.readline(_MOST_LINE)
    if len(line) == _MOST_LINE:
        raise SystemExit(f"a line of numbers has fewer than {_MOST_LINE} bytes")
    return line


def _private_pipes() -> tuple[BinaryIO, TextIO]:
    """Return input and output, out of the reach of what a scenario prints, reads or starts.

    The usual descriptors lead nowhere from then on: printing, also by code in C, must not get
    between the answers, and `input()` must not take the next batch. A process that the scenario
    forks and leaves behind would keep the output open, and the end of this one would go unnoticed.
    """
    source, answers = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: os.closerange(answers, answers + 1))
    return os.fdopen(source, "rb"), os.fdopen(answers, "w", encoding="utf-8")


if __name__ == "__main__":
    main()
