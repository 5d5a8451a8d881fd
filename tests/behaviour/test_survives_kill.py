"""Promise: an answer that a caller has seen survives a killed process.

Source: developers.cloudflare.com/durable-objects/reference/in-memory-state/ (what is stored before
an answer stays stored)
"""

import os
import random
import signal
import subprocess
import sys

import pytest

import dobook

ROUNDS = 100
REQUESTS = 1_000
MOST_SEEN = 100  # answers before the kill, so that a process is always in the midst of its work

# Imports once and then forks for every round, since a new interpreter is most of a round's time.
NURSERY = """
import os, sys
import dobook
import dobook.runtime.runtime

class Counter:
    def __init__(self, ctx, env):
        self.ctx = ctx

    async def increment(self):
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return n

def work(path, durability):
    with dobook.Runtime(path, durability=durability) as runtime:
        counter = runtime.register(Counter).getByName("a")
        for _ in range({requests}):
            os.write(1, b"%d\\n" % runtime.run(counter.increment()))

for line in sys.stdin:
    child = os.fork()
    if not child:
        work(*line.split())
        os._exit(0)
    os.write(1, b"pid %d\\n" % child)
    os.waitpid(child, 0)
    os.write(1, b"over\\n")
""".replace("{requests}", str(REQUESTS))


class Counter:
    def __init__(self, ctx, env):
        self.ctx = ctx

    async def value(self):
        return await self.ctx.storage.get("n") or 0


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither SIGKILL nor fork")
@pytest.mark.parametrize("durability", ["power", "process"])
def test_a_counter_is_never_behind_what_it_has_acknowledged(tmp_path, durability):
    rng = random.Random(f"kill {durability}")
    state = tmp_path / "state"
    killed_midway = 0
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as nursery:
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        for number in range(ROUNDS):
            nursery.stdin.write(f"{state} {durability}\n")
            nursery.stdin.flush()
            kill_after = rng.randrange(1, MOST_SEEN)
            pid, seen, acknowledged = None, 0, 0
            for line in nursery.stdout:
                if line.startswith("pid"):
                    pid = int(line.split()[1])
                elif line.startswith("over"):
                    break
                else:
                    seen += 1
                    acknowledged = int(line)
                if pid is not None and seen >= kill_after:
                    os.kill(pid, signal.SIGKILL)
                    kill_after = REQUESTS + 1
            killed_midway += seen < REQUESTS
            with dobook.Runtime(state) as runtime:
                stored = runtime.run(runtime.register(Counter).getByName("a").value())
            assert acknowledged <= stored <= acknowledged + 1, f"round {number}"
        nursery.stdin.close()
    assert nursery.returncode == 0
    assert killed_midway > ROUNDS * 0.9
