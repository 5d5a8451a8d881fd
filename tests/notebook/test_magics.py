"""What each magic does, and what it says when it is used wrongly."""

import pandas as pd
import pytest
from IPython.core.error import UsageError

from dobook.runtime.access import kernel_of
from dobook.web import Response


def test_a_class_of_a_cell_gets_a_binding_and_a_card(shell):
    card = repr(shell.cell(
        "%%durable_object\nfrom workers import DurableObject\n"
        "class RateLimiter(DurableObject):\n    async def hit(self): return 1\n"
    ))  # fmt: skip
    assert card.startswith("RateLimiter  durable object")
    assert "env.RATE_LIMITER" in card
    assert "hit" in card
    assert "v1: new_sqlite_classes" in card
    assert shell.cell("%rpc RATE_LIMITER/a hit") == 1
    assert shell.cell("RateLimiter.__name__") == "RateLimiter"


def test_redefining_keeps_storage_and_alarms_and_restarts_instances(counting):
    counting.cell("%rpc COUNTER/a add 5")
    counting.cell("%rpc COUNTER/a ring 60000")
    card = repr(counting.cell(
        "%%durable_object\nfrom workers import DurableObject\n"
        "class Counter(DurableObject):\n"
        "    async def value(self): return -(await self.ctx.storage.get('n'))\n"
        "    async def alarm(self): print('new code')\n"
    ))  # fmt: skip
    assert "removed fetch, add, ring, nap; changed value, alarm" in card
    assert "storage of 1 object, 1 alarm; 1 instance restarted" in card
    assert "v1:" in card
    assert counting.cell("%rpc COUNTER/a value") == -5
    assert len(counting.cell("%fast_forward 60s")) == 1


def test_an_option_given_once_holds_for_later_definitions(shell):
    cell = "from workers import DurableObject\nclass A(DurableObject):\n    def x(self): return 1\n"
    shell.cell(f"%%durable_object --binding MINE --storage kv --name Deployed\n{cell}")
    card = repr(shell.cell(f"%%durable_object --name Deployed\n{cell}"))
    assert "env.MINE" in card
    assert "new_classes" in card
    assert "new code   nothing" in card
    with pytest.raises(UsageError, match="new_classes"):
        shell.cell(f"%%durable_object --name Deployed --storage sqlite\n{cell}")


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("%%durable_object\nx = 1", "defines no class with the base DurableObject"),
        ("%%worker\nx = 1", "defines no class with the base WorkerEntrypoint"),
        ("%%durable_object --storge kv\nx = 1", "Did you mean '--storage'"),
        ("%%durable_object --storage sql\nx = 1", "invalid choice"),
        ("%storage COUTNER/a", "no binding named 'COUTNER'. Did you mean 'COUNTER'?"),
        ("%storage COUNTER", "names no object. Write COUNTER/name"),
        ("%storage", "which object. Write %storage BINDING/name"),
        ("%sql", r"required: OBJ.*%sql\? shows"),
        ("%storage COUNTER/a --diff nonsense", "is nothing to compare with"),
        ("%storage --diff 10m", "only one object can be compared with a time"),
        ("%storage --diff $nothing", "no variable named .nothing."),
        ("%storage --state ./missing", "does not exist"),
        ("%rpc COUNTER/a ad 1", "no method named 'ad'. Did you mean 'add'?"),
        ("%rpc COUNTER/a add one", "neither JSON nor a Python literal"),
        ("%request GTE COUNTER/a /", "no method 'GTE'. Did you mean 'GET'?"),
        ("%request GET COUNTER/a value", "path that does not begin with '/'"),
        ("%request GET COUNTER/a / --json 1", "GET has no body"),
        ("%request GET COUNTER/a / -H novalue", "'name: value'"),
        ("%request COUNTER/a / --repeat 0", "1 or more"),
        ("%request GET /", "no Worker yet"),
        ("%request COUNTER/a /value --as 1x", "'1x' cannot be a variable's name. %request?"),
        ("%websocket COUNTER/a --as 1x", "'1x' cannot be a variable's name. %websocket?"),
        ("%trace --since never", "cannot read 'never' as a time"),
        ("%fast_forward 5 parsecs", "cannot read '5 parsecs' as a duration"),
        ("%fast_forward", "say how far"),
        ("%fast_forward --to 1999-01-01", "time cannot go back"),
        ("%evict COUNTER/a", "not in memory"),
        ("%crash COUNTER/a", "not in memory"),
        ("%objects COUTNER", "Did you mean 'COUNTER'"),
        ("%sql COUNTER/a", "write a query"),
        ("%rate_limit COUNTER/a --limit 0", "more than 0"),
        ("%dobook rest", "Did you mean 'reset'"),
        ("%dobook --start yesterday", "cannot read 'yesterday' as a time"),
    ],
)
def test_wrong_use_is_one_line_that_says_what_to_do(counting, cell, message):
    with pytest.raises(UsageError, match=message) as caught:
        counting.cell(cell)
    assert type(caught.value) is UsageError, "IPython hides the traceback of this class alone"
    assert "\n" not in str(caught.value)


