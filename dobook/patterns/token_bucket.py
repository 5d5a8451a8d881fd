"""A rate limiter that hands out tokens: a burst as large as the bucket, then a steady rate."""

import math
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from workers import DurableObject, Request, Response

TINY = 1e-9  # a sum of fractions may miss a whole token by so much


class TokenBucket(DurableObject):
    """A bucket of `limit` tokens that refills evenly, from empty to full in `window_ms`.

    Each hit takes a token. Stores the tokens at the time of the last hit; what has come in since is
    computed. No alarm is needed, and nothing happens while nobody asks.

    Example:
        >>> import dobook
        >>> with dobook.Runtime() as runtime:
        ...     ada = runtime.register(TokenBucket).getByName("ada")
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
        """Take a token if there is one.

        Args:
            limit: The tokens that fit into the bucket, at least 1.
            window_ms: How long an empty bucket takes to fill, in ms, at least 1.

        Returns:
            `allowed`; if so, `remaining` (whole tokens) and `resetAt`, when the bucket will be full
            again, in ms since 1970; if not, `retryAfter` in whole seconds.

        Raises:
            ValueError: If an argument is below 1.
        """
        if limit < 1 or window_ms < 1:
            raise ValueError("limit and window are 1 or more")
        now = int(time.time() * 1000)
        token_ms = window_ms / limit
        stored = await self.ctx.storage.get("token_bucket") or {"tokens": limit, "at_ms": now}
        tokens = min(limit, stored["tokens"] + (now - stored["at_ms"]) / token_ms)
        if tokens + TINY < 1:
            wait_ms = (1 - tokens) * token_ms
            return {"allowed": False, "retryAfter": math.ceil(wait_ms / 1000 - TINY)}
        tokens = max(tokens - 1, 0)
        state = {"tokens": tokens, "at_ms": now, "limit": limit, "window_ms": window_ms}
        await self.ctx.storage.put("token_bucket", state)
        full = now + math.ceil((limit - tokens) * token_ms - TINY)
        return {"allowed": True, "remaining": math.floor(tokens + TINY), "resetAt": full}
