"""`pyodide.webloop`: the loop that Pyodide runs on a browser's; here it is the runtime's.

Source: pyodide.org/en/stable/usage/api/python-api/webloop.html
"""

import asyncio

__all__ = ["WebLoop"]


class WebLoop(asyncio.AbstractEventLoop):
    """The class alone, for code that looks at it; the loop that runs is the runtime's."""
