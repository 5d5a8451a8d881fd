from dobook.workers.rpc import python_from_rpc as python_from_rpc
from dobook.workers.rpc import python_to_rpc as python_to_rpc
