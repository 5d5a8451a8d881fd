"""Requests, responses and what they are made of: the `workers` SDK's values on plain Python.

Values only: no server, no client. The names are those of Cloudflare's Python SDK; JavaScript's
spelling works too.
Source: developers.cloudflare.com/workers/languages/python/
"""

from dobook.codec.jsbuffer import JsBuffer
from dobook.web.blob import Blob, BlobEnding, File
from dobook.web.body import BodyUsedError
from dobook.web.formdata import FormData
from dobook.web.headers import Headers
from dobook.web.request import Request
from dobook.web.response import FetchResponse, HttpStatusError, Response
from dobook.web.search_params import URLSearchParams
from dobook.web.streams import ReadableStream
from dobook.web.url import URL

__all__ = [
    "URL",
    "Blob",
    "BlobEnding",
    "BodyUsedError",
    "FetchResponse",
    "File",
    "FormData",
    "Headers",
    "HttpStatusError",
    "JsBuffer",
    "ReadableStream",
    "Request",
    "Response",
    "URLSearchParams",
]
