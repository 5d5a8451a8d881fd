"""What point-in-time recovery goes back to."""
