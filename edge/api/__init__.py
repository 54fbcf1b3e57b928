"""The REST and WebSocket face of the edge."""
