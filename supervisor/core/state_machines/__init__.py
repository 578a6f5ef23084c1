"""The state machines of a service, a task run and an execution.

Each has a table that says what an event does in a state (`service`, `task_run`, `execution`), and steps beside it
(`service_steps`, `probe`, `step_outcome`). They see only their own record and what they are shown.
"""
