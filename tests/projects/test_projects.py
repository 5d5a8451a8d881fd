"""Projects in the style of Cloudflare's examples, run as they are."""

import json
import sys
from pathlib import Path

import pytest
from js import WebSocketPair

from dobook.cli import main
from dobook.errors import ConfigurationError, UsageError
from dobook.project import open_projects
from dobook.project.requests import Asked, answer
from dobook.web import Response

HERE = Path(__file__).parent


@pytest.fixture
def opened(request):
    """Open projects of this folder; they are closed after the test."""
    kept = []

    def open_(*names, **options):
        kept.append(open_projects([HERE / name for name in names], **options))
        return kept[-1]

    yield open_
    for project in kept:
        project.close()


def ask(opened, line, **headers):
    asked = Asked.parse(line)
    asked.headers = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return answer(opened.runtime, asked)


def body(opened, line):
    result = ask(opened, line)
    assert result.error == ""
    return result.body


# ---------------------------------------------------------------------- objects


def test_shopping_lists_keep_what_to_js_made(opened):
    lists = opened("shopping_lists")
    assert body(lists, "/weekend/show") == "nothing"
    assert body(lists, "/weekend/add/green%20tea") == "1 on the list"
    assert body(lists, "/weekend/add/bread") == "2 on the list"
    assert body(lists, "/weekend/show") == "green tea\nbread"
    assert body(lists, "/other/show") == "nothing"
    assert json.loads(body(lists, "/weekend/summary")) == {
        "total": 2,
        "changes": 2,
        "first": "green tea",
    }
    assert ask(lists, "/").status == 400
    assert ask(lists, "/weekend/eat").status == 404


def test_a_chat_room_serves_its_page_and_survives_hibernation(opened):
    chat = opened("chat_room")
    assert "<title>A room</title>" in body(chat, "/")
    assert ask(chat, "/room/lobby").status == 426
    assert ask(chat, "/nowhere").status == 404
    runtime, heard = chat.runtime, {"ada": [], "bob": []}

    def join(name):
        response = runtime.run(
            runtime.fetch(f"/room/lobby?name={name}", headers={"Upgrade": "websocket"})
        )
        socket = response.web_socket
        socket.addEventListener("message", lambda event: heard[name].append(event.data))
        socket.accept()
        runtime.settle()
        return socket

    ada = join("ada")
    bob = join("bob")
    ada.send(json.dumps({"text": "hello"}))
    runtime.settle()
    runtime.run(runtime.evict("ROOMS/lobby"))
    bob.send("ping")
    bob.send(json.dumps({"text": "awake again"}))
    runtime.settle()
    ada.close(1000, "bye")
    runtime.settle()
    said = [line if line == "pong" else json.loads(line) for line in heard["bob"]]
    assert [line if line == "pong" else (line["type"], line.get("name")) for line in said] == [
        ("history", None),
        ("joined", "bob"),
        ("said", "ada"),
        "pong",
        ("said", "bob"),
        ("left", "ada"),
    ]
    assert said[-1]["there"] == 2  # while the handler runs, the one that closes is listed
    join("ada")
    assert json.loads(heard["ada"][-2])["lines"] == ["ada: hello", "bob: awake again"]


def test_a_consumer_connects_out_and_an_alarm_keeps_it_so(opened, capsys):
    consumer = opened("feed_consumer")
    runtime = consumer.runtime
    asked, sockets = [], []

    class Feed:
        def __init__(self, ctx, env): ...

        async def fetch(self, request):
            client, server = WebSocketPair().object_values()
            server.accept()
            server.addEventListener("message", lambda event: asked.append(event.data))
            asked.append(request.url)
            sockets.append(server)
            return Response(None, status=101, web_socket=client)

    runtime.network.answer("wss://feed.example", Feed)
    assert json.loads(body(consumer, "/status")) == {
        "connected": False,
        "last": None,
        "attempts": 1,
    }
    runtime.settle()
    sockets[0].send('{"id": 41}')
    runtime.settle()
    assert json.loads(body(consumer, "/status")) == {"connected": True, "last": 41, "attempts": 1}
    runtime.advance("1m")
    sockets[0].close(1011, "restart")
    runtime.settle()
    runtime.advance("1m")
    assert json.loads(body(consumer, "/status"))["attempts"] == 2
    assert asked == [
        "https://feed.example/subscribe",
        '{"want": ["posts"]}',
        "https://feed.example/subscribe?cursor=41",
        '{"want": ["posts"]}',
    ]
    assert capsys.readouterr().out.splitlines() == [
        "alarm, retry 0: fine",
        "alarm, retry 0: connecting again",
    ]


