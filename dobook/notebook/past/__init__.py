"""The moments of an object that one can go back to."""
