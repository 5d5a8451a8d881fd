"""Mistakes with locks, leases and limits, which all trust a clock or one another too much."""

# ruff: noqa: D101, D102, D103 - each class says what it does in its few lines

import asyncio
import time
from typing import Any

from dobook.explorer.bugs.base import Bug, Sample
from dobook.explorer.client import retry


def now_ms() -> int:
    """Return the time of day in ms; virtual, as all time here is."""
    return round(time.time() * 1000)


class Limiter(Sample):
    """Counts in windows that begin every second: twice the limit fits around an edge."""

    limit, window_ms = 2, 1_000

    def allow(self) -> bool:
        window = now_ms() // self.window_ms
        first, count = self.kv.get("window") or [window, 0]
        count = count if first == window else 0
        allowed = count < self.limit
        if allowed:
            self.kv.put("window", [window, count + 1])
            self.let_in()
        return bool(allowed)

    def let_in(self) -> None:
        self.kv.put("hits", [*(self.kv.get("hits") or []), now_ms()])

    def most_in_a_window(self) -> int:
        hits = self.kv.get("hits") or []
        return max((sum(a <= b < a + self.window_ms for b in hits) for a in hits), default=0)


class SlidingLimiter(Limiter):
    def allow(self) -> bool:
        recent = [t for t in self.kv.get("hits") or [] if t > now_ms() - self.window_ms]
        allowed = len(recent) < self.limit
        if allowed:
            self.let_in()
        return allowed


async def two_bursts(env: Any) -> None:
    async def ask(after_s: float) -> None:
        await asyncio.sleep(after_s)
        await retry(lambda: env.LIMITER.getByName("ada").allow())

    await asyncio.gather(*(ask(t) for t in (0.3, 0.35, 1.4, 1.45)))
    assert await retry(lambda: env.LIMITER.getByName("ada").most_in_a_window()) <= 2


class Lock(Sample):
    """Gives a lease of ten seconds, with a number that grows."""

    def acquire(self, who: str) -> int | None:
        holder, until = self.kv.get("lease") or [None, 0]
        if holder is not None and holder != who and now_ms() < until:
            return None
        self.kv.put("lease", [who, now_ms() + 10_000])
        self.kv.put("token", (self.kv.get("token") or 0) + 1)
        return int(self.kv.get("token"))


class File(Sample):
    """Takes what present and earlier holders of the lock write."""

    def write(self, token: int, text: str) -> bool:
        self.kv.put("written", [*self.written(), token])
        return True

    def written(self) -> list[int]:
        return self.kv.get("written") or []


class FencedFile(File):
    def write(self, token: int, text: str) -> bool:
        if token < max(self.written(), default=0):
            return False
        return super().write(token, text)


async def write_under_a_lock(env: Any) -> None:
    async def one(who: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        token = await env.LOCK.getByName("file").acquire(who)
        if token is not None:
            await env.FILE.getByName("data").write(token, who)

    await asyncio.gather(one("ada", 0), one("bob", 12))
    written = await env.FILE.getByName("data").written()
    assert written == sorted(written)


class Peer(Sample):
    """Keeps everybody out while it asks its peer, who may be doing the same."""

    async def sync(self, peer: str) -> int:
        async def ask() -> int:
            return int(await self.env.PEER.getByName(peer).version())

        version: int = await self.ctx.blockConcurrencyWhile(ask)
        self.kv.put("version", max(version, self.version()))
        return self.version()

    def version(self) -> int:
        return self.kv.get("version") or 1


class OpenPeer(Peer):
    async def sync(self, peer: str) -> int:
        version = int(await self.env.PEER.getByName(peer).version())
        self.kv.put("version", max(version, self.version()))
        return self.version()


async def sync_both_ways(env: Any) -> None:
    async def one(name: str, peer: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await env.PEER.getByName(name).sync(peer)

    await asyncio.gather(one("left", "right", 0), one("right", "left", 0.02))


BUGS = [
    Bug(
        "limiter at the edge of its window",
        "Counting in fixed windows lets twice the limit through around an edge; keep the times.",
        two_bursts,
        {"LIMITER": Limiter},
        {"LIMITER": SlidingLimiter},
    ),
    Bug(
        "lock without fencing",
        "A lease may run out while its holder's message is on its way; let the resource refuse "
        "tokens older than it has seen.",
        write_under_a_lock,
        {"LOCK": Lock, "FILE": File},
        {"LOCK": Lock, "FILE": FencedFile},
    ),
    Bug(
        "deadlock of two that keep everybody out",
        "Two objects that ask each other inside blockConcurrencyWhile wait until they are reset; "
        "do not call out of it.",
        sync_both_ways,
        {"PEER": Peer},
        {"PEER": OpenPeer},
    ),
]
