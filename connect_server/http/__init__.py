"""The HTTP server below Connect: who may connect, who may call, tokens, and how it ends."""
