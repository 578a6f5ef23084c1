"""Replaces the running program with the one that is on the disk now, in the same process. Start at `upgrade`."""
