"""WebSockets: both ends, what lies between, and those that outlive memory."""
