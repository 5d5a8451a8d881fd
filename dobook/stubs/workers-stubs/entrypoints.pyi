from dobook.workers.entrypoints import Context as Context
from dobook.workers.entrypoints import DurableObject as DurableObject
from dobook.workers.entrypoints import DurableObjectAbort as DurableObjectAbort
from dobook.workers.entrypoints import DurableObjectContext as DurableObjectContext
from dobook.workers.entrypoints import WorkerEntrypoint as WorkerEntrypoint
from dobook.workers.entrypoints import WorkflowEntrypoint as WorkflowEntrypoint
from dobook.workers.entrypoints import handler as handler
