"""The runtime and the objects of a class at a glance."""
