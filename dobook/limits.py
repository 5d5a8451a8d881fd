"""The platform's limits, each with its source and the date it was read.

One place, so that a reader can check every number against Cloudflare's pages. All sizes are in
bytes, all times in milliseconds.
"""

from dataclasses import dataclass
from typing import Final

# developers.cloudflare.com/durable-objects/platform/limits/ (read 2026-11)
MAX_KEY_BYTES: Final = 2_048
MAX_KV_VALUE_BYTES: Final = 131_072  # a value in a class declared with new_classes
KV_VALUE_GRACE_BYTES: Final = 34  # for the serialisation; workerd src/workerd/io/actor-storage.h
MAX_SQLITE_ENTRY_BYTES: Final = 2_097_152  # key + value in a class declared with new_sqlite_classes
MAX_CALL_BYTES: Final = 32 * 1024 * 1024  # arguments, or the result, of a method; serialised
MAX_BATCH_KEYS: Final = 128  # get, put and delete of several keys
MAX_SQL_STATEMENT_BYTES: Final = 100_000
MAX_SQL_COLUMNS: Final = 100
MAX_SQL_BINDINGS: Final = 100
MAX_SQL_LIKE_PATTERN_BYTES: Final = 50
MAX_SQL_FUNCTION_ARGUMENTS: Final = 32
MAX_WEBSOCKET_MESSAGE_BYTES: Final = 32 * 1024 * 1024  # received
MAX_WEBSOCKET_ATTACHMENT_BYTES: Final = 16_384  # serialised
MAX_WEBSOCKETS_PER_OBJECT: Final = 32_768
MAX_WEBSOCKET_TAGS: Final = 10
MAX_WEBSOCKET_TAG_CHARS: Final = 256
MAX_AUTO_RESPONSE_CHARS: Final = 2_048

# developers.cloudflare.com/durable-objects/api/alarms/ (read 2026-11)
ALARM_RETRY_FIRST_MS: Final = 2_000
ALARM_MAX_RETRIES: Final = 6
# cloudflare/workerd src/workerd/server/alarm-scheduler.h (read 2026-11)
ALARM_RETRY_JITTER: Final = 0.25  # of the delay, added at random
ALARM_RETRY_MAX_EXPONENT: Final = 9

# developers.cloudflare.com/durable-objects/concepts/durable-object-lifecycle/ (read 2026-11)
IDLE_EVICTION_MS: Final = 10_000
# developers.cloudflare.com/durable-objects/api/state/#blockconcurrencywhile (read 2026-11)
BLOCK_CONCURRENCY_TIMEOUT_MS: Final = 30_000
# developers.cloudflare.com/durable-objects/api/sqlite-storage-api/#pitr-point-in-time-recovery-api
PITR_HISTORY_MS: Final = 30 * 24 * 3_600_000

# developers.cloudflare.com/durable-objects/platform/limits/ (read 2026-11)
ALARM_TIMEOUT_MS: Final = 15 * 60_000  # wall-clock time of one run of alarm()

# cloudflare/miniflare packages/shared/src/context.ts (read 2026-11); Cloudflare's pages name none
MAX_SECTION_DEPTH: Final = 64  # of blockConcurrencyWhile() and transaction() inside each other
MAX_ID_NAME_BYTES: Final = 1_024  # of a longer name an object itself does not know
MAX_SUBREQUEST_DEPTH: Final = 16  # of calls from object to object, the first one included

# dobook's own: what an object may set in motion before the virtual clock moves. They stand in for
# the CPU limit of developers.cloudflare.com/durable-objects/platform/limits/ (read 2026-11).
MAX_LINKS_AT_AN_INSTANT: Final = 1_000  # each because of the one before
MAX_YIELDS_AT_AN_INSTANT: Final = 100_000  # of `asyncio.sleep(0)` in one task
MAX_TICKS_AT_AN_INSTANT: Final = 1_000_000  # of the loop, in which only objects' code runs
MAX_WAIT_FOR_ALARMS_MS: Final = 366 * 24 * 3_600_000  # for one that might wake what is awaited


@dataclass(frozen=True, slots=True)
class Prices:
    """The published prices of the paid plan, in US dollars, without what is included in it.

    developers.cloudflare.com/durable-objects/platform/pricing/ (read 2026-11)
    """

    request: float = 0.15e-6
    requests_per_message: float = 1 / 20  # of an incoming WebSocket message
    gb_s: float = 12.50e-6
    memory_gb: float = 0.128  # what every object is billed for while it is active
    row_read: float = 0.001e-6  # classes declared with new_sqlite_classes
    row_written: float = 1.00e-6
    unit_read: float = 0.20e-6  # classes declared with new_classes
    unit_written: float = 1.00e-6
    unit_bytes: int = 4_096
    gb_month: float = 0.20


# developers.cloudflare.com/durable-objects/platform/pricing/ (read 2026-11)
PRICES: Final = Prices()
