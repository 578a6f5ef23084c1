"""The management plane, as far as activity needs it: one method, called by the generated Connect client.

Imported when the first signal is due: it brings in what the server needs too, and nothing else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from anyio.lowlevel import checkpoint
from connectrpc.client import ResponseMetadata
from connectrpc.code import Code
from connectrpc.compat import google_protobuf_json_codec
from connectrpc.errors import ConnectError
from google.protobuf.timestamp_pb2 import Timestamp
from pyqwest import Client

from platform_wire import environment_pb2 as pb
from platform_wire.environment_connect import EnvironmentServiceClient
from supervisor import __version__
from supervisor.activity.plane_transport import Transport
from supervisor.activity.signal_result import Delivered, Failed, Verdict, retry_after, verdict_of

TIMEOUT_S = 30.0
_SHOWN = 200


class PlaneClient:
    """Tells one plane about one environment."""

    def __init__(
        self,
        url: str,
        environment_id: str,
        timeout_s: float = TIMEOUT_S,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Nothing is sent yet.

        Args:
            url: the base of the plane's API; it may end in `/api`.
            environment_id: whom the signals are about.
            timeout_s: for a whole call, whatever it spends its time with.
            environ: names the proxies.
        """
        self._environment_id = environment_id
        self._timeout_s = timeout_s
        self._client = EnvironmentServiceClient(
            url.rstrip("/"),
            # JSON, which whoever looks at it in a proxy can read; nothing is worth packing.
            codec=google_protobuf_json_codec(),
            send_compression=None,
            accept_compression=(),
            http_client=Client(Transport(environ)),
        )

    async def tell(self, source: str, seen_wall_s: float, token: str) -> Verdict:
        """Say that there was activity. Never raises but for being cancelled."""
        seen = Timestamp()
        seen.FromMilliseconds(round(seen_wall_s * 1000))
        request = pb.MarkEnvironmentActiveRequest(
            environment_id=self._environment_id,
            activity_signal=pb.EnvironmentActivitySignal(source=source, timestamp=seen),
        )
        headers = {"authorization": f"Bearer {token}", "user-agent": f"supervisor/{__version__}"}
        with ResponseMetadata() as answer:
            try:
                await self._client.mark_environment_active(
                    request, headers=headers, timeout_ms=max(1, round(self._timeout_s * 1000))
                )
            except ConnectError as error:
                # The client takes a cancelled call for one that failed.
                await checkpoint()
                return self._failed(answer, error)
        return Delivered()

    def _failed(self, answer: ResponseMetadata, error: ConnectError) -> Verdict:
        message = "".join(c if c.isprintable() else " " for c in error.message)[:_SHOWN].strip()
        if answer.http_status is None:
            late = error.code is Code.DEADLINE_EXCEEDED
            return Failed(f"no answer within {self._timeout_s:g} s" if late else message)
        if answer.http_status == 200:
            return Failed(f"what answered is no management plane: {message}")
        wait_s = retry_after(answer.headers.get("retry-after"), answer.headers.get("date"), time.time())
        return verdict_of(answer.http_status, message, wait_s)
