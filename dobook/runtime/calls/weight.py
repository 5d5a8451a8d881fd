"""How much one call may carry.

Source: cloudflare/workerd src/workerd/api/worker-rpc.c++ (`MAX_JS_RPC_MESSAGE_SIZE`)
"""

from collections.abc import Iterable
from typing import Any

from dobook import limits
from dobook.codec import freeze, serialize
from dobook.errors import PlatformError

HEAVY = 1024 * 1024  # texts and bytes shorter than this are not measured
TEXTS = frozenset({str, bytes})


def check_weight(values: Iterable[Any]) -> None:
    """Refuse more than one call may carry.

    Only texts and bytes among the values, or right inside them, are looked at: nothing else gets so
    large by chance, and every call comes by here.

    Raises:
        PlatformError: If they are too large together.
    """
    for value in values:
        if _is_heavy(value):
            size = len(serialize(freeze(list(values))))
            if size > limits.MAX_CALL_BYTES:
                raise PlatformError(
                    "Serialized RPC arguments or return values are limited to 32MiB, but the size "
                    f"of this value was: {size} bytes."
                )
            return


def _is_heavy(value: Any) -> bool:
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value) > HEAVY
    if kind is list and len(value) <= 64:
        return any(type(v) in TEXTS and len(v) > HEAVY for v in value)
    if isinstance(value, dict) and len(value) <= 64:
        return any(type(v) in TEXTS and len(v) > HEAVY for v in value.values())
    return False
