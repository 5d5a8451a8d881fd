"""Rate limiters at a glance: what each remembers, as a frame and a picture; and all on one traffic."""

from dobook.notebook.limiters.comparison import Comparison, compare_limiters
from dobook.notebook.limiters.frames import limiter_frame
from dobook.notebook.limiters.states import Limiter, read_limiter

__all__ = ["Comparison", "Limiter", "compare_limiters", "limiter_frame", "read_limiter"]
