"""Asking objects and the Worker, one request or many; responses."""
