"""How commands find a running supervisor, ask it, and wait for it."""
