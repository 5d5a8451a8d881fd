from dobook.workers.asgi import fetch as fetch
from dobook.workers.asgi import request_to_scope as request_to_scope
from dobook.workers.asgi import websocket as websocket
