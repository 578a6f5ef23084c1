"""From bytes to a typed automations file, or to every problem with its place.

The way of a file: `source` (bytes), `text` (characters), `parse` (tree), then `decode` (typed, says yes or no) and
`references`. Only when `decode` says no, `explain` finds the reasons with the published schema.
"""

from supervisor.config.load import load_bytes, load_file
from supervisor.config.lookup import Found, Presence, find_file
from supervisor.config.problem import Loaded, Problem, Severity

__all__ = ["Found", "Loaded", "Presence", "Problem", "Severity", "find_file", "load_bytes", "load_file"]
