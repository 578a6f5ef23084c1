"""From settings to a running supervisor, and from there to its end.

Imports nothing: `boot/prestart` starts the shim before anything else is imported.
"""
