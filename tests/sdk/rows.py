"""What is asked of Cloudflare's SDK: one row for each question, code that both sides run as it is.

`A` is the class whose object "a" is asked to `run()`; what that returns, or raises, is the answer.
A row without a class of its own is the body of `run`.
"""

import textwrap
from typing import Final

_HELPER: Final = """
class B(DurableObject):
    n = 5

    async def add(self, a, b=10):
        return [a, b]

    async def echo(self, value):
        return value

    async def kind(self, value):
        return type(value).__name__

    async def call(self, callback):
        return await callback("x")

    async def is_admin(self):
        return False

    async def five(self):
        return 5

    async def remember(self, value):
        await self.ctx.storage.put("n", value)

    async def recall(self):
        return await self.ctx.storage.get("n")

    async def fetch(self, request):
        await self.ctx.storage.put("n", request.method)
        return Response(f"{request.method} {await request.text()}", headers={"x-a": "1"})

"""


def _row(about: str, body: str) -> tuple[str, str]:
    return about, textwrap.dedent(body).strip("\n")


_ENTRYPOINT: Final = """
from workers import WorkerEntrypoint, python_from_rpc, python_to_rpc

class Greeter(WorkerEntrypoint):
    async def greet(self, name):
        return f"{getattr(self.ctx.props, 'lang', 'en')}: {name}"

    async def fetch(self, request):
        return Response(f"{request.method} {await request.text()}")

class A(DurableObject):
    async def run(self):
        x = self.ctx.exports
        b = x.B.getByName("b")
"""


def _exports(about: str, body: str) -> tuple[str, str]:
    inside = textwrap.indent(textwrap.dedent(body).strip("\n"), " " * 8)
    return about, f"{_ENTRYPOINT.strip()}\n{inside}\n"


