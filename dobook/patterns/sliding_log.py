"""A rate limiter that remembers when each hit was: exact, and as large as its limit."""

import math
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from workers import DurableObject, Request, Response


class SlidingLog(DurableObject):
    """At most `limit` hits in any stretch of `window_ms`. One object for each user or key.

    Stores the time of every hit that still counts, as one list: 9 bytes a hit. A refused hit is
    not written down.

    Example:
        >>> import dobook
        >>> with dobook.Runtime() as runtime:
        ...     ada = runtime.register(SlidingLog).getByName("ada")
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
        """Count a hit if there is room for it.

        Args:
            limit: Hits a window may have, at least 1.
            window_ms: The window's length in ms, at least 1.

        Returns:
            `allowed`; if so, `remaining` and `resetAt`, when the oldest hit leaves the window, in
            ms since 1970; if not, `retryAfter` in whole seconds.

        Raises:
            ValueError: If an argument is below 1.
        """
        if limit < 1 or window_ms < 1:
            raise ValueError("limit and window are 1 or more")
        now = int(time.time() * 1000)
        hits = [at for at in await self.ctx.storage.get("requests") or [] if at > now - window_ms]
        if len(hits) >= limit:
            # One more is allowed when so many have left that fewer than the limit stay.
            frees = hits[len(hits) - limit] + window_ms
            return {"allowed": False, "retryAfter": math.ceil((frees - now) / 1000)}
        hits.append(now)
        await self.ctx.storage.put("requests", hits)
        return {"allowed": True, "remaining": limit - len(hits), "resetAt": hits[0] + window_ms}
