"""Calls: from a stub to an object's turns and back."""
