"""Who turns the loop, and what an interrupt does: the only code that crosses loops and threads."""
