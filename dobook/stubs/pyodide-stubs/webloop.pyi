from dobook.workers.pyodide.webloop import WebLoop as WebLoop
