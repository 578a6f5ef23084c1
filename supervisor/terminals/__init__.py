"""Terminals: shells on pseudo terminals, and what their screens show.

What emulates a screen is pure: bytes in, state, bytes out. It runs in the process that holds the terminals and imports
nothing of the supervisor.
"""
