"""HTTP and WebSocket conventions of the contract, for both servers."""
