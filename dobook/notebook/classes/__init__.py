"""Cells that define classes, and the configuration of their Worker."""
