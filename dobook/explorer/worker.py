"""A process that makes runs for another one: `python -m dobook.explorer.worker`.

On its standard input it reads the length of a packed case and the case, then for each batch a line
with the first and the last number. For each batch it writes a line of JSON.
"""

import json
import os
import sys
from typing import Any

from dobook.explorer.batch import run_batch


def main() -> None:
    """Work until the input ends."""
    source, out = sys.stdin.buffer, os.fdopen(os.dup(1), "w", encoding="utf-8")
    sys.stdout = sys.stderr  # what a scenario prints must not get between the answers
    packed = source.read(int(source.readline()))
    for line in source:
        first, last = map(int, line.split())
        try:
            answer: dict[str, Any] = {"results": run_batch(packed, first, last)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
