"""Decisions: pure functions of records, inputs and the time. No clock, no I/O, no await, no logging, no randomness."""
