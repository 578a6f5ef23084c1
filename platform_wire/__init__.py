"""The contract: the messages and services of the platform's API, and the rules that values must hold.

Generated from `schemas/` (CONTRIBUTING.md says how); written by hand are this file and `rules`. Change the `.proto`
files, never the generated modules.
"""

SERVICES = (
    "gitpod.v1.EnvironmentAutomationService",
    "gitpod.v1.EventService",
    "gitpod.v1.EnvironmentService",
    "gitpod.v1.IdentityService",
    "supervisor.v1.EnvironmentOpsService",
)
"""The services of an environment, by their full names."""
PREFIXES = ("", "/api")
"""Paths below which every service answers. The platform's base URL ends with the second."""
