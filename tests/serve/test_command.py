"""`dobook serve`: a file behind a server, from start to end."""

import contextlib
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from dobook.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

FILE = """
from workers import DurableObject, Response


class PageCounter(DurableObject):
    async def fetch(self, request):
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return Response(str(n))
"""
WORKER = (
    FILE
    + """
from workers import WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.PAGE_COUNTER.getByName("front").fetch(request)
"""
)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "counter.py"
    path.write_text(FILE)
    return path


@contextlib.contextmanager
def serving(file, *options):
    """Runs the command; gives the process and the URL it says it is ready on."""
    command = [sys.executable, "-m", "dobook", "serve", str(file), "--port", "0", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            found = re.search(r"ready on (http://\S+)", process.stdout.readline())
            assert found, process.stderr.read()
            yield process, found[1]
        finally:
            if process.poll() is None:
                process.kill()


def get(url, **headers):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return answer.read()


def test_it_serves_a_files_objects_logs_and_stops_in_order(file):
    with serving(file) as (process, url):
        assert get(f"{url}PAGE_COUNTER/a") == b"1"
        assert get(f"{url}page_counter/a") == b"2"
        process.send_signal(signal.SIGTERM)
        said, logged = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "everything that was acknowledged is kept" in said
    assert logged.count("GET /PAGE_COUNTER/a 200") == 1


def test_a_files_worker_answers_everything(tmp_path):
    path = tmp_path / "worker.py"
    path.write_text(WORKER)
    with serving(path, "--quiet") as (process, url):
        assert get(f"{url}any/path") == b"1"
        process.send_signal(signal.SIGINT)
        _, logged = process.communicate(timeout=20)
    assert process.returncode == 0
    assert logged == ""


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_acknowledged_is_there_after_the_process(file, tmp_path, end):
    options = ("--state", str(tmp_path / "state"))
    with serving(file, *options) as (process, url):
        acknowledged = [int(get(f"{url}PAGE_COUNTER/a")) for _ in range(20)][-1]
        process.send_signal(end)
        process.communicate(timeout=20)
    with serving(file, *options) as (_, url):
        assert int(get(f"{url}PAGE_COUNTER/a")) == acknowledged + 1


def test_where_other_machines_can_connect_a_token_is_made_up(file):
    with serving(file, "--host", "0.0.0.0") as (_, url):
        assert "?token=" in url
        plain, _, token = url.partition("?token=")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            get(f"{plain}PAGE_COUNTER/a")
        assert get(f"{plain}PAGE_COUNTER/a?token={token}") == b"1"
        assert get(f"{plain}PAGE_COUNTER/a", Authorization=f"Bearer {token}") == b"2"


def test_what_cannot_be_served_is_said_in_a_line(tmp_path, capsys):
    empty = tmp_path / "empty.py"
    empty.write_text("class Counter: ...")
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0")
    for path, says in (
        (tmp_path, "is not a file"),
        (empty, "has no class of DurableObject"),
        (broken, "could not be imported"),
    ):
        assert main(["serve", str(path)]) == 1
        assert says in capsys.readouterr().err
