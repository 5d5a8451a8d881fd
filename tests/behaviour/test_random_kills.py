"""Promise: a killed process leaves every object with all of its last acknowledged turn, or all of the
one after it, never a part of one.

A few kills here; the full thousand is `python -m benchmarks.kills`, or this with DOBOOK_KILLS=1000.
Source: developers.cloudflare.com/durable-objects/api/storage-api/ (writes without an await of
something else between them are atomic)
"""

import os
import sys

import pytest

from benchmarks.kills import kill_rounds

KILLS = int(os.environ.get("DOBOOK_KILLS", "12"))


@pytest.mark.slow
@pytest.mark.timeout(60 + 5 * KILLS)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither SIGKILL nor fork")
@pytest.mark.parametrize("durability", ["power", "process"])
def test_no_acknowledged_turn_is_lost_and_none_is_torn(tmp_path, durability):
    seen = kill_rounds(KILLS, durability, tmp_path, seed=1)
    assert seen["kills"] == KILLS
    assert seen["in_the_middle_of_work"] >= KILLS // 2
    assert seen["acknowledged_turns"] > 0
