"""Workflows, which dobook does not run: their classes can be defined, so that the rest of a Worker works.

Source: developers.cloudflare.com/workflows/python/
"""


class NonRetryableError(Exception):
    """Says that a step of a workflow is not to be tried again."""
