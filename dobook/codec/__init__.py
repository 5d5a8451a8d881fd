"""Values at the border: structured clone in Python, and V8's bytes for it.

Used by storage (what is kept) and by RPC (what is sent). It knows neither.
"""

from dobook.codec.clone import clone, freeze, thaw
from dobook.codec.decode import deserialize
from dobook.codec.encode import serialize
from dobook.codec.jsbuffer import JsBuffer
from dobook.codec.jsdict import JsDict, JsList
from dobook.codec.values import JsRegExp

__all__ = [
    "JsBuffer",
    "JsDict",
    "JsList",
    "JsRegExp",
    "clone",
    "deserialize",
    "freeze",
    "serialize",
    "thaw",
]
