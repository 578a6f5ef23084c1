"""From settings to a running supervisor, and from there to its end."""

from supervisor.boot.crash import Edge
from supervisor.boot.lifecycle import Work
from supervisor.boot.run_settings import Api, Plane, Report, Settings
from supervisor.boot.supervisor import Supervisor

__all__ = ["Api", "Edge", "Plane", "Report", "Settings", "Supervisor", "Work"]
