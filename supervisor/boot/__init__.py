"""From settings to a running supervisor, and from there to its end."""

from supervisor.boot.crash import Edge
from supervisor.boot.lifecycle import Work
from supervisor.boot.report import Report
from supervisor.boot.run_settings import ApiSettings, PlaneSettings, Settings
from supervisor.boot.supervisor import Supervisor

__all__ = ["ApiSettings", "Edge", "PlaneSettings", "Report", "Settings", "Supervisor", "Work"]
