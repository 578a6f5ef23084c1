"""From bytes to a typed automations file, or to every problem with its place.

A file passes `source` (bytes), `text` (characters) and `parse` (a tree) in `document`, then `decode` (the typed file,
or a refusal without a reason) and `dependencies`. `lint` adds warnings to a good file. For one that `decode` refuses,
`explainer` finds the reasons with the published schema; `messages`, `foreign_fields` and `suggest` word them.
"""

from supervisor.config.load import load_bytes, load_file
from supervisor.config.lookup import Found, Presence, find_file
from supervisor.config.problem import Loaded, Problem, Severity

__all__ = ["Found", "Loaded", "Presence", "Problem", "Severity", "find_file", "load_bytes", "load_file"]
