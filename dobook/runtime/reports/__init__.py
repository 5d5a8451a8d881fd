"""What the user is told: refusals nobody awaits, errors nobody catches, what is not portable."""
