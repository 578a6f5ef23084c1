"""The server: sockets, who may connect and call, tokens, metrics."""
