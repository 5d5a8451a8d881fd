"""`dobook.check("identity-1")`: looks at what was made for an exercise, and says what is missing."""

from dobook.notebook.exercises.registry import check

__all__ = ["check"]
