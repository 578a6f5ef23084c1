"""What runs in the event loop beside the engine. Imported with the loop: the first commands do not wait for it."""
