"""What the running code sees in place of Python's own clocks and chance."""
