"""`workers.fetch`: requests to other hosts.

Source: cloudflare/workers-py packages/runtime-sdk/src/workers/fetch.py
"""

from http import HTTPMethod
from typing import Any

from dobook.web import Response
from dobook.workers.js.fetching import send
from dobook.workers.js.objects import JsArray, relaxed


async def fetch(resource: Any, **other_options: Any) -> Response:
    """Send a request to another host.

    Args:
        resource: A URL or a Request.
        **other_options: `method`, `headers`, `body`, `redirect`, `cf`; and `fetcher`, what sends it
            if not the runtime's network.

    Raises:
        OSError: If nobody answers: nothing leaves a runtime on its own (see `runtime.network`).

    Source: developers.cloudflare.com/workers/runtime-apis/fetch/
    """
    fetcher = other_options.pop("fetcher", None)
    method = other_options.get("method")
    if isinstance(method, HTTPMethod):
        other_options["method"] = method.value
    if isinstance(other_options.get("body"), list | tuple):  # as JavaScript writes an array
        other_options["body"] = JsArray(other_options["body"]).join()
    if fetcher is not None:
        return Response(await relaxed(fetcher, resource, other_options))
    response: Response = await send(resource, other_options)
    return response
