from dobook.workers.pyodide.http import BodyUsedError as BodyUsedError
from dobook.workers.pyodide.http import FetchResponse as FetchResponse
from dobook.workers.pyodide.http import HttpStatusError as HttpStatusError
from dobook.workers.pyodide.http import open_url as open_url
from dobook.workers.pyodide.http import pyfetch as pyfetch
