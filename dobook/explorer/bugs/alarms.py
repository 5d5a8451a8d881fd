"""Mistakes with alarms, which run at least once, one for each object, and late when they must."""

# ruff: noqa: D101, D102, D103 - each class says what it does in its few lines

import asyncio
from typing import Any

from dobook.errors import PlatformError
from dobook.explorer.bugs.base import Bug, Sample
from dobook.explorer.client import retry


class Mailbox(Sample):
    def receive(self, text: str, key: str = "") -> None:
        if not key or self.kv.get(f"seen:{key}") is None:
            self.kv.put("mails", [*self.mails(), text])
            if key:
                self.kv.put(f"seen:{key}", "yes")

    def mails(self) -> list[str]:
        return self.kv.get("mails") or []


class Reminder(Sample):
    """Sends a mail whenever its alarm runs."""

    async def remind(self) -> None:
        if self.kv.get("set") is None:
            self.kv.put("set", "yes")
            await self.storage.setAlarm(1)

    async def alarm(self) -> None:
        await self.env.MAILBOX.getByName("ada").receive("tea time")


class KeyedReminder(Reminder):
    async def alarm(self) -> None:
        await self.env.MAILBOX.getByName("ada").receive("tea time", "tea time 1")


async def remind_once(env: Any) -> None:
    await retry(lambda: env.REMINDER.getByName("ada").remind())
    await asyncio.sleep(600)
    assert len(await retry(lambda: env.MAILBOX.getByName("ada").mails())) <= 1


class Agenda(Sample):
    """Has one alarm for several dates, and sets it to the latest one that it hears of."""

    async def add(self, what: str, after_ms: int) -> None:
        due = await self.env.CLOCK.getByName("start").start() + after_ms
        self.kv.put(f"due:{what}", due)
        await self.schedule(due)

    async def schedule(self, due: int) -> None:
        await self.storage.setAlarm(due)

    async def alarm(self) -> None:
        now = await self.env.CLOCK.getByName("start").now()
        rows = await self.storage.list(prefix="due:")
        for key, due in rows.items():
            if due <= now:
                self.kv.put("done", [*self.done(), key[4:]])
                self.kv.delete(key)
        left = await self.storage.list(prefix="due:")
        if left:
            await self.storage.setAlarm(min(left.values()))

    def done(self) -> list[str]:
        return self.kv.get("done") or []


class EarliestAgenda(Agenda):
    async def schedule(self, due: int) -> None:
        set_to = await self.storage.getAlarm()
        if set_to is None or due < set_to:
            await self.storage.setAlarm(due)


class Clock(Sample):
    def start(self) -> int:
        import time

        if self.kv.get("start") is None:
            self.kv.put("start", round(time.time() * 1000))
        return int(self.kv.get("start"))

    def now(self) -> int:
        import time

        return round(time.time() * 1000)


async def add_two_dates(env: Any) -> None:
    async def add(what: str, after_ms: int) -> None:
        await retry(lambda: env.AGENDA.getByName("ada").add(what, after_ms))

    await asyncio.gather(add("late", 7_200_000), add("soon", 600_000))
    await asyncio.sleep(5_400)
    assert await retry(lambda: env.AGENDA.getByName("ada").done()) != []


class Uploader(Sample):
    """Catches every error of its alarm, so that nobody tries again."""

    async def upload(self, data: str) -> None:
        self.kv.put("data", data)
        await self.storage.setAlarm(1)

    async def alarm(self) -> None:
        try:
            await self.env.MAILBOX.getByName("archive").receive(self.kv.get("data"), "upload")
        except PlatformError as error:
            self.kv.put("last error", str(error))


class RaisingUploader(Uploader):
    async def alarm(self) -> None:
        await self.env.MAILBOX.getByName("archive").receive(self.kv.get("data"), "upload")


async def upload_something(env: Any) -> None:
    await retry(lambda: env.UPLOADER.getByName("1").upload("a picture"))
    await asyncio.sleep(3600)
    assert await retry(lambda: env.MAILBOX.getByName("archive").mails()) == ["a picture"]


class Jobs(Sample):
    """Stores a job, checks something elsewhere, and only then sets the alarm that works on it."""

    async def submit(self, job: str) -> None:
        if self.kv.get("job") is None:
            self.kv.put("job", job)
            await self.env.MAILBOX.getByName("log").receive("submitted", "submitted")
            await self.storage.setAlarm(1)

    async def alarm(self) -> None:
        self.kv.put("state", "done")

    def state(self) -> list[Any]:
        return [self.kv.get("job"), self.kv.get("state")]


class AtomicJobs(Jobs):
    async def submit(self, job: str) -> None:
        if self.kv.get("job") is None:
            self.kv.put("job", job)
            await self.storage.setAlarm(1)
            await self.env.MAILBOX.getByName("log").receive("submitted", "submitted")


async def submit_a_job(env: Any) -> None:
    try:
        await retry(lambda: env.JOBS.getByName("1").submit("wash up"))
    except PlatformError:
        return
    await asyncio.sleep(600)
    job, state = await retry(lambda: env.JOBS.getByName("1").state())
    assert job is None or state == "done"


class Report(Sample):
    """Writes its result after it was cancelled while it waited."""

    async def start(self) -> None:
        self.kv.put("state", "running")
        await self.storage.setAlarm(1)

    async def alarm(self) -> None:
        if self.kv.get("state") == "running":
            await asyncio.sleep(2)
            self.kv.put("state", "finished")

    def cancel(self) -> None:
        self.kv.put("state", "cancelled")

    def state(self) -> Any:
        return self.kv.get("state")


class CheckingReport(Report):
    async def alarm(self) -> None:
        if self.kv.get("state") == "running":
            await asyncio.sleep(2)
            if self.kv.get("state") == "running":
                self.kv.put("state", "finished")


async def cancel_a_report(env: Any) -> None:
    await retry(lambda: env.REPORT.getByName("1").start())
    await asyncio.sleep(3)
    await retry(lambda: env.REPORT.getByName("1").cancel())
    await asyncio.sleep(600)
    assert await retry(lambda: env.REPORT.getByName("1").state()) == "cancelled"


BUGS = [
    Bug(
        "double alarm without idempotence",
        "An alarm runs again if its object crashes before the run is recorded; a key makes the "
        "second run harmless.",
        remind_once,
        {"REMINDER": Reminder, "MAILBOX": Mailbox},
        {"REMINDER": KeyedReminder, "MAILBOX": Mailbox},
    ),
    Bug(
        "alarm set over an earlier one",
        "An object has one alarm, and setting it replaces it; set it to the earliest date.",
        add_two_dates,
        {"AGENDA": Agenda, "CLOCK": Clock},
        {"AGENDA": EarliestAgenda, "CLOCK": Clock},
    ),
    Bug(
        "alarm that hides its errors",
        "Only an alarm that raises is tried again; let it.",
        upload_something,
        {"UPLOADER": Uploader, "MAILBOX": Mailbox},
        {"UPLOADER": RaisingUploader, "MAILBOX": Mailbox},
    ),
    Bug(
        "job without an alarm",
        "A crash between storing a job and setting its alarm leaves a job that nobody works on; do "
        "both in one turn.",
        submit_a_job,
        {"JOBS": Jobs, "MAILBOX": Mailbox},
        {"JOBS": AtomicJobs, "MAILBOX": Mailbox},
    ),
    Bug(
        "result after the end",
        "While an alarm waits, what it works on may be cancelled; look again afterwards.",
        cancel_a_report,
        {"REPORT": Report},
        {"REPORT": CheckingReport},
    ),
]
