"""What a runtime reports: trace, costs, snapshots."""
