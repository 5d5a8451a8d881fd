"""How to look for failing schedules: each module is one strategy."""
