"""A runtime behind HTTP and WebSockets: `Server` in the background, `serve` until interrupted.

Needs the extra `dobook[serve]`.
"""

import sys
from importlib.util import find_spec

from dobook.errors import UsageError

if sys.platform == "emscripten":
    raise UsageError(
        "Python in a browser has no sockets that others can reach: serve from a kernel"
    )
if find_spec("httptools") is None or find_spec("websockets") is None:
    raise UsageError("the server needs httptools and websockets. Run: pip install 'dobook[serve]'")

from dobook.serve.server import Server, serve
from dobook.serve.settings import Limits, Settings

__all__ = ["Limits", "Server", "Settings", "serve"]
