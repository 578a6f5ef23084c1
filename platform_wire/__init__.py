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
OTHERS = (
    "gitpod.v1.AccountService",
    "gitpod.v1.AgentService",
    "gitpod.v1.AgentSecurityService",
    "gitpod.v1.BillingService",
    "gitpod.v1.EditorService",
    "gitpod.v1.ErrorsService",
    "gitpod.v1.GatewayService",
    "gitpod.v1.GroupService",
    "gitpod.v1.InsightsService",
    "gitpod.v1.IntegrationService",
    "gitpod.v1.NotificationService",
    "gitpod.v1.OnaIntelligenceService",
    "gitpod.v1.OrganizationService",
    "gitpod.v1.PrebuildService",
    "gitpod.v1.ProjectService",
    "gitpod.v1.RunnerConfigurationService",
    "gitpod.v1.RunnerInteractionService",
    "gitpod.v1.RunnerManagerService",
    "gitpod.v1.RunnerService",
    "gitpod.v1.SecretService",
    "gitpod.v1.SecurityService",
    "gitpod.v1.ServiceAccountService",
    "gitpod.v1.SessionService",
    "gitpod.v1.TeamService",
    "gitpod.v1.UsageService",
    "gitpod.v1.UserService",
    "gitpod.v1.WebhookService",
    "gitpod.v1.WorkflowService",
)
"""The other services that the platform's public clients know; an environment has none of them."""
PREFIXES = ("", "/api")
"""Paths below which every service answers. The platform's base URL ends with the second."""