def test_all_ways_of_asking_agree(counting):
    counting.cell("%rpc COUNTER/a add 2")
    counting.cell("answer = %request GET COUNTER/a /value -H 'x-user: ada'")
    assert isinstance(counting.user_ns["answer"], Response)
    wanted = {"n": 2, "who": "ada"}
    assert counting.cell("await answer.json()") == wanted
    url = '"http://x/", headers={"x-user": "ada"}'
    fetched = f"await (await env.COUNTER.getByName('a').fetch({url})).json()"
    assert counting.cell(fetched) == wanted
    assert counting.cell("await env.COUNTER.getByName('a').value()") == 2
    assert counting.cell("runtime.run(env.COUNTER.getByName('a').value())") == 2


def test_a_cell_is_the_body_and_post_the_method(counting):
    response = counting.cell('%%request COUNTER/a /add\n{"by": 4}')
    assert counting.shown(response) == '200 OK\ncontent-type: application/json\n\n{"n": 4}'
    assert counting.cell("await _.json()") == {"n": 4}, "showing a response leaves its body unread"


def test_variables_are_looked_up_by_their_name(counting):
    counting.cell("body = {'by': 3}; who = 'grace'")
    counting.cell("%request POST COUNTER/$who /add --json $body --as kept")
    assert counting.cell("await kept.json()") == {"n": 3}
    assert counting.cell("%rpc COUNTER/grace value") == 3


def test_a_worker_routes_and_its_errors_are_500_with_the_users_line(counting):
    counting.cell(
        "%%worker\nfrom workers import WorkerEntrypoint\n"
        "class Default(WorkerEntrypoint):\n"
        "    async def fetch(self, request):\n"
        "        return await self.env.COUNTER.getByName('w').fetch(request)\n"
    )
    assert counting.cell("%request GET /value").status == 200
    failed = counting.cell("%request GET /boom")
    text = counting.shown(failed)
    assert text.startswith("500 Internal Server Error")
    assert 'raised in Counter.fetch, line 11 of its cell:\n    raise ValueError("boom")' in text


def test_repeated_requests_are_a_frame(counting):
    frame = counting.cell(
        '%request POST COUNTER/a /add --json {"by": 1} --repeat 5 --concurrency 2'
    )
    assert list(frame["body"]) == [f'{{"n": {i}}}' for i in range(1, 6)]
    assert list(frame["status"]) == [200] * 5
    failed = counting.cell("%request COUNTER/a /boom --repeat 2")
    assert list(failed["error"]) == ["ValueError: boom"] * 2
    assert failed["status"].isna().all()


