"""Watching a runtime and breaking it on purpose: trace, meters, snapshots, faults."""
