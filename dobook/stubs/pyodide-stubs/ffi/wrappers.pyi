from dobook.workers.pyodide.wrappers import add_event_listener as add_event_listener
from dobook.workers.pyodide.wrappers import clear_interval as clear_interval
from dobook.workers.pyodide.wrappers import clear_timeout as clear_timeout
from dobook.workers.pyodide.wrappers import remove_event_listener as remove_event_listener
from dobook.workers.pyodide.wrappers import set_interval as set_interval
from dobook.workers.pyodide.wrappers import set_timeout as set_timeout