def test_a_consumer_without_a_network_is_told_by_an_error_event(opened):
    consumer = opened("feed_consumer")
    assert json.loads(body(consumer, "/status"))["connected"] is False
    consumer.runtime.advance("5s")
    assert consumer.runtime.objects()[0].state == "evicted"  # ctx.abort()
    consumer.runtime.advance("2m")
    assert json.loads(body(consumer, "/status"))["attempts"] >= 2


def test_a_file_asked_of_a_binding_is_given_without_a_detour(opened):
    runtime = opened("notes").runtime
    files = runtime.env.ASSETS

    async def statuses():
        at_once = await files.fetch("https://any/index.html")
        by_hand = await files.fetch("https://any/index.html", redirect="manual")
        return at_once.status, by_hand.status

    assert runtime.run(statuses()) == (200, 307)


def test_notes_are_kept_in_sql_by_a_class_of_mixins(opened, capsys):
    notes = opened("notes")
    assert body(notes, "/notes") == "none"
    made = ask(notes, 'POST /notes {"text": "buy tea"}')
    assert (made.status, json.loads(made.body)["id"]) == (201, 1)
    assert body(notes, 'PUT /notes ["one", "two"]') == "2"
    refused = ask(notes, 'PUT /notes ["three", ""]')
    assert (refused.status, refused.body) == (400, "a note is empty")
    assert body(notes, "/notes") == "1 one\n2 two"
    assert body(notes, "/key") == "s3cret"
    assert "<h1>Notes</h1>" in body(notes, "/")
    assert ask(notes, "/nothing.html").status == 404
    assert ask(notes, "/index.html").status == 307  # a browser is sent to "/"
    notes.runtime.advance("2d")
    assert body(notes, "/notes") == "none"
    assert capsys.readouterr().out.splitlines() == [
        "noted 1",
        "0 3 * * *: 0 old",
        "0 3 * * *: 2 old",
    ]


def test_a_batcher_with_numbers_for_keys_sends_on_after_ten_seconds(opened, capsys):
    batcher = opened("batcher")
    runtime, received = batcher.runtime, []

    async def upstream(request):
        received.append((request.headers["x-count"], await request.text()))
        return Response("thanks")

    runtime.network.answer("https://upstream.example", upstream)
    assert body(batcher, "POST / a") == '{"queued": 1}'
    runtime.run(runtime.evict("BATCHER/foo"))
    assert body(batcher, "POST / b") == '{"queued": 2}'
    runtime.advance("10s")
    assert received == [("2", "a,b")]
    assert capsys.readouterr().out == "sent 2: 200 thanks\n"
    assert body(batcher, "POST / c") == '{"queued": 1}'


def test_run_sync_and_streams_go_by_the_virtual_clock(opened):
    batcher = opened("batcher")
    assert body(batcher, "/nap") == "30"
    began = batcher.runtime.clock.now_ms
    assert body(batcher, "/stream") == "0 1 2 "
    assert batcher.runtime.clock.now_ms - began == 1000


# ---------------------------------------------------------------------- Workers


def test_workers_call_one_another(opened):
    shop = opened("shop", "accounts")
    forwarded = ask(shop, "/accounts")
    assert forwarded.body == "accounts at http://localhost/accounts"
    assert ("x-worker", "accounts") in forwarded.headers
    assert json.loads(body(shop, "/deposit")) == {
        "name": "ada",
        "balance": 500,
        "shown": "5.00 credits",
        "attribute": 500,
    }
    assert body(shop, "/buy") == "ada has 3.00 credits; 2 left"
    assert body(shop, "/count") == "2, 3"
    broke = ask(shop, "/broke")
    assert (broke.status, broke.body) == (402, "refused: not enough")


