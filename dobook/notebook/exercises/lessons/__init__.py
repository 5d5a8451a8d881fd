"""The checks, one file a lesson."""
