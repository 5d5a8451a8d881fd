"""What to raise for a name that one of the platform's modules does not have."""

import sys
from dis import opmap

_IMPORT_FROM = opmap["IMPORT_FROM"]


def missing(message: str) -> Exception:
    """Return the error for a module's `__getattr__`: of an import if the name is being imported.

    Python replaces an AttributeError behind `from js import name` by one of its own, without the
    message. Elsewhere it has to be one, so that `hasattr(js, name)` works.

    Args:
        message: What is missing, and what there is.
    """
    frame = sys._getframe(2)  # noqa: SLF001 - who uses the module, behind its __getattr__
    code, at = frame.f_code.co_code, frame.f_lasti
    importing = 0 <= at < len(code) and code[at] == _IMPORT_FROM
    return ImportError(message) if importing else AttributeError(message)
