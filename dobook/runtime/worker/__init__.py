"""What stands in front of the objects and beside them: the Worker, its triggers, the network."""
