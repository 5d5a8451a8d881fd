"""A rate limiter that counts the hits of the current window: cheap, and lenient at its edges."""

import math
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from workers import DurableObject, Request, Response


class FixedWindow(DurableObject):
    """At most `limit` hits in each window; windows begin at whole multiples of their length.

    Stores one count. Round the edge between two windows up to twice the limit can pass in a moment.

    Example:
        >>> import dobook
        >>> with dobook.Runtime() as runtime:
        ...     ada = runtime.register(FixedWindow).getByName("ada")
        ...     [runtime.run(ada.check(2, 60_000))["allowed"] for _ in range(3)]
        [True, True, False]
    """

    async def fetch(self, request: Request) -> Response:
        """Answer `GET /check?limit=10&window=60000`: 200, or 429 with Retry-After."""
        query = parse_qs(urlsplit(request.url).query)
        try:
            limit = int(query.get("limit", ["10"])[0])
            window_ms = int(query.get("window", ["60000"])[0])
            answer = await self.check(limit, window_ms)
        except ValueError as error:
            return Response.json({"error": str(error)}, status=400)
        if answer["allowed"]:
            return Response.json(answer)
        headers = {"Retry-After": str(answer["retryAfter"])}
        return Response.json(answer, status=429, headers=headers)

    async def check(self, limit: int = 10, window_ms: int = 60_000) -> dict[str, Any]:
        """Count a hit if the current window has room for it.

        Args:
            limit: Hits a window may have, at least 1.
            window_ms: The window's length in ms, at least 1.

        Returns:
            `allowed`; if so, `remaining` and `resetAt`, the window's end in ms since 1970; if not,
            `retryAfter` in whole seconds.

        Raises:
            ValueError: If an argument is below 1.
        """
        if limit < 1 or window_ms < 1:
            raise ValueError("limit and window are 1 or more")
        now = int(time.time() * 1000)
        start = now - now % window_ms
        stored = await self.ctx.storage.get("fixed_window") or {}
        same = stored.get("start_ms") == start and stored.get("window_ms") == window_ms
        count = stored["count"] if same else 0
        end = start + window_ms
        if count >= limit:
            return {"allowed": False, "retryAfter": math.ceil((end - now) / 1000)}
        state = {"start_ms": start, "count": count + 1, "limit": limit, "window_ms": window_ms}
        await self.ctx.storage.put("fixed_window", state)
        return {"allowed": True, "remaining": limit - count - 1, "resetAt": end}