def test_a_worker_that_is_not_there_is_asked_for_by_name(opened):
    shop = opened("shop")
    result = ask(shop, "/deposit")
    assert result.status == 500
    assert "no Worker named 'accounts' in this runtime" in result.body


def test_two_projects_with_the_same_names_do_not_meet(opened):
    modules = {name for name in sys.modules if name in ("entry", "helpers")}
    first, second = opened("shop", "accounts"), opened("accounts")
    assert ask(second, "/x").body == "accounts at http://localhost/x"
    assert json.loads(body(first, "/deposit"))["shown"] == "5.00 credits"
    assert body(first, "/buy").endswith("2 left")
    first.close()
    second.close()
    assert {name for name in sys.modules if name in ("entry", "helpers")} == modules


def test_handlers_of_the_older_style_see_javascripts_objects(opened, capsys):
    legacy = opened("legacy")
    assert body(legacy, "/") == "Hello, 3 of 2 from DFW"
    made = ask(legacy, 'POST / {"name": "Ada"}', user_agent="curl")
    assert (made.status, made.body) == (201, '{"for":"Ada"}')
    assert ("x-agent", "curl") in made.headers
    assert [body(legacy, "/hits") for _ in range(2)] == ["1", "2"]
    legacy.runtime.advance("1h")
    assert body(legacy, "/ticks") == "6"
    assert ask(legacy, "/cdn-cgi/handler/scheduled?cron=now").body == "ok"
    assert body(legacy, "/ticks") == "7"
    assert "due: */10 * * * *" in capsys.readouterr().out


def test_an_environment_has_variables_of_its_own(opened):
    assert body(opened("legacy", environment="staging"), "/") == "Hi, 30 of 0 from DFW"


def test_an_application_of_fastapi_answers(opened):
    pytest.importorskip("fastapi")
    app = opened("web_app")
    assert json.loads(body(app, "/")) == {"message": "from the configuration"}
    assert json.loads(body(app, "/plain")) == {"sync": True}
    asked = [ask(app, 'POST /visits {"name": "ada"}', content_type="application/json")] * 1
    assert (asked[0].status, asked[0].body) == (201, '{"visits":1}')
    assert ask(app, "/visits/bob").status == 404
    assert body(app, "/lines") == "line 0\nline 1\nline 2\n"


# ---------------------------------------------------------------------- the command


def test_the_command_answers_requests_in_virtual_time(capsys):
    lists = str(HERE / "shopping_lists")
    status = main(
        ["run", lists, "--request", "GET /a/add/tea", "--advance", "1h", "--request", "/a/show"]
    )
    assert status == 0
    assert capsys.readouterr().out == (
        "GET /a/add/tea\n200 OK\n1 on the list\n\n+1h: 0 alarms\n\nGET /a/show\n200 OK\ntea\n\n"
    )


def test_the_command_sends_headers_and_bodies(capsys):
    status = main(
        [
            *("run", str(HERE / "legacy"), "--request", "/"),
            *("--json", '{"name": "Ada"}', "--header", "User-Agent: me", "--headers"),
        ]
    )
    out = capsys.readouterr().out
    assert status == 0
    assert "POST /\n" in out
    assert "\n201 Created\ncontent-type: application/json\n" in out
    assert "x-agent: me\n" in out
    assert out.endswith('\n{"for":"Ada"}\n\n')


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--body", "x"], "--body belongs to a --request"),
        (["--request", "nonsense"], "is not a request. Write GET /path"),
        (["--request", "/", "--json", "{"], "--json was given no JSON"),
        (["--request", "/", "--header", "x"], "is not a header. Write 'Name: value'"),
    ],
)
def test_what_cannot_be_asked_is_explained(options, said, capsys):
    assert main(["run", str(HERE / "legacy"), *options]) == 1
    assert said in capsys.readouterr().err


def test_an_answer_with_an_error_ends_in_failure_and_shows_the_projects_code(tmp_path, capsys):
    write(tmp_path, "raise LookupError('no such thing')")
    assert main(["run", str(tmp_path), "--request", "/"]) == 1
    said = capsys.readouterr()
    assert (
        "500 Internal Server Error\nWorker threw exception: LookupError: no such thing" in said.out
    )
    assert "entry.py" in said.err
    assert "runtime/worker.py" not in said.err


