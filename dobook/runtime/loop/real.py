"""The real clock, for code on a runtime's loop that measures how long something takes.

Names in dobook's own modules are not replaced, so what stands here stays real. Use it as
`real.perf_counter()`: a name that another module gives it would be replaced there.
"""

from time import monotonic, perf_counter, time

__all__ = ["monotonic", "perf_counter", "time"]
