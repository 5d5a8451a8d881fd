from dobook.workers.pyodide.code import relaxed_call as relaxed_call
from dobook.workers.pyodide.code import relaxed_wrap as relaxed_wrap
from dobook.workers.pyodide.code import run_js as run_js
