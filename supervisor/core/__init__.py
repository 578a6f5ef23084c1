"""Decisions as plain functions: no clock, no I/O, no await, no logging, no randomness.

Begin with `world` (one step), `commands` and `settle` (what a step does), and `records`. `state_machines`, `plans` and
`items` hold the rules, `queries` the questions, `recovery` what follows from an earlier supervisor's records.
"""