_ROWS: Final = {
    # ------------------------------------------------------------------ calls
    "rpc/positional": _row("arguments by position", "return await b.add(1, 2)"),
    "rpc/keywords": _row("keywords are one dict at the end", "return await b.add(a=1, b=2)"),
    "rpc/keyword-after-positional": _row("a keyword too", "return await b.add(1, b=2)"),
    "rpc/default": _row("defaults count", "return await b.add(1)"),
    "rpc/pipelining": _row("a member of a result that is not there yet", "return await b.five().real"),
    "rpc/pipelined-call": _row("a call on a result", "return await b.add(1).index(1)"),
    "rpc/await-twice": _row(
        "the same call awaited twice", "p = b.five()\nreturn [await p, await p]"
    ),
    "rpc/property": _row("reading a property", "return await b.n"),
    "rpc/not-awaited-acts": _row(
        "a call that nobody awaits is made",
        "p = b.remember(1)\nawait asyncio.sleep(0)\np.close()\nreturn await b.recall()",
    ),
    "rpc/fetch-not-awaited": _row(
        "a fetch that nobody awaits is not sent",
        "p = b.fetch('http://b/')\nawait asyncio.sleep(0)\np.close()\nreturn await b.recall()",
    ),
    "rpc/unknown-method": _row("a method that does not exist", "return await b.nope()"),
    "rpc/private": _row("a name with an underscore is not remote", "return await b._private()"),
    "rpc/truth": _row("a call as a truth value", "p = b.is_admin()\nreturn bool(p)"),
    "rpc/compare": _row("a call compared", "return b.five() == 5"),
    "rpc/less": _row("a call compared by order", "return b.five() < 5"),
    "rpc/add": _row("arithmetic with a call", "return b.five() + 1"),
    "rpc/iterate": _row("a call iterated", "return [x for x in b.add(1)]"),
    "rpc/index": _row("a call indexed", "return b.add(1)[0]"),
    "rpc/length": _row("the length of a call", "return len(b.add(1))"),
    "rpc/contains": _row("membership in a call", "return 1 in b.add(1)"),
    "rpc/format": _row("a call in a text", "return f'{b.five()}'.startswith('<coroutine')"),
    "rpc/gather": _row("gathered", "return await asyncio.gather(b.five(), b.add(1))"),
    "rpc/task": _row("as a task", "return await asyncio.create_task(b.five())"),
    "rpc/callback": _row(
        "a function as an argument", "return await b.call(lambda x: x + '!')"
    ),
    "rpc/getattr": _row("by getattr", "return await getattr(b, 'five')()"),
    "rpc/positional-too-many": _row("too many arguments", "return await b.five(1, 2)"),
    # ------------------------------------------------------------------ values over RPC
    **{
        f"value/{name}": _row(f"what {code} arrives as", f"return await b.kind({code})")
        for name, code in {
            "none": "None",
            "bool": "True",
            "int": "1",
            "big-int": "2 ** 60",
            "whole-float": "1.0",
            "float": "1.5",
            "text": "'x'",
            "bytes": "b'x'",
            "bytearray": "bytearray(b'x')",
            "memoryview": "memoryview(b'x')",
            "list": "[1]",
            "tuple": "(1, 2)",
            "dict": "{'a': 1}",
            "set": "{1}",
            "frozenset": "frozenset({1})",
            "datetime": "datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)",
            "exception": "ValueError('x')",
            "response": "Response('x')",
            "function": "len",
            "coroutine": "asyncio.sleep(0)",
        }.items()
    },
    "value/int-keys": _row(
        "keys that are numbers", "return sorted(map(str, await b.echo({1: 'a', 2: 'b'})))"
    ),
    "value/tuple-inside": _row("a tuple in a list", "return await b.echo([(1, 2)])"),
    "value/dict-attribute": _row(
        "a dict's entries as attributes", "return (await b.echo({'x': {'y': 3}})).x.y"
    ),
    "value/naive-date": _row(
        "whether a date that arrives knows its time zone",
        "d = await b.echo(datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC))\n"
        "return d.tzinfo is None",
    ),
    "value/date-difference": _row(
        "a date that arrives, subtracted from a naive one",
        "d = await b.echo(datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC))\n"
        "return (datetime.datetime(2026, 1, 3) - d).days",
    ),
    "value/aware-difference": _row(
        "a date that arrives, subtracted from an aware one",
        "d = await b.echo(datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC))\n"
        "return (datetime.datetime(2026, 1, 3, tzinfo=datetime.UTC) - d).days",
    ),
    "value/bytes-equal": _row("bytes that arrive, compared", "return await b.echo(b'ab') == b'ab'"),
    "value/bytes-decode": _row("bytes that arrive, decoded", "return (await b.echo(b'ab')).decode()"),
    "value/bytes-wrapped": _row(
        "bytes that arrive, made bytes", "return bytes(await b.echo(b'ab')).decode()"
    ),
    # ------------------------------------------------------------------ storage
    "storage/round-trip": _row(
        "a dict, stored and read",
        "await s.put('k', {'a': [1, None, 'x']})\nreturn await s.get('k')",
    ),
    "storage/missing": _row("a key that is not there", "return await s.get('nope')"),
    "storage/get-many": _row(
        "several keys", "await s.put({'a': 1, 'b': 2})\nreturn dict(await s.get(['a', 'c', 'b']))"
    ),
    "storage/list-keywords": _row(
        "options as keywords",
        "await s.put({'a': 1, 'b': 2, 'c': 3})\nreturn list((await s.list(reverse=True, limit=2)))",
    ),
    "storage/list-options": _row(
        "options as a dict",
        "await s.put({'a': 1, 'b': 2, 'c': 3})\n"
        "return list((await s.list({'reverse': True, 'limit': 2})))",
    ),
    "storage/put-keywords": _row(
        "an option of put", "await s.put('k', 1, allowUnconfirmed=True)\nreturn await s.get('k')"
    ),
    "storage/put-tuple": _row(
        "a tuple is refused", "await s.put('k', (1, 2))"
    ),
    "storage/put-tuple-not-awaited": _row(
        "when a tuple is refused: at the call, awaited or not",
        "try:\n    s.put('k', (1, 2))\nexcept TypeError:\n    return 'at the call'\nreturn 'later'",
    ),
    "storage/put-not-awaited": _row(
        "a put that nobody awaits is made",
        "p = s.put('k', 1)\nawait asyncio.sleep(0)\np.close()\nreturn await s.get('k')",
    ),
    "storage/get-or": _row("a get as a truth value", "p = s.get('n') or 0\nreturn p == 0"),
    "storage/get-compare": _row("a get compared with None", "return s.get('n') is None"),
    "storage/get-twice": _row(
        "the same get awaited twice", "p = s.get('n')\nreturn [await p, await p]"
    ),
    "storage/set-alarm-without-handler": _row(
        "setAlarm in a class without alarm()",
        "await s.setAlarm(4_000_000_000_000)\nreturn await s.getAlarm()",
    ),
    "storage/set-alarm-datetime": _row(
        "setAlarm with a date",
        "await s.setAlarm(datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC))\n"
        "return await s.getAlarm()",
    ),
    "storage/alarm-missing": _row("no alarm", "return await s.getAlarm()"),
    "storage/delete": _row("whether there was one", "await s.put('k', 1)\nreturn await s.delete('k')"),
    "storage/transaction-number": _row(
        "a number put in a transaction",
        "async def f(txn):\n    await txn.put('k', 1)\nawait s.transaction(f)\nreturn await s.get('k')",
    ),
    "storage/transaction-dict": _row(
        "a dict put in a transaction: its txn is JavaScript's own",
        "async def f(txn):\n    await txn.put('k', {'a': 1})\n"
        "await s.transaction(f)\nreturn await s.get('k')",
    ),
    "storage/transaction-list": _row(
        "a list put in a transaction",
        "async def f(txn):\n    await txn.put('k', [1])\n"
        "await s.transaction(f)\nreturn await s.get('k')",
    ),
    "storage/transaction-get": _row(
        "what a transaction reads a dict as",
        "await s.put('k', {'a': 1})\n"
        "async def f(txn):\n    return (await txn.get('k'))['a']\nreturn await s.transaction(f)",
    ),
    "storage/wrong-spelling": _row("Python's spelling", "return await s.set_alarm(1)"),
    # ------------------------------------------------------------------ ctx and env
    "ctx/abort": _row("abort raises at once", "self.ctx.abort('enough')"),
    "ctx/abort-nothing": _row("without a reason", "self.ctx.abort()"),
    "ctx/abort-options": _row(
        "options by position", "self.ctx.abort('enough', {'retryAlarm': False})"
    ),
    "ctx/abort-keyword": _row("options as keywords", "self.ctx.abort('enough', retryAlarm=False)"),
    "ctx/abort-reason": _row("the reason as a keyword", "self.ctx.abort(reason='enough')"),
    "ctx/id-name": _row("the object's name", "return self.ctx.id.name"),
    "ctx/tags": _row(
        "tags of a socket as a list: ctx is JavaScript's own",
        "import js\nself.ctx.acceptWebSocket(js.WebSocketPair.new().object_values()[1], ['tag'])",
    ),
    "ctx/block": _row(
        "what blockConcurrencyWhile gives",
        "async def f():\n    return 3\nreturn await self.ctx.blockConcurrencyWhile(f)",
    ),
    "env/variable": _row("a variable", "return self.env.GREETING"),
    "env/missing": _row("a name that env does not have", "return self.env.NOPE"),
    "env/item": _row("env as a dict", "return self.env['GREETING']"),
    "env/contains": _row("membership in env", "return 'GREETING' in self.env"),
    "env/getattr-default": _row("getattr with a default", "return getattr(self.env, 'NOPE', None)"),
    "namespace/get": _row(
        "an object by its id", "return await self.env.B.get(self.env.B.idFromName('x')).five()"
    ),
    "namespace/id-name": _row("the name in an id", "return self.env.B.idFromName('x').name"),
    "namespace/id-text": _row(
        "an id as a text",
        "i = self.env.B.idFromName('x')\nreturn str(i) == i.toString() and len(str(i))",
    ),
    "stub/id": _row("a stub's id as a text", "return len(b.id.toString())"),
    "stub/id-str": _row("a stub's id through str()", "return len(str(b.id)) == 64"),
    "stub/name": _row("a stub's name", "return b.name"),
    "stub/truth": _row("a stub as a truth value", "return bool(b)"),
    "stub/has": _row("hasattr of any name", "return hasattr(b, 'anything')"),
    "stub/length": _row("the length of a stub", "return len(b)"),
    # ------------------------------------------------------------------ requests and responses
    "fetch/keywords": _row(
        "options as keywords",
        "r = await b.fetch('http://b/', method='POST', body='hi')\nreturn await r.text()",
    ),
    "fetch/options-dict": _row(
        "options by position, as in JavaScript",
        "r = await b.fetch('http://b/', {'method': 'POST', 'body': 'hi'})\nreturn await r.text()",
    ),
    "fetch/global-options-dict": _row(
        "the same of workers.fetch", "await fetch('http://b/', {'method': 'POST'})"
    ),
    "fetch/request": _row(
        "a Request", "r = await b.fetch(Request('http://b/', method='PUT'))\nreturn await r.text()"
    ),
    "fetch/status": _row("the answer's status", "return (await b.fetch('http://b/')).status"),
    "fetch/header": _row("the answer's header", "return (await b.fetch('http://b/')).headers['x-a']"),
    "request/options-dict": _row(
        "options by position", "return Request('http://b/', {'method': 'POST'}).method"
    ),
    "request/method": _row("the method", "return Request('http://b/', method='POST').method == 'POST'"),
    "request/method-kind": _row(
        "the method's class", "return type(Request('http://b/').method).__name__"
    ),
    "request/unknown-method": _row(
        "a method that HTTP does not name", "return Request('http://b/', method='PURGE').method"
    ),
    "request/missing-header": _row(
        "a header that is missing", "return Request('http://b/').headers['nope']"
    ),
    "request/header-get": _row(
        "get of a header",
        "return Request('http://b/', headers={'X-A': '1'}).headers.get('x-a')",
    ),
    "request/js-object": _row(
        "whether JavaScript's request is one of Python's",
        "return isinstance(Request('http://b/').js_object, Request)",
    ),
    "request/text-twice": _row(
        "a body read twice",
        "r = Request('http://b/', method='POST', body='x')\nreturn [await r.text(), await r.text()]",
    ),
    "request/bad-json": _row(
        "no JSON in the body",
        "r = Request('http://b/', method='POST', body='x')\nreturn await r.json()",
    ),
    "request/spelling": _row("JavaScript's spelling", "return Request('http://b/').bodyUsed"),
    "request/body-used": _row("Python's spelling", "return Request('http://b/').body_used"),
    "response/keywords": _row(
        "status and headers",
        "r = Response('x', status=404, headers={'a': 'b'})\nreturn [r.status, r.headers['a']]",
    ),
    "response/status-position": _row("status by position", "return Response('x', 404).status"),
    "response/options-dict": _row(
        "options as in JavaScript", "return Response('x', {'status': 404}).status"
    ),
    "response/json-options-dict": _row(
        "the same of Response.json", "return Response.json([1], {'status': 404}).status"
    ),
    "response/web-socket-spelling": _row(
        "JavaScript's spelling of web_socket", "Response(None, status=101, webSocket=None)"
    ),
    "response/dict": _row("a dict as the body", "Response({'a': 1})"),
    "response/list": _row("a list as the body", "Response([1])"),
    "response/status-range": _row("a status out of range", "Response('x', status=99)"),
    "response/json-text": _row("what Response.json writes", "return await Response.json({'a': [1, None]}).text()"),
    "response/json-of-nothing": _row("Response.json(None)", "return await Response.json(None).text()"),
    "response/replace-body": _row(
        "what replace_body keeps",
        "r = Response('x', status=201, status_text='Made').replace_body('y')\n"
        "return [r.status, r.status_text, await r.text()]",
    ),
    "response/status-text": _row("without a status text", "return Response('x').status_text"),
    "response/repr": _row("repr", "return repr(Response('x', status=201, status_text='Made'))"),
    "response/ok": _row("ok", "return [Response('x').ok, Response('x', status=404).ok]"),
    "response/of-response": _row(
        "a Response of a Response", "return await Response(Response('x').js_object).text()"
    ),
    "response/js-object": _row(
        "whether JavaScript's response is one of Python's",
        "return isinstance(Response('x').js_object, Response)",
    ),
    "response/clone-headers": _row(
        "headers as pairs", "return Response('x', headers=[('a', 'b'), ('a', 'c')]).headers.get_all('a')"
    ),
    # ------------------------------------------------------------------ imports and classes
    "import/rpc-target": _row("workers has no RpcTarget", "from workers import RpcTarget"),
    "import/entrypoints": _row(
        "the names of workers.entrypoints",
        "from workers.entrypoints import DurableObjectContext\nreturn DurableObjectContext.__name__",
    ),
    "import/context-kind": _row(
        "the class of ctx",
        "from workers.entrypoints import DurableObjectContext\n"
        "return isinstance(self.ctx, DurableObjectContext)",
    ),
    "import/unknown": _row("a name that workers does not have", "from workers import KVNamespace"),
    "import/workflows": _row(
        "the names of workers.workflows",
        "from workers.workflows import NonRetryableError\nreturn NonRetryableError.__name__",
    ),
    "class/no-super": _row(
        "__init__ without super().__init__",
        """
        class A(DurableObject):
            def __init__(self, ctx, env):
                self.n = 1

            async def run(self):
                return self.ctx.id.name
        """,
    ),
    "class/keywords": _row(
        "keywords in the class statement",
        """
        class A(DurableObject, label="x"):
            async def run(self):
                return 1
        """,
    ),
    "class/own-init": _row(
        "__init__ that keeps ctx itself",
        """
        class A(DurableObject):
            def __init__(self, ctx, env):
                self.state = ctx
                self.env = env

            async def run(self):
                await self.state.storage.put("n", 1)
                return await self.state.storage.get("n")
        """,
    ),
    "class/sync-method": _row(
        "a method that is not async",
        """
        class A(DurableObject):
            def add(self, a):
                return a + 1

            async def run(self):
                return await self.env.A.getByName("other").add(1)
        """,
    ),
    "class/returns-coroutine": _row(
        "a method that returns what it should have awaited",
        """
        class A(DurableObject):
            async def forward(self):
                return self.env.B.getByName("b").five()

            async def run(self):
                return await self.env.A.getByName("other").forward()

        """,
    ),
    "class/returns-tuple": _row(
        "a method that returns a tuple",
        """
        class A(DurableObject):
            async def pair(self):
                return 1, 2

            async def run(self):
                return await self.env.A.getByName("other").pair()
        """,
    ),
    # ------------------------------------------------------------------ exports
    "exports/call": _exports("a method without a binding", "return await b.five()"),
    "exports/scalars": _exports("arguments that are no containers", "return await b.echo('x')"),
    "exports/binding": _exports(
        "the same object as by the binding",
        "await b.remember(3)\nreturn await self.env.B.getByName('b').recall()",
    ),
    "exports/id": _exports("by an id", "return await x.B.get(x.B.idFromName('b')).five()"),
    "exports/none": _exports("None as an argument", "return await b.kind(None)"),
    "exports/none-result": _exports("a method that returns None", "return await b.echo(None) is None"),
    "exports/dict": _exports("a dict as an argument", "return await b.kind({'a': 1})"),
    "exports/list": _exports("a list as an argument", "return await b.kind([1])"),
    "exports/bytes": _exports("bytes as an argument", "return await b.kind(b'a')"),
    "exports/date": _exports(
        "a datetime as an argument", "return await b.kind(datetime.datetime(2026, 1, 1))"
    ),
    "exports/function": _exports(
        "a function as an argument", "return await b.call(lambda value: value + '!')"
    ),
    "exports/dict-converted": _exports(
        "a dict that was converted", "return await b.kind(python_to_rpc({'a': 1}))"
    ),
    "exports/result": _exports("a list as a result", "return type(await b.add(1, 2)) is list"),
    "exports/result-item": _exports("an item of a result", "return (await b.add(1, 2))[0]"),
    "exports/result-dict-item": _exports(
        "a key of a result", "return (await b.echo(python_to_rpc({'a': 1})))['a']"
    ),
    "exports/result-attribute": _exports(
        "an attribute of a result", "return (await b.echo(python_to_rpc({'a': 1}))).a"
    ),
    "exports/result-converted": _exports(
        "a result that was converted", "return python_from_rpc(await b.add(1, 2))"
    ),
    "exports/fetch": _exports(
        "a request", "r = await b.fetch('http://b/')\nreturn [r.status, await r.text()]"
    ),
    "exports/fetch-keywords": _exports(
        "a request with keywords",
        "r = await b.fetch('http://b/', method='POST', body='hi')\nreturn await r.text()",
    ),
    "exports/fetch-dict": _exports(
        "a request with a dict",
        "r = await b.fetch('http://b/', {'method': 'POST'})\nreturn await r.text()",
    ),
    "exports/fetch-headers": _exports(
        "a request with headers in a dict",
        "r = await b.fetch('http://b/', method='PUT', headers={'content-type': 'a/b'}, body='hi')\n"
        "return await r.text()",
    ),
    "exports/fetch-bytes": _exports(
        "a request with bytes",
        "r = await b.fetch('http://b/', method='PUT', body=b'hi')\nreturn await r.text()",
    ),
    "exports/fetch-converted": _exports(
        "a request with converted options",
        "options = python_to_rpc({'method': 'POST', 'body': 'hi'})\n"
        "r = await b.fetch('http://b/', options)\nreturn await r.text()",
    ),
    "exports/response-js": _exports(
        "what a request gives", "return type(await b.fetch('http://b/')) is Response"
    ),
    "exports/service": _exports("a method of an entrypoint", "return await x.Greeter.greet('a')"),
    "exports/service-fetch": _exports(
        "a request to an entrypoint",
        "r = await x.Greeter.fetch('http://g/')\nreturn await r.text()",
    ),
    "exports/props": _exports(
        "converted props", "s = x.Greeter(props=python_to_rpc({'lang': 'cs'}))\nreturn await s.greet('a')"
    ),
    "exports/props-dict": _exports(
        "a dict as props", "s = x.Greeter(props={'lang': 'cs'})\nreturn await s.greet('a')"
    ),
    "exports/props-attribute": _row(
        "an attribute of props",
        """
        from workers import WorkerEntrypoint, python_to_rpc

        class Keyed(WorkerEntrypoint):
            async def lang(self):
                return self.ctx.props.lang

        class A(DurableObject):
            async def run(self):
                return await self.ctx.exports.Keyed(props=python_to_rpc({"lang": "cs"})).lang()
        """,
    ),
    "exports/props-item": _row(
        "a key of props",
        """
        from workers import WorkerEntrypoint, python_to_rpc

        class Keyed(WorkerEntrypoint):
            async def lang(self):
                return self.ctx.props['lang']

        class A(DurableObject):
            async def run(self):
                return await self.ctx.exports.Keyed(props=python_to_rpc({"lang": "cs"})).lang()
        """,
    ),
    "exports/props-get": _row(
        "the get() of props",
        """
        from workers import WorkerEntrypoint, python_to_rpc

        class Keyed(WorkerEntrypoint):
            async def lang(self):
                return self.ctx.props.get('lang')

        class A(DurableObject):
            async def run(self):
                return await self.ctx.exports.Keyed(props=python_to_rpc({"lang": "cs"})).lang()
        """,
    ),
    "exports/options": _exports(
        "converted options",
        "s = x.Greeter(python_to_rpc({'props': {'lang': 'cs'}}))\nreturn await s.greet('a')",
    ),
    "exports/options-dict": _exports(
        "a dict as options", "s = x.Greeter({'props': {'lang': 'cs'}})\nreturn await s.greet('a')"
    ),
    "exports/no-options": _exports("no options", "return await x.Greeter().greet('a')"),
    "exports/unknown": _exports("a name that there is not", "return x.Nope"),
    "exports/has": _exports("asking for names", "return [hasattr(x, 'B'), hasattr(x, 'Nope')]"),
    "exports/item": _exports("a name as a key", "return x['B']"),
    "exports/contains": _exports("membership", "return 'B' in x"),
    "exports/dir": _exports("listing", "return ['B' in dir(x), 'Nope' in dir(x)]"),
    "exports/import": _exports("its own name", "from workers import exports"),
}  # fmt: skip

_IMPORTS: Final = (
    "import asyncio\nimport datetime\n"
    "from workers import DurableObject, Request, Response, fetch\n\n"
)


def rows() -> list[dict[str, str]]:
    """Return the rows, each with its name, what it asks, and the whole code."""
    found = []
    for name, (about, body) in _ROWS.items():
        code = body
        if "class A(" not in body:
            lines = ["b = self.env.B.getByName('b')", "s = self.ctx.storage", *body.splitlines()]
            code = "class A(DurableObject):\n    async def run(self):\n"
            code += textwrap.indent("\n".join(lines), " " * 8)
        found.append({"name": name, "about": about, "code": f"{_IMPORTS}{_HELPER}\n{code}\n"})
    return found
