"""What a runtime tells of itself: trace, costs, snapshots."""