def test_a_misspelt_path_is_pointed_out(counting):
    counting.cell(
        "%%durable_object\nfrom urllib.parse import urlsplit\n"
        "from workers import DurableObject, Response\n"
        "class Paths(DurableObject):\n"
        "    async def fetch(self, request):\n"
        "        ok = urlsplit(request.url).path == '/status'\n"
        "        return Response('', status=200 if ok else 404)\n"
    )
    counting.cell("%request PATHS/a /sttus")
    shown = [o["data"]["text/plain"] for o in counting.display_pub.outputs]
    assert shown == ["The code mentions no path '/sttus'. Did you mean '/status'?"]


def test_storage_is_a_frame_and_looking_makes_nothing(counting):
    assert len(counting.cell("%storage COUNTER/nobody")) == 0
    assert len(counting.cell("%objects")) == 0
    counting.cell("%rpc COUNTER/a add 2")
    frame = counting.cell("%storage COUNTER/a")
    assert isinstance(frame, pd.DataFrame)
    assert frame.iloc[0].to_dict() == {"key": "n", "value": 2, "type": "int", "bytes": 4}
    assert frame.attrs["object"] == "COUNTER/a"
    assert len(counting.cell("%storage COUNTER/a --prefix x")) == 0


def test_objects_alarms_and_requests_are_frames(counting):
    counting.cell("%rpc COUNTER/a ring 3600000")
    assert counting.cell("%objects")["object"].tolist() == ["COUNTER/a"]
    alarms = counting.cell("%alarms")
    assert alarms["in_s"].tolist() == [3600.0]
    counting.cell("%request GET COUNTER/b /value")
    with pytest.raises(ValueError, match="boom"):
        counting.cell("%request GET COUNTER/b /boom")
    asked = counting.cell("%requests")
    assert asked["path"].tolist() == ["ring(3600000)", "/value", "/boom"]
    assert asked["status"].tolist()[1] == 200
    assert counting.cell("%requests COUNTER/b --errors")["error"].tolist() == ["ValueError: boom"]


def test_sql_reads_and_never_writes(counting):
    counting.cell(
        "%%durable_object\nfrom workers import DurableObject\n"
        "class Books(DurableObject):\n"
        "    def add(self, title):\n"
        "        self.ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS book (title TEXT)')\n"
        "        self.ctx.storage.sql.exec('INSERT INTO book VALUES (?)', title)\n"
    )
    counting.cell('%rpc BOOKS/a add "A"')
    assert counting.cell("%sql BOOKS/a select title from book")["title"].tolist() == ["A"]
    with pytest.raises(UsageError, match="only reads"):
        counting.cell("%sql BOOKS/a delete from book")
    with pytest.raises(UsageError, match="no such column"):
        counting.cell("%sql BOOKS/a select pages from book")
    assert len(counting.cell("%sql BOOKS/a select title from book")) == 1


def test_sql_of_a_key_value_class_is_refused(shell):
    shell.cell(
        "%%durable_object --storage kv\nfrom workers import DurableObject\n"
        "class Old(DurableObject):\n    def x(self): return 1\n"
    )
    with pytest.raises(UsageError, match="keeps key-value rows only"):
        shell.cell("%sql OLD/a select 1")


def test_time_passes_as_far_as_it_is_told(counting):
    counting.cell("%rpc COUNTER/a ring 3600000")
    assert len(counting.cell("%fast_forward 59m 59s")) == 0
    runs = counting.cell("%fast_forward 1s")
    assert runs["outcome"].tolist() == ["ok"]
    assert str(runs["ran"][0]) == "2026-01-01 01:00:00+00:00"
    assert counting.cell("runtime.clock.now.isoformat()") == "2026-01-01T01:00:00+00:00"
    counting.cell("%fast_forward --to 2026-01-02T00:00")
    assert counting.cell("runtime.clock.now.isoformat()") == "2026-01-02T00:00:00+00:00"


def test_next_and_until_idle_stop_at_alarms(counting):
    for name, in_ms in (("a", 1000), ("b", 2000), ("c", 3000)):
        counting.cell(f"%rpc COUNTER/{name} ring {in_ms}")
    assert counting.cell("%fast_forward --next")["object"].tolist() == ["COUNTER/a"]
    limited = counting.cell("%fast_forward --until-idle --limit 1")
    assert limited["object"].tolist() == ["COUNTER/b"]
    assert "stopped at --limit 1" in repr(limited)
    assert counting.cell("%fast_forward --until-idle")["object"].tolist() == ["COUNTER/c"]
    assert len(counting.cell("%fast_forward --next 3")) == 0


