"""The loop: asyncio's own on a virtual clock, who turns it, and what the seed decides."""
