"""What every feature of the notebook stands on: the session, lines, displays, frames, live views."""
