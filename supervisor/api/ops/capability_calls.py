"""supervisor.v1.EnvironmentOpsService: what a client may rely on beyond the methods that every environment has."""

from __future__ import annotations

from connect_server.calls import Call
from platform_wire import environmentopts_pb2 as pb
from platform_wire.environmentopts_handler import EnvironmentOpsServiceHandler


class CapabilityCalls(EnvironmentOpsServiceHandler):
    """ListCapabilities. Browsers are not among them, and StartBrowser is unimplemented."""

    async def list_capabilities(
        self, _request: pb.ListCapabilitiesRequest, _call: Call
    ) -> pb.ListCapabilitiesResponse:
        """Changes of files can be watched."""
        return pb.ListCapabilitiesResponse(capabilities=[pb.CAPABILITY_WATCH])
