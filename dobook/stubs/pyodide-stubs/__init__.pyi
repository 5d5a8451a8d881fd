from dobook.workers.pyodide import __version__ as __version__
from pyodide import code as code
from pyodide import ffi as ffi
from pyodide import http as http
