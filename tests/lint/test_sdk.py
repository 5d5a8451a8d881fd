"""The rules for what Cloudflare's Python SDK does otherwise: what each finds, and what it leaves."""

import textwrap

import pytest

from dobook.lint import check_text

METHOD = """
from workers import DurableObject, Response, fetch

class A(DurableObject):
    async def answer(self, n=0):
        return n

    def plain(self):
        return 1

    async def run(self, request):
        b = self.env.B.getByName("b")
{body}
"""

FOUND = {
    "rpc-keywords": [
        "await b.add(a=1)",
        "await b.add(1, b=2)",
        "await self.env.B.getByName('x').add(a=1)",
        "await self.env.B.get(self.env.B.idFromName('x')).add(a=1)",
        "ns = self.env.B\nawait ns.getByName('x').add(a=1)",
        "await self.env.B.get(some_id).add(a=1)",
        "await self.env.MAIL.send(to='x')",
        "stub = b\nawait stub.add(a=1)",
        "self.ctx.waitUntil(b.add(a=1))",
        "await b.add(**options)",
    ],
    "fetch-options": [
        "await b.fetch('http://b/', {'method': 'POST'})",
        "await fetch('http://b/', {'method': 'POST'})",
        "await self.env.ASSETS.fetch('http://b/', options)",
    ],
    "fetch-not-awaited": [
        "b.fetch('http://b/')",
        "p = b.fetch('http://b/')",
        "self.env.MAIL.fetch('http://b/')",
    ],
    "pipelining": ["await b.tally().inc(5)", "x = b.tally().count", "await b.f().g.h()"],
    "await-twice": [
        "p = b.f()\nawait p\nreturn await p",
        "p = self.ctx.storage.get('n')\nreturn [await p, await p]",
        "p = b.f()\nif await p:\n    return await p",
    ],
    "rpc-property": ["return await b.count", "return await self.env.B.getByName('x').count"],
    "abort-options": [
        "self.ctx.abort('x', {'retryAlarm': False})",
        "self.ctx.abort('x', retryAlarm=False)",
    ],
    "socket-tags": [
        "self.ctx.acceptWebSocket(server, ['a'])",
        "self.ctx.acceptWebSocket(server, [t for t in tags])",
    ],
    "env-item": ["return self.env['B']", "return 'B' in self.env", "return 'B' not in self.env"],
    "rpc-target": ["from workers import RpcTarget"],
    "transaction-async": [
        "async def f():\n    pass\nself.ctx.storage.transactionSync(f)",
        "self.ctx.storage.transactionSync(self.answer)",
    ],
    "transaction": [
        "async def f(txn):\n    await txn.put('k', {'a': 1})\nawait self.ctx.storage.transaction(f)",
        "async def f(t):\n    await t.put({'a': 1})\nawait self.ctx.storage.transaction(f)",
        "async def f(txn):\n    return (await txn.get('k'))['a']\n"
        "await self.ctx.storage.transaction(f)",
        "async def f(txn):\n    for k in await txn.list():\n        pass\n"
        "await self.ctx.storage.transaction(f)",
    ],
    "await": [
        "if b.is_admin():\n    pass",
        "while b.more():\n    pass",
        "return not b.is_admin()",
        "return 1 if b.is_admin() else 2",
        "return b.n() + 1",
        "return b.n() == 1",
        "return f'{b.n()}'",
        "return b.all()[0]",
        "return [x for x in b.all()]",
        "for x in b.all():\n    pass",
        "return bool(b.is_admin())",
        "print(b.n())",
        "return b.n() or 0",
        "n = self.ctx.storage.get('n')\nif n:\n    pass",
        "n = b.n()\nreturn n + 1",
        "return self.answer()",
        "return self.ctx.storage.get('who')",
        "return b.answer()",
    ],
    "spelling": ["return request.bodyUsed", "return await request.formData()"],
}

LEFT = [
    "return await b.add(1, 2)",
    "return await b.fetch('http://b/', method='POST', headers={})",
    "return await b.fetch(request)",
    "return await fetch('http://b/', method='POST')",
    "r = await b.fetch('http://b/')\nreturn r.status",
    "p = b.fetch('http://b/')\nreturn await p",
    "p = b.fetch('http://b/')\nself.ctx.waitUntil(p)",
    "p = b.f()\nreturn await p",
    "p = b.f()\nif x:\n    return await p\nelse:\n    return await p",
    "p = b.f()\nx = await p\np = b.f()\nreturn await p",
    "return (await b.tally()).inc",
    "return b.id.toString()",
    "return b.name",
    "self.ctx.abort('x')",
    "self.ctx.abort(reason='x')",
    "self.ctx.acceptWebSocket(server)",
    "self.ctx.acceptWebSocket(server, to_js(['a']))",
    "return self.env.B",
    "return hasattr(self.env, 'B')",
    "return getattr(self.env, name)",
    "def f():\n    pass\nself.ctx.storage.transactionSync(f)",
    "self.ctx.storage.transactionSync(self.plain)",
    "async def f(txn):\n    await txn.put('k', 1)\nawait self.ctx.storage.transaction(f)",
    "async def f(txn):\n    await self.ctx.storage.put('k', {'a': 1})\n"
    "await self.ctx.storage.transaction(f)",
    "if await b.is_admin():\n    pass",
    "return await self.answer()",
    "return self.plain()",
    "await self.ctx.storage.list(reverse=True, limit=1)",
    "self.ctx.storage.put('k', 1)",
    "x = await asyncio.gather(b.f(), b.g())",
    "x = self.env.GREETING + '!'",
    "if self.env.FLAG == 'on':\n    pass",
    "rows = self.ctx.storage.sql.exec('select 1')\nreturn [r for r in rows]",
    "n = self.ctx.storage.kv.get('n') or 0\nreturn n + 1",
    "requests.get('x').status",
    "d = {}\nreturn d.get('a') or 0",
]


def rules(body):
    return check_text(METHOD.format(body=textwrap.indent(body, " " * 8)), "entry.py").rules


@pytest.mark.parametrize(
    ("rule", "body"), [(rule, body) for rule, bodies in FOUND.items() for body in bodies]
)
def test_it_is_found(rule, body):
    assert rule in rules(body)


@pytest.mark.parametrize("body", LEFT)
def test_what_is_right_is_left_alone(body):
    assert [r for r in rules(body) if r != "socket"] == []


@pytest.mark.parametrize(
    "value", ["{'a': 1}", "[1]", "'text'", "f'{1}'", "b'x'", "None", "", "{k: 1 for k in 'ab'}"]
)
def test_a_handler_that_returns_no_response_is_found(value):
    code = METHOD.format(body="        return 1\n\n    async def fetch(self, request):\n")
    assert "response" in check_text(f"{code}        return {value}\n", "entry.py").rules


@pytest.mark.parametrize(
    "value", ["Response('x')", "Response.json({})", "await self.answer()", "r"]
)
def test_a_handler_that_may_return_one_is_left_alone(value):
    code = METHOD.format(body="        return 1\n\n    async def fetch(self, request):\n")
    assert check_text(f"{code}        return {value}\n", "entry.py").rules == []


def test_a_comment_silences_a_finding():
    assert rules("await b.add(a=1)  # dobook: ok") == []
