"""WebSocket clients: `%websocket`, `%chat`, transcripts."""
