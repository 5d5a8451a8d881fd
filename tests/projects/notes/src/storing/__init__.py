"""What all objects of this project share."""

from .mixins import Clocked, Counted

__all__ = ["Clocked", "Counted"]
