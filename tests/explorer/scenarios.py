"""Small objects with one mistake each, and what two clients do with them."""

import asyncio

import dobook


class Counter:
    """Loses an update when two increments overlap: it lets go of the object in between."""

    def __init__(self, ctx, env):
        self.ctx = ctx

    async def increment(self):
        n = await self.ctx.storage.get("n") or 0
        await asyncio.sleep(0.1)
        await self.ctx.storage.put("n", n + 1)
        return n + 1

    async def value(self):
        return await self.ctx.storage.get("n") or 0


class Careful(Counter):
    """The same without the mistake."""

    async def increment(self):
        n = await self.ctx.storage.get("n") or 0
        await self.ctx.storage.put("n", n + 1)
        await asyncio.sleep(0.1)
        return n + 1


async def a_second_apart(env):
    async def one(after_s):
        await asyncio.sleep(after_s)
        return await env.COUNTER.getByName("a").increment()

    seen = await asyncio.gather(one(0), one(1))
    assert sorted(seen) == [1, 2]


class Reminder:
    """Sends a message from its alarm, and notes that it did in another commit."""

    def __init__(self, ctx, env):
        self.ctx, self.env = ctx, env

    async def remind(self):
        await self.ctx.storage.setAlarm(1)

    async def alarm(self):
        await self.env.INBOX.getByName("a").receive("ding")


class Once(Reminder):
    """The same with a key that the receiver can tell a repetition by."""

    async def alarm(self):
        await self.env.INBOX.getByName("a").receive("ding", "the only one")


class Inbox:
    def __init__(self, ctx, env):
        self.kv = ctx.storage.kv

    def receive(self, what, key=None):
        if key is None or self.kv.get(f"seen:{key}") is None:
            self.kv.put("count", (self.kv.get("count") or 0) + 1)
            self.kv.put(f"seen:{key}", "yes")

    @dobook.invariant
    def holds_at_most_one_message(self):
        return (self.kv.get("count") or 0) <= 1


async def remind_once(env):
    await dobook.retry(lambda: env.REMINDER.getByName("a").remind())
    await asyncio.sleep(3600)


class Memory:
    """Keeps in memory what has to be in storage."""

    def __init__(self, ctx, env):
        self.said = []

    def say(self, word):
        self.said.append(word)

    def words(self):
        return self.said


class Stored(Memory):
    def __init__(self, ctx, env):
        self.kv = ctx.storage.kv

    def say(self, word):
        self.kv.put("said", [*(self.kv.get("said") or []), word])

    def words(self):
        return self.kv.get("said") or []


async def say_and_ask(env):
    await dobook.retry(lambda: env.MEMORY.getByName("a").say("hello"))
    assert "hello" in await dobook.retry(lambda: env.MEMORY.getByName("a").words())
