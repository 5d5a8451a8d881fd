"""From a runtime to its parts, for the layers above that need more than a user does."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dobook.runtime.kernel import Kernel
    from dobook.runtime.runtime import Runtime


def kernel_of(runtime: "Runtime") -> "Kernel":
    """Return the parts of a runtime."""
    return runtime._kernel
