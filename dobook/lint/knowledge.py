"""What Python Workers lack, and what the platform's names are: tables with their sources.

Source: developers.cloudflare.com/workers/languages/python/stdlib/ (2026-06-22),
pyodide.org/en/stable/usage/wasm-constraints.html,
cloudflare/workerd src/pyodide/internal/topLevelEntropy/
"""

from typing import Final

MISSING_MODULES: Final = frozenset({
    "curses", "dbm", "ensurepip", "fcntl", "grp", "idlelib", "lib2to3", "msvcrt", "pty", "pwd",
    "readline", "resource", "syslog", "termios", "tkinter", "tty", "turtle", "turtledemo", "venv",
    "winreg", "winsound",
})  # fmt: skip

# Modules of the notebook, which no Worker has.
NOTEBOOK_MODULES: Final = frozenset({
    "IPython", "anywidget", "dobook", "google.colab", "ipykernel", "ipywidgets", "jupyter_client",
    "nest_asyncio", "nest_asyncio2", "traitlets",
})  # fmt: skip

# Packages without a wheel for WebAssembly that somebody is likely to try.
MISSING_PACKAGES: Final = frozenset({
    "cupy", "gevent", "jax", "psycopg2", "pymssql", "ray", "tensorflow", "torch", "uvloop",
})  # fmt: skip

# Called by their full names: the rule, why it does not work, what to do instead.
_THREAD = "threads cannot be started in WebAssembly"
_PROCESS = "a Worker has no processes"
_SOCKET = "a Worker has no sockets of the operating system, and blocking would stop every request"
_FILE = "files are in memory, and gone with the instance"

CALLS: Final = {
    "threading.Thread": ("thread", _THREAD, "Use asyncio, or an alarm for work that continues."),
    "threading.Timer": ("thread", _THREAD, "Set an alarm: self.ctx.storage.setAlarm(time)."),
    "asyncio.to_thread": ("thread", _THREAD, "Call the function directly."),
    "concurrent.futures.ThreadPoolExecutor": ("thread", _THREAD, "Use asyncio.gather."),
    "concurrent.futures.ProcessPoolExecutor": ("subprocess", _PROCESS, "Use asyncio.gather."),
    "os.fork": ("subprocess", _PROCESS, "Do the work in the handler."),
    "os.system": ("subprocess", _PROCESS, "Do it in Python, or ask a service over HTTP."),
    "os.popen": ("subprocess", _PROCESS, "Do it in Python, or ask a service over HTTP."),
    "urllib.request.urlopen": ("socket", _SOCKET, "Use `await fetch(url)`: from workers import fetch."),
    "socket.socket": ("socket", _SOCKET, "Use `await fetch(url)`: from workers import fetch."),
    "socket.create_connection": ("socket", _SOCKET, "Use `await fetch(url)` or a WebSocket."),
    "asyncio.open_connection": ("socket", _SOCKET, "Use `await fetch(url)` or a WebSocket."),
    "asyncio.start_server": ("socket", _SOCKET, "Requests arrive in fetch(self, request)."),
    "time.sleep": (
        "blocking-sleep",
        "it stops the whole instance, other requests included, and costs CPU time",
        "Use `await asyncio.sleep(seconds)`, or an alarm for longer waits.",
    ),
    "asyncio.run": (
        "own-loop",
        "the platform's loop is running already",
        "Use `await`.",
    ),
    "input": ("input", "nobody sits at a Worker", "Take it from the request."),
    "signal.signal": ("subprocess", _PROCESS, "Leave it out."),
    "atexit.register": (
        "exit",
        "an instance ends without notice",
        "Write to storage when something changes.",
    ),
}  # fmt: skip

# Every call into these modules.
CALLS_INTO: Final = {
    "subprocess": ("subprocess", _PROCESS, "Do it in Python, or ask a service over HTTP."),
    "multiprocessing": ("subprocess", _PROCESS, "Use asyncio.gather."),
    "requests": ("socket", _SOCKET, "Use `await fetch(url)` from workers, or httpx's AsyncClient."),
    "http.client": ("socket", _SOCKET, "Use `await fetch(url)`: from workers import fetch."),
    "smtplib": ("socket", _SOCKET, "Use a service that sends mail over HTTP."),
    "ftplib": ("socket", _SOCKET, "Use `await fetch(url)`: from workers import fetch."),
}

