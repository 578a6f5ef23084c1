"""Processes as Linux knows them, and this process itself: signals, limits, threads, the first process."""
