"""gitpod.v1.IdentityService: who the caller is."""

from __future__ import annotations

from typing import Any

from platform_wire import identity_connect
from platform_wire import identity_pb2 as pb
from supervisor.api.platform.to_wire import Translator


class Identity(identity_connect.IdentityService):
    """Whoever may call speaks for the environment: tokens are made for it, and the socket belongs to it."""

    def __init__(self, translator: Translator) -> None:
        """Answer with the translator's environment."""
        self._translator = translator

    async def get_authenticated_identity(
        self, _request: pb.GetAuthenticatedIdentityRequest, _ctx: Any
    ) -> pb.GetAuthenticatedIdentityResponse:
        return pb.GetAuthenticatedIdentityResponse(subject=self._translator.subject)
