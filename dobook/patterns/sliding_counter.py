"""A rate limiter with two counts: as cheap as a fixed window, nearly as smooth as a log."""

import math
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from workers import DurableObject, Request, Response


class SlidingCounter(DurableObject):
    """About `limit` hits in any stretch of `window_ms`.

    Stores the counts of the current and the previous fixed window. The previous one counts for the
    part of it that a window ending now would still cover, as if its hits had come evenly.

    Example:
        >>> import dobook
        >>> with dobook.Runtime() as runtime:
        ...     ada = runtime.register(SlidingCounter).getByName("ada")
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
        """Count a hit if there is room for it by the estimate.

        Args:
            limit: Hits a window may have, at least 1.
            window_ms: The window's length in ms, at least 1.

        Returns:
            `allowed`; if so, `remaining` (whole hits) and `resetAt`, the end of the current fixed
            window in ms since 1970; if not, `retryAfter` in whole seconds.

        Raises:
            ValueError: If an argument is below 1.
        """
        if limit < 1 or window_ms < 1:
            raise ValueError("limit and window are 1 or more")
        now = int(time.time() * 1000)
        start = now - now % window_ms
        stored = await self.ctx.storage.get("sliding_counter") or {}
        count, previous = 0, 0
        if stored.get("window_ms") == window_ms:
            if stored["start_ms"] == start:
                count, previous = stored["count"], stored["previous"]
            elif stored["start_ms"] == start - window_ms:
                previous = stored["count"]
        left_ms = window_ms - (now - start)
        # Whole numbers until the end: hits times ms, so that an edge is met to the millisecond.
        used = previous * left_ms + count * window_ms
        if used + window_ms > limit * window_ms:
            wait_ms = _wait_ms(count, previous, limit, window_ms, left_ms)
            return {"allowed": False, "retryAfter": math.ceil(wait_ms / 1000)}
        state = {
            "start_ms": start,
            "count": count + 1,
            "previous": previous,
            "limit": limit,
            "window_ms": window_ms,
        }
        await self.ctx.storage.put("sliding_counter", state)
        remaining = (limit * window_ms - used) // window_ms - 1
        return {"allowed": True, "remaining": remaining, "resetAt": start + window_ms}


def _wait_ms(count: int, previous: int, limit: int, window_ms: int, left_ms: int) -> int:
    """Return how long until one more hit fits, if none comes in between."""
    if count < limit:  # it fits in this window, once enough of the previous one has gone by
        return left_ms - (limit - count - 1) * window_ms // previous
    # In the next window this one's count is the previous one's.
    return left_ms + window_ms - (limit - 1) * window_ms // count
