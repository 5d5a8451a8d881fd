from dobook.workers.workflows import NonRetryableError as NonRetryableError
