"""From a trigger to the work that it starts.

`triggers` says what a trigger starts and when it may fire, `graph` orders what depends on something else, `planner`
makes the plan of each execution, and `leaders` lets one execution run what the plans of one firing have in common.
"""
