"""What one request costs, in calls of the engine's own functions: these can be counted exactly.

Time cannot: machines differ, and other programs run. Who adds a function to the path of every
request finds it here, and makes room for it or says why it is worth its price.
"""

import asyncio
import sys
from collections import Counter
from pathlib import Path

import pytest

import dobook
from dobook.workers import DurableObject, Response

REQUESTS = 200
HERE = str(Path(dobook.__file__).parent)


class Hits(DurableObject):
    async def fetch(self, _request):
        return Response(str(await self.hit()))

    async def hit(self):
        n = ((await self.ctx.storage.get("n")) or 0) + 1
        await self.ctx.storage.put("n", n)
        return n

    async def same(self):
        return 1


def calls_of(runtime, work):
    """Return how often each function of dobook is called while something runs."""
    counts = Counter()

    def note(frame, event, _arg):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(HERE):
            counts[code.co_name] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        runtime.run(work)
    finally:
        sys.setprofile(before)
    return counts


@pytest.mark.parametrize(
    ("kind", "objects", "at_most"),
    [("fetch", 1, 40), ("fetch", 200, 53), ("hit", 1, 33), ("hit", 200, 46), ("same", 1, 25)],
)
def test_a_request_calls_few_functions_of_the_engine(kind, objects, at_most):
    async def ask(stub):
        if kind == "fetch":
            await (await stub.fetch("http://do/")).text()
        else:
            await getattr(stub, kind)()

    async def ask_all(stubs, times):
        await asyncio.gather(*(ask(stub) for _ in range(times) for stub in stubs))

    with dobook.Runtime() as runtime:
        hits = runtime.register(Hits)
        stubs = [hits.getByName(f"{i}") for i in range(objects)]
        runtime.run(ask_all(stubs, 2))
        counts = calls_of(runtime, ask_all(stubs, REQUESTS // objects))
    each = counts.total() / REQUESTS
    assert each <= at_most, counts.most_common(60)
