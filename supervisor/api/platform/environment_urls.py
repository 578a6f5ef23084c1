"""The addresses at which clients find this environment, as `status.environment_urls` reports them.

Source: contract/ops.md, "What the environment must report".
"""

from __future__ import annotations

import os
import pwd
import socket
import time
from urllib.parse import quote, urlsplit

from connect_server.http.access import caller
from platform_wire import environment_pb2 as pb
from supervisor.activity.ssh_server import ssh_port
from supervisor.host.proc import worker_threads

_KEPT_S = 5.0
"""For how long it is known whether an sshd runs: it takes a look at every process."""


class EnvironmentUrls:
    """Makes the addresses for a caller."""

    def __init__(self, public_url: str, listening_url: str, uid: int | None = None) -> None:
        """Without final slashes. `public_url`: by which clients reach us; empty: nobody said.

        `listening_url`: of the TCP address; empty: nothing listens. `uid`: whom commands run as; None: our own.
        """
        self._public_url = public_url
        self._listening_url = listening_url
        self._uid = os.geteuid() if uid is None else uid
        self._ssh_port: int | None = None
        self._looked_mono_s = -_KEPT_S

    async def message(self, running: bool) -> pb.EnvironmentStatus.EnvironmentURLs:
        """For the caller of the request that is being handled. `running`: whether the environment may be used."""
        logs = self._public_url or self._listening_url
        return pb.EnvironmentStatus.EnvironmentURLs(
            logs=f"{logs}/logs",
            ops=self._base() if running else "",
            ssh=pb.EnvironmentStatus.EnvironmentSSHURL(url=await self._ssh()),
        )

    def _base(self) -> str:
        """Where the caller reaches us: a forwarded port has another name than the one that listens."""
        host = caller().host
        return self._public_url or (f"http://{host}" if host else self._listening_url)

    async def _ssh(self) -> str:
        now_s = time.monotonic()
        if now_s - self._looked_mono_s >= _KEPT_S:
            self._ssh_port = await worker_threads.run(ssh_port)
            self._looked_mono_s = now_s
        if self._ssh_port is None:
            return ""
        host = urlsplit(self._base()).hostname or socket.gethostname()
        shown = f"[{host}]" if ":" in host else host
        return f"ssh://{quote(self._user(), safe='')}@{shown}:{self._ssh_port}"

    def _user(self) -> str:
        try:
            return pwd.getpwuid(self._uid).pw_name
        except KeyError:  # nobody has a name for it
            return str(self._uid)
