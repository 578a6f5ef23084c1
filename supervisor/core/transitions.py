"""What the transition tables of `service`, `execution` and `task_run` have in common.

A table is a literal, `{state: {event: cell}}`, with every cell written. A cell is `(step, phases)`, the function that
is called and the phases that it may lead to, or one of the words below. The machines look up every event there,
`docs/states.md` is written from the tables, and `tests/core/test_transitions.py` compares them with random histories.
"""

IGNORED = "ignored"
"""The event may come, and changes nothing."""
NEVER = "never"
"""The event cannot come, for example because the state has no such run and no such deadline."""
