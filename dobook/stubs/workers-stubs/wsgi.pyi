from dobook.workers.wsgi import build_environ as build_environ
from dobook.workers.wsgi import fetch as fetch
