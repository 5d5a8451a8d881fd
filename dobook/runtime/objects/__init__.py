"""Objects in memory: one life of each, its `ctx`, its alarms, and when it goes."""
