"""Opening after an unclean end, checkpoints and closing show a bar when they take long."""

import asyncio
import shutil

import pytest

from dobook import Runtime
from dobook.storage import pending_files

FAR_MS = 4_102_444_800_000


class Box:
    def __init__(self, ctx, env):
        self.storage = ctx.storage

    async def put(self, value):
        await self.storage.put("v", value)
        await self.storage.setAlarm(FAR_MS)

    async def sql(self):
        self.storage.sql.exec("CREATE TABLE IF NOT EXISTS t(x)")

    async def alarm(self):
        pass


class Bar:
    """Stands in for tqdm."""

    def __init__(self, total, initial, desc, **_options):
        self.total, self.done, self.desc, self.closed = total, initial, desc, False
        made.append(self)

    def update(self, more):
        self.done += more

    def close(self):
        self.closed = True


made: list[Bar] = []


@pytest.fixture
def bars(monkeypatch):
    made.clear()
    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    return made


def opened(path):
    runtime = Runtime(path)
    runtime.register(Box)
    return runtime


def fill(runtime):
    async def main():
        calls = [runtime.stub(f"BOX/{n}").put(n) for n in range(5)]
        calls += [runtime.stub(f"BOX/sql {n}").sql() for n in range(5)]
        await asyncio.gather(*calls)

    runtime.run(main())


def what_was_shown(path, killed):
    with opened(path) as runtime:
        fill(runtime)
        shutil.copytree(path, killed)
    closing = [(bar.desc, bar.done, bar.total) for bar in made]
    made.clear()
    opened(killed).close()
    opening = [(bar.desc, bar.done, bar.total) for bar in made]
    return closing, opening


def test_what_takes_long_has_a_bar_that_is_full_in_the_end_and_goes_away(
    tmp_path, bars, monkeypatch
):
    monkeypatch.setattr(pending_files, "QUIET_S", -1.0)
    closing, opening = what_was_shown(tmp_path / "state", tmp_path / "killed")
    assert ("writing objects", 5, 5) in closing
    assert {desc for desc, _, _ in closing} == {
        "writing objects", "syncing objects", "closing objects",
    }  # fmt: skip
    assert "recovering objects" in {desc for desc, _, _ in opening}
    assert all(done == total for _, done, total in [*closing, *opening])
    assert all(bar.closed for bar in bars)


def test_what_is_quick_has_none(tmp_path, bars):
    assert what_was_shown(tmp_path / "state", tmp_path / "killed") == ([], [])
