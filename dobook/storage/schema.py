"""The real engine's tables inside an object's database, and a blank file that has them.

`_cf_KV` holds the rows, values in V8 serialisation. `_cf_METADATA` holds the alarm under key 1, in
nanoseconds since 1970. `_cf_ALARM` in a class's `metadata.sqlite` lists the alarms of its objects.

Source: cloudflare/workerd src/workerd/util/sqlite-kv.c++, sqlite-metadata.c++,
src/workerd/server/alarm-scheduler.c++
"""

from typing import Final

# The engine makes each when it first needs it. Users see these very texts in `sqlite_master`.
CREATE_KV: Final = """CREATE TABLE IF NOT EXISTS _cf_KV (
        key TEXT PRIMARY KEY,
        value BLOB
      ) WITHOUT ROWID"""
CREATE_METADATA: Final = """CREATE TABLE IF NOT EXISTS _cf_METADATA (
        key INTEGER PRIMARY KEY,
        value BLOB
      )"""
TABLES: Final = {"_cf_KV": CREATE_KV, "_cf_METADATA": CREATE_METADATA}
CREATE_ALARM_INDEX: Final = (
    "CREATE TABLE IF NOT EXISTS _cf_ALARM (actor_id TEXT PRIMARY KEY, scheduled_time INTEGER, "
    "actor_name TEXT) WITHOUT ROWID"
)

PUT: Final = "INSERT INTO _cf_KV VALUES(?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
DELETE: Final = "DELETE FROM _cf_KV WHERE key = ?"
GET: Final = "SELECT value FROM _cf_KV WHERE key = ?"
ALL: Final = "SELECT key, value FROM _cf_KV ORDER BY key"
GET_ALARM: Final = "SELECT value FROM _cf_METADATA WHERE key = 1"
PUT_ALARM: Final = (
    "INSERT INTO _cf_METADATA VALUES(1, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
)

NS_PER_MS: Final = 1_000_000


def range_query(end: str | None, *, reverse: bool) -> str:
    """Return the query for the rows with start <= key (< end), in key order."""
    bound = "" if end is None else " AND key < ?"
    return f"SELECT key, value FROM _cf_KV WHERE key >= ?{bound} ORDER BY key" + (
        " DESC" if reverse else ""
    )