FILE_CALLS: Final = frozenset({
    "open", "io.open", "os.remove", "os.mkdir", "os.makedirs", "os.rename", "shutil.copy",
    "shutil.rmtree", "tempfile.NamedTemporaryFile", "tempfile.mkdtemp", "sqlite3.connect",
})  # fmt: skip
FILE_METHODS: Final = frozenset({"write_text", "write_bytes", "mkdir", "unlink", "touch"})
FILE_WHY: Final = _FILE

NUMPY_PRESENT: Final = frozenset({"now", "today"})
NUMPY_WHY: Final = (
    "NumPy asks the operating system: in dobook's virtual time this is another time than everywhere "
    "else"
)
NUMPY_FIX: Final = "Write numpy.datetime64(datetime.now(UTC).replace(tzinfo=None))."

# At the top level of a module: it runs when the Worker is uploaded, not when it is used.
CLOCK_CALLS: Final = frozenset({
    "time.time", "time.time_ns", "time.monotonic", "datetime.datetime.now", "datetime.date.today",
    "datetime.datetime.utcnow", "datetime.datetime.today", "js.Date.now",
})  # fmt: skip
CHANCE_MODULES: Final = frozenset({"random", "secrets", "uuid"})
CHANCE_CALLS: Final = frozenset({"os.urandom"})

# The platform's names, by how Python would spell them.
NAMES: Final = {
    "wait_until": "waitUntil",
    "block_concurrency_while": "blockConcurrencyWhile",
    "accept_web_socket": "acceptWebSocket",
    "accept_websocket": "acceptWebSocket",
    "get_web_sockets": "getWebSockets",
    "get_websockets": "getWebSockets",
    "get_tags": "getTags",
    "set_web_socket_auto_response": "setWebSocketAutoResponse",
    "set_websocket_auto_response": "setWebSocketAutoResponse",
    "get_web_socket_auto_response": "getWebSocketAutoResponse",
    "set_alarm": "setAlarm",
    "get_alarm": "getAlarm",
    "delete_alarm": "deleteAlarm",
    "delete_all": "deleteAll",
    "transaction_sync": "transactionSync",
    "get_current_bookmark": "getCurrentBookmark",
    "get_bookmark_for_time": "getBookmarkForTime",
    "on_next_session_restore_bookmark": "onNextSessionRestoreBookmark",
    "database_size": "databaseSize",
    "to_array": "toArray",
    "rows_read": "rowsRead",
    "rows_written": "rowsWritten",
    "column_names": "columnNames",
    "get_by_name": "getByName",
    "id_from_name": "idFromName",
    "id_from_string": "idFromString",
    "new_unique_id": "newUniqueId",
    "serialize_attachment": "serializeAttachment",
    "deserialize_attachment": "deserializeAttachment",
    "ready_state": "readyState",
}

# Bases on which these names are meant, by the last part of what stands before the dot.
PLATFORM_BASES: Final = frozenset({
    "ctx", "state", "storage", "kv", "sql", "env", "ws", "websocket", "web_socket", "socket",
    "server", "client", "namespace", "cursor",
})  # fmt: skip

HANDLERS: Final = {
    "web_socket_message": "webSocketMessage",
    "websocket_message": "webSocketMessage",
    "on_message": "webSocketMessage",
    "web_socket_close": "webSocketClose",
    "websocket_close": "webSocketClose",
    "web_socket_error": "webSocketError",
    "websocket_error": "webSocketError",
    "on_alarm": "alarm",
    "on_close": "webSocketClose",
}

# Methods of `ctx.storage` that have to be awaited before their value is of use.
AWAITED: Final = frozenset({"get", "list", "getAlarm", "delete", "transaction"})
STORING: Final = frozenset({"put", "serializeAttachment"})
