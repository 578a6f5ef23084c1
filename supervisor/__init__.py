"""A process supervisor and automations engine: services, tasks and triggers from one file."""

__version__ = "0.2.0"