def test_a_request_moves_the_clock_as_far_as_it_needs(counting):
    assert counting.cell("%rpc COUNTER/a nap 90") == 90
    assert counting.cell("runtime.clock.now.isoformat()") == "2026-01-01T00:01:30+00:00"


def test_rate_limit_shows_the_window(counting):
    counting.cell(
        "%%durable_object\nimport time\nfrom workers import DurableObject\n"
        "class Limiter(DurableObject):\n"
        "    async def hit(self):\n"
        "        hits = await self.ctx.storage.get('requests') or []\n"
        "        await self.ctx.storage.put('requests', [*hits, int(time.time() * 1000)])\n"
        "    async def spoil(self): await self.ctx.storage.put('requests', 'x')\n"
    )
    assert counting.cell("%rate_limit LIMITER/a").attrs["remaining"] == 10
    counting.cell("%rpc LIMITER/a hit")
    counting.cell("%fast_forward 20s")
    frame = counting.cell("%rate_limit LIMITER/a --limit 1")
    assert frame["age_s"].tolist() == [20.0]
    assert frame["frees_in_s"].tolist() == [40.0]
    assert (frame.attrs["remaining"], frame.attrs["retry_after"]) == (0, 40)
    assert "<svg" in frame._repr_html_()
    with pytest.raises(UsageError, match=r"no key named 'request'\. Did you mean"):
        counting.cell("%rate_limit LIMITER/a --key request")
    counting.cell("%rpc LIMITER/a spoil")
    with pytest.raises(UsageError, match="not a list of times"):
        counting.cell("%rate_limit LIMITER/a")


def test_evict_and_crash_keep_the_storage(counting):
    for fault in ("evict", "crash"):
        counting.cell("%rpc COUNTER/a add 1")
        assert "1 key" in repr(counting.cell(f"%{fault} COUNTER/a"))
        assert counting.cell("%objects")["state"].tolist() == ["evicted"]
    assert counting.cell("%rpc COUNTER/a value") == 2


def test_reset_empties_and_keeps_the_classes(counting):
    counting.cell("%rpc COUNTER/a add 1")
    old = counting.user_ns["runtime"]
    card = repr(counting.cell("%dobook reset"))
    assert "COUNTER (Counter)" in card
    assert kernel_of(old).closed
    assert counting.user_ns["runtime"] is not old
    assert counting.cell("%rpc COUNTER/a value") == 0
    assert counting.cell("await env.COUNTER.getByName('a').value()") == 0


def test_state_on_disk_is_there_again(counting, tmp_path):
    counting.cell(f"%dobook --state '{tmp_path}/my state' --seed 7")
    counting.cell("%rpc COUNTER/a add 3")
    counting.cell("%rpc COUNTER/a ring 60000")
    counting.cell("%dobook --state memory")
    assert counting.cell("%rpc COUNTER/a value") == 0
    card = repr(counting.cell(f"%dobook --state '{tmp_path}/my state'"))
    assert "alarms   1" in card
    assert "seed     7" in card
    assert counting.cell("%storage COUNTER/a")["value"].tolist() == [3]
    with pytest.raises(UsageError, match="Delete that directory yourself"):
        counting.cell("%dobook reset")
    assert len(counting.cell("%fast_forward 1h")) == 1


def test_a_directory_in_use_is_refused_and_the_session_goes_on(counting, tmp_path, open_runtime):
    held = open_runtime(tmp_path / "state")
    counting.cell("%rpc COUNTER/a add 3")
    with pytest.raises(UsageError, match="use"):
        counting.cell(f"%dobook --state {tmp_path}/state")
    assert counting.cell("%rpc COUNTER/a value") == 3
    assert not kernel_of(held).closed