# ---------------------------------------------------------------------- what is wrong is said


def write(folder, code, **configuration):
    """Write a project whose `fetch` has some code."""
    (folder / "wrangler.json").write_text(
        json.dumps({"name": "test", "main": "entry.py", **configuration})
    )
    lines = "\n        ".join(code.splitlines())
    (folder / "entry.py").write_text(
        "from workers import Response, WorkerEntrypoint\n\n"
        "class Default(WorkerEntrypoint):\n    async def fetch(self, request):\n"
        f"        {lines}\n"
    )


def failure(tmp_path, code, **configuration):
    write(tmp_path, code, **configuration)
    with open_projects([tmp_path]) as opened:
        return answer(opened.runtime, Asked.parse("/")).body


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("from js import documnet", "dobook does not offer js.documnet"),
        ("from js import HTMLRewriter\nHTMLRewriter.new()", "js.HTMLRewriter.new is not offered"),
        ("from workers import DurableObjects", "Did you mean 'DurableObject'?"),
        ("from pyodide.ffi import to_jss", "Did you mean 'to_js'?"),
        ("import pyodide.console", "No module named 'pyodide.console': dobook does not offer it"),
        ("import reqests", "No module named 'reqests'"),
        ("self.ctx.wait_until(None)", "The platform's name is 'waitUntil'"),
        ("await self.env.KV.get('x')", "env.KV is Workers KV, which dobook does not offer"),
        ("self.env.MISSING", "env has no binding 'MISSING'"),
        ("self.env.API_KEY", "A secret? Write API_KEY=… into .dev.vars."),
        ("import pyodide_js", "No module named 'pyodide_js'"),
        ("import js\njs.Object.from_entries", "The platform's name is 'fromEntries'"),
        ("request.arraybuffer", "The platform's name is 'arrayBuffer'"),
    ],
)
def test_what_is_not_there_is_refused_by_name(tmp_path, code, said):
    assert said in failure(tmp_path, code, kv_namespaces=[{"binding": "KV", "id": "x"}])


def test_a_project_without_a_configuration_or_an_entry_module_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"wrangler\.toml"):
        open_projects([tmp_path])
    (tmp_path / "wrangler.toml").write_text('name = "x"')
    with pytest.raises(ConfigurationError, match='there is no "main"'):
        open_projects([tmp_path])
    (tmp_path / "wrangler.toml").write_text('name = "x"\nmain = "src/index.js"')
    with pytest.raises(ConfigurationError, match=r"Main module needs to end with a \.py"):
        open_projects([tmp_path])
    (tmp_path / "wrangler.toml").write_text('name = "x"\nmain = "src/entry.py"')
    with pytest.raises(ConfigurationError, match="there is no such file"):
        open_projects([tmp_path])


def test_forgotten_migrations_are_warned_of(tmp_path):
    write(tmp_path, "return Response('ok')")
    configuration = json.loads((tmp_path / "wrangler.json").read_text())
    configuration["durable_objects"] = {"bindings": [{"name": "A", "class_name": "A"}]}
    (tmp_path / "wrangler.json").write_text(json.dumps(configuration))
    with (tmp_path / "entry.py").open("a") as file:
        file.write("\nfrom workers import DurableObject\n\nclass A(DurableObject):\n    pass\n")
    with open_projects([tmp_path]) as opened:
        assert "no migrations" in opened.projects[0].warnings[0]
        assert not opened.runtime.namespace("A").sqlite


def test_two_projects_of_one_name_are_refused(tmp_path):
    write(tmp_path, "return Response('ok')")
    with pytest.raises(UsageError, match="two of the projects are named 'test'"):
        open_projects([tmp_path, tmp_path])


def test_importing_from_src_is_explained(tmp_path):
    write(tmp_path, "return Response('ok')")
    (tmp_path / "entry.py").write_text("from src.helpers import x\n")
    with pytest.raises(ModuleNotFoundError) as caught:
        open_projects([tmp_path])
    assert "not `from src import helpers`" in caught.value.__notes__[0]
