"""Evicting, crashing and slowing objects down on purpose."""
