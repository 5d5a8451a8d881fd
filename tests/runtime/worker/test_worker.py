"""The entry Worker: routes requests to objects, and answers 500 with the error when it raises."""

import asyncio

import pytest
from workers import DurableObject, Response, WorkerEntrypoint, handler

from dobook.errors import UsageError
from dobook.web import Request


class Counter(DurableObject):
    async def fetch(self, request):
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return Response.json({"n": n, "url": request.url, "method": request.method})


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if request.url.endswith("/error"):
            raise ValueError("in the Worker")
        if request.url.endswith("/nothing"):
            return None
        if request.url.endswith("/later"):
            self.ctx.waitUntil(self.later())
            return Response("soon")
        return await self.env.COUNTER.getByName("a").fetch(request)

    async def later(self):
        await asyncio.sleep(1)
        await self.env.COUNTER.getByName("later").fetch("http://x/")


@pytest.fixture
def counters(runtime):
    return runtime.register(Counter)


@pytest.fixture
def served(runtime, counters):
    runtime.serve_worker(Default)
    return runtime


def ask(runtime, *arguments, **options):
    async def main():
        response = await runtime.fetch(*arguments, **options)
        return response, await response.text()

    return runtime.run(main())


def test_a_path_a_url_and_a_request_all_reach_it(served):
    assert '"n": 1' in ask(served, "/x")[1].replace('"n":', '"n": ').replace("  ", " ")
    response, text = ask(served, "http://host/y?q=1", method="POST", body="hello")
    assert response.status == 200
    assert "http://host/y?q=1" in text
    assert "POST" in text
    assert ask(served, Request("http://host/z"))[0].status == 200


def test_what_a_worker_raises_is_a_500_that_has_the_error(served):
    response, text = ask(served, "/error")
    assert response.status == 500
    assert isinstance(response.error, ValueError)
    assert "ValueError: in the Worker" in text
    assert ask(served, "/x")[0].status == 200


def test_an_answer_that_is_no_response_is_a_500(served):
    response, text = ask(served, "/nothing")
    assert response.status == 500
    assert "did not resolve to 'Response'" in text


def test_an_error_of_an_object_is_a_500_too(runtime):
    class Broken(DurableObject):
        async def fetch(self, request):
            raise KeyError("deep inside")

    class Front(WorkerEntrypoint):
        async def fetch(self, request):
            return await self.env.BROKEN.getByName("a").fetch(request)

    runtime.register(Broken)
    runtime.serve_worker(Front)
    response, text = ask(runtime, "/")
    assert response.status == 500
    assert isinstance(response.error, KeyError)
    assert "deep inside" in text


def test_background_work_goes_on_after_the_answer(served, counters):
    assert ask(served, "/later")[1] == "soon"
    served.advance(1_000)

    async def main():
        return await (await counters.getByName("later").fetch("http://x/")).json()

    assert served.run(main())["n"] == 2


def test_an_on_fetch_function_is_a_worker(runtime, counters):
    @handler
    async def on_fetch(request, env, ctx):
        return await env.COUNTER.getByName("b").fetch(request)

    runtime.serve_worker(on_fetch)
    assert ask(runtime, "/x")[0].status == 200


def test_an_on_fetch_method_is_taken_too(runtime):
    class Front(WorkerEntrypoint):
        async def on_fetch(self, request):
            return Response("old spelling")

    runtime.serve_worker(Front)
    assert ask(runtime, "/")[1] == "old spelling"


def test_a_class_without_fetch_says_so(runtime):
    class Front(WorkerEntrypoint):
        pass

    runtime.serve_worker(Front)
    response, text = ask(runtime, "/")
    assert response.status == 500
    assert "does not export a fetch() function" in text


def test_without_a_worker_it_says_how_to_define_one(runtime):
    with pytest.raises(UsageError, match=r"serve_worker\(cls\)"):
        runtime.fetch("/")
    with pytest.raises(UsageError, match="a class or a function"):
        runtime.serve_worker("Default")


def test_requests_at_once_interleave(served):
    async def main():
        responses = await asyncio.gather(*[served.fetch("/x") for _ in range(20)])
        return [(await response.json())["n"] for response in responses]

    assert served.run(main()) == list(range(1, 21))
