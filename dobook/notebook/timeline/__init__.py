"""The trace as a table and as a space-time diagram."""
