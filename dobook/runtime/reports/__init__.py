"""What the user hears: refusals nobody awaits, errors nobody catches, what is not portable."""
