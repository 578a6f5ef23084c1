"""What the program is made of, for tests that copy it."""

PACKAGES = ("supervisor", "connect_server", "platform_wire")
PROGRAM = (*PACKAGES, "schemas")
"""Folders of the checkout without which it does not run."""
