"""A disk that can be watched, refuse, and lose power: what dobook's storage is tried on."""
