"""The workloads on dobook. Each is the same program as its namesake in `peers/workerd/worker.js`.

A workload is a function of a `Bench`; most of them drive stubs inside `runtime.run(...)`.
"""

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import dobook
from benchmarks import driving, parameters
from benchmarks.driving import Outcome, drive, perf, sequential, timed
from benchmarks.objects import CLASSES, Ticker
from benchmarks.parameters import Parameters
from dobook.runtime.access import kernel_of

RUN = "r"  # the first letter of every object's name, as in the peer's driver


class Bench:
    """A runtime with the classes of the workloads.

    Args:
        rt: An open runtime.
        parameters: How much the workload does.
    """

    def __init__(self, rt: dobook.Runtime, parameters: Parameters) -> None:
        self.rt = rt
        self.n = parameters.n
        self.objects = parameters.objects
        self.width = parameters.width
        for cls in CLASSES:
            rt.register(cls)
        self.env = rt.env
        rt.run(text(get(self.env.COUNTER, "warm")))  # the peer answers one request first, too

    def one(self, binding: str, name: str = RUN) -> Any:
        return get(getattr(self.env, binding), name)

    def many(self, binding: str) -> list[Any]:
        return [self.one(binding, f"{RUN}{i}") for i in range(self.objects)]

    def drive(self, call: driving.Call) -> Outcome:
        return self.rt.run(drive(self.n, self.width, call))


def get(namespace: Any, name: str) -> Any:
    return namespace.get(namespace.idFromName(name))


async def text(stub: Any, path: str = "/") -> str:
    return await (await stub.fetch("http://do" + path)).text()


def w1(bench: Bench) -> Outcome:
    stub = bench.one("COUNTER", RUN + "hot")
    out = bench.drive(lambda _: text(stub))
    assert bench.rt.run(text(stub)) == str(bench.n + 1)
    return out


def w1seq(bench: Bench) -> Outcome:
    stub = bench.one("COUNTER", RUN + "hot")
    return bench.rt.run(sequential(bench.n, lambda _: text(stub)))


def w1rpc(bench: Bench) -> Outcome:
    stub = bench.one("COUNTER", RUN + "hot")
    return bench.drive(lambda _: stub.increment())


def w1noop(bench: Bench) -> Outcome:
    stub = bench.one("COUNTER", RUN + "hot")
    return bench.drive(lambda _: text(stub, "/noop"))


def w2(bench: Bench) -> Outcome:
    stubs, objects = bench.many("COUNTER"), bench.objects
    return bench.drive(lambda i: text(stubs[i % objects]))


def w3(bench: Bench) -> Outcome:
    counters = bench.env.COUNTER
    return bench.drive(lambda i: get(counters, f"{RUN}{i}").create(i))


def w4(bench: Bench) -> Outcome:
    stub = bench.one("RPC")
    return bench.drive(lambda i: stub.add(i, 1))


def w4seq(bench: Bench) -> Outcome:
    stub = bench.one("RPC")
    return bench.rt.run(sequential(bench.n, lambda i: stub.add(i, 1)))


def w5(bench: Bench) -> Outcome:
    stubs, objects = bench.many("LIMITER"), bench.objects
    return bench.drive(lambda i: stubs[i % objects].check())


def w6put(bench: Bench) -> Outcome:
    stub = bench.one("LISTER")
    return bench.rt.run(timed(bench.n, lambda: stub.fill(bench.n, 128)))


def w6list(bench: Bench) -> Outcome:
    stub = bench.one("LISTER")

    async def main() -> Outcome:
        await stub.fill(parameters.KEYS, 128)
        return await timed(bench.n, lambda: stub.scan(bench.n, 1_000), bench.n * 1_000)

    return bench.rt.run(main())


def w7insert(bench: Bench) -> Outcome:
    stub = bench.one("SQL")
    return bench.rt.run(timed(bench.n, lambda: stub.insert(bench.n)))


def w7select(bench: Bench) -> Outcome:
    stub, rows = bench.one("SQL"), parameters.ROWS
    expected = sum(i * 7919 % rows % 97 for i in range(bench.n))

    async def main() -> Outcome:
        await stub.insert(rows)
        return await timed(bench.n, lambda: stub.select(bench.n, rows), expected)

    return bench.rt.run(main())


def w7aggregate(bench: Bench) -> Outcome:
    stub = bench.one("SQL")

    async def main() -> Outcome:
        await stub.insert(parameters.ROWS)
        return await timed(bench.n, lambda: stub.aggregate(bench.n), bench.n * 10)

    return bench.rt.run(main())


def w8(bench: Bench) -> Outcome:
    rt, period, objects = bench.rt, parameters.PERIOD_MS, bench.objects
    stubs = bench.many("TICKER")
    begin = rt.clock.now_ms
    rt.run(
        drive(
            objects,
            bench.width,
            lambda i: stubs[i].start(begin + period + i * period // objects, period),
        )
    )
    rt.advance_to(begin + period - 1)
    before, virtual_ms = Ticker.runs, bench.n * period // objects
    start = perf()
    rt.advance(virtual_ms)
    out = Outcome(Ticker.runs - before, perf() - start)
    if out.n != bench.n:
        raise AssertionError(f"{out.n} handler runs in {virtual_ms} ms, not {bench.n}")
    rt.run(drive(objects, bench.width, lambda i: stubs[i].stop()))
    return out


def w9(bench: Bench) -> Outcome:
    stub, clients = bench.one("ROOM"), bench.objects
    messages = bench.n // clients

    async def main() -> Outcome:
        received, all_there, sockets = 0, asyncio.get_running_loop().create_future(), []

        def count(_event: Any) -> None:
            nonlocal received
            received += 1
            if received == bench.n:
                all_there.set_result(None)

        for _ in range(clients):
            response = await stub.fetch("http://do/ws", headers={"Upgrade": "websocket"})
            socket = response.web_socket
            socket.accept()
            socket.addEventListener("message", count)
            sockets.append(socket)

        async def send() -> None:
            for i in range(messages):
                sockets[0].send(f"message {i}")
            await all_there

        out = await timed(bench.n, send)
        for socket in sockets:
            socket.close(1000, "done")
        return out

    return bench.rt.run(main())


def w10(bench: Bench) -> Outcome:
    rt, counters = bench.rt, bench.env.COUNTER
    gc.collect()
    before = driving.rss_mb()
    # A string of its own for each, or all of them would share one in memory.
    out = bench.drive(lambda i: get(counters, f"{RUN}{i}").create(f"{i:x>100}"))

    def bytes_each() -> int:
        return round((driving.rss_mb() - before) * 2**20 / out.n)

    out.extra["bytes_per_object"] = bytes_each()
    rt.advance(15_000)  # the engine evicts an object after 10 s without a request
    gc.collect()
    left = len(kernel_of(rt).residency.instances())
    if left:
        raise AssertionError(f"{left} objects are still in memory")
    out.extra["bytes_per_evicted_object"] = bytes_each()
    return out


WORKLOADS: dict[str, Callable[[Bench], Outcome]] = {
    "W1": w1,
    "W1seq": w1seq,
    "W1rpc": w1rpc,
    "W1noop": w1noop,
    "W2": w2,
    "W3": w3,
    "W4": w4,
    "W4seq": w4seq,
    "W5": w5,
    "W6put": w6put,
    "W6list": w6list,
    "W7insert": w7insert,
    "W7select": w7select,
    "W7aggregate": w7aggregate,
    "W8": w8,
    "W9": w9,
    "W10": w10,
}
