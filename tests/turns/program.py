"""The class whose orders are recorded: the same code runs with Cloudflare's SDK and in dobook.

A program is a list of steps, `[operation, argument, ...]`; each step writes its name in the log when
it is over. What a step starts in the background writes the same name and a letter.
"""

import asyncio

from workers import DurableObject

FAR_MS = 4_102_444_800_000


class F(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.log = []
        self.events = {}
        self.lock = asyncio.Lock()

    async def alarm(self, info=None):
        del info

    async def echo(self, value):
        return value

    async def take(self):
        log, self.log = self.log, []
        return log

    async def run(self, name, program):
        self.log.append(f"{name} in")
        try:
            await self.steps(name, program)
        except Exception as error:
            self.log.append(f"{name} {type(error).__name__}")
        self.log.append(f"{name} out")

    async def steps(self, name, program):
        for number, (operation, *arguments) in enumerate(program):
            place = f"{name}.{number}"
            await getattr(self, f"do_{operation}")(place, *arguments)
            self.log.append(place)

    async def after(self, awaited, text):
        await awaited
        self.log.append(text)

    def event(self, name):
        return self.events.setdefault(name, asyncio.Event())

    # ------------------------------------------------------------------ storage

    async def do_get(self, _place):
        await self.ctx.storage.get("k")

    async def do_many(self, _place):
        await self.ctx.storage.get(["k", "z"])

    async def do_put(self, place):
        await self.ctx.storage.put("k", place)

    async def do_del(self, _place):
        await self.ctx.storage.delete("k")

    async def do_list(self, _place):
        await self.ctx.storage.list()

    async def do_wipe(self, _place):
        await self.ctx.storage.deleteAll()

    async def do_alarm(self, _place):
        await self.ctx.storage.getAlarm()

    async def do_setalarm(self, _place):
        await self.ctx.storage.setAlarm(FAR_MS)

    async def do_delalarm(self, _place):
        await self.ctx.storage.deleteAlarm()

    async def do_getthen(self, place):
        asyncio.create_task(self.after(self.ctx.storage.get("k"), f"{place}t"))  # noqa: RUF006

    async def do_putthen(self, place):
        asyncio.create_task(self.after(self.ctx.storage.put("z", 1), f"{place}t"))  # noqa: RUF006

    async def do_getlater(self, _place):
        promise = self.ctx.storage.get("k")
        await asyncio.sleep(0)
        await promise

    async def do_both(self, _place):
        await asyncio.gather(self.ctx.storage.get("k"), self.ctx.storage.put("z", 1))

    # ------------------------------------------------------------------ asyncio

    async def do_null(self, _place):
        await asyncio.sleep(0)

    async def do_micro(self, place):
        asyncio.get_running_loop().call_soon(self.log.append, f"{place}m")

    async def do_chain(self, place):
        def step(letters):
            self.log.append(place + letters[0])
            if letters[1:]:
                asyncio.get_running_loop().call_soon(step, letters[1:])

        asyncio.get_running_loop().call_soon(step, "abcd")

    async def do_all(self, place, programs):
        await asyncio.gather(*[self.steps(f"{place}/{j}", p) for j, p in enumerate(programs)])

    async def do_tasks(self, place, programs):
        tasks = [asyncio.create_task(self.steps(f"{place}/{j}", p)) for j, p in enumerate(programs)]
        for task in tasks:
            await task

    async def do_group(self, place, programs):
        async with asyncio.TaskGroup() as group:
            for j, program in enumerate(programs):
                group.create_task(self.steps(f"{place}/{j}", program))

    async def do_bg(self, place, program):
        asyncio.create_task(self.steps(f"{place}b", program))  # noqa: RUF006

    async def do_until(self, place, program):
        self.ctx.waitUntil(asyncio.ensure_future(self.steps(f"{place}u", program)))

    async def do_within(self, place, program):
        await asyncio.wait_for(self.steps(f"{place}w", program), 1000)

    async def do_locked(self, place, program):
        async with self.lock:
            self.log.append(f"{place}[")
            await self.steps(f"{place}l", program)

    async def do_set(self, _place, name):
        self.event(name).set()

    async def do_wait(self, _place, name):
        asyncio.get_running_loop().call_later(0.2, self.event(name).set)
        await self.event(name).wait()

    # ------------------------------------------------------------------ what waits for the event loop

    async def do_sync(self, _place):
        await self.ctx.storage.sync()

    async def do_timer(self, _place, ms):
        await asyncio.sleep(ms / 1000)

    async def do_timerbg(self, place, ms):
        asyncio.get_running_loop().call_later(ms / 1000, self.log.append, f"{place}T")

    async def do_stub(self, _place):
        await self.env.F.getByName("helper").echo(1)

    async def do_stubbg(self, place):
        asyncio.create_task(  # noqa: RUF006
            self.after(self.env.F.getByName("helper").echo(1), f"{place}S")
        )

    async def do_block(self, place, program):
        async def closure():
            self.log.append(f"{place}{{")
            await self.steps(f"{place}B", program)
            self.log.append(f"{place}}}")

        await self.ctx.blockConcurrencyWhile(closure)

    async def do_txn(self, place, program):
        async def closure(_txn):
            self.log.append(f"{place}[")
            await self.steps(f"{place}X", program)
            self.log.append(f"{place}]")

        await self.ctx.storage.transaction(closure)
