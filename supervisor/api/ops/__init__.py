"""supervisor.v1.EnvironmentOpsService: work inside the environment. Each module has the methods of one subject."""
