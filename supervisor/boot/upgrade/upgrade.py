"""An upgrade: the running program executes the one that is on the disk now. The process, and what runs, goes on.

Theory of operation. An upgrade has four steps; the new program does the last one:

| step | function | what it does | if it fails |
|---|---|---|---|
| prepare | `Upgrade.prepare` | has the new program check itself in a child, then ends the work | it is refused |
| pack | `Upgrade.pack` | answers requests, ends streams, gathers descriptors into a `Carried` | the process ends |
| exec | `carried.execute` | executes the new program in this process | the old program starts again |
| unpack | `carried.unpack` | has the new program take the `Carried`, and start as after a crash | the process ends |

After a refusal nothing has changed. Where the process ends, commands live on, and the next start adopts them.
`Lifecycle` calls pack once the work has ended, `cli.local.foreground_run` the exec, and `cli` unpack before anything
starts a process.

The process id stays, so the shim stays a child, and the parent goes on waiting for this process. Commands are found
as after a crash: there is one way to adopt them, and no second one for upgrades. So nothing about a command is carried.

What is carried are descriptors that must not be closed, because something would be lost in between:

- the lock of the state directory and its name in the kernel, or another supervisor could take the directory;
- the listening sockets: a client that connects waits in their backlog and is never refused;
- each connection that is between two requests: the client's next request waits in the socket;
- each connection whose call waits for what goes on in any case (Exec): its request is carried too, and the new program
  answers it.

The race. From the moment the old program no longer reads a socket or heeds a signal until the new one does, clients,
signals and commands go on. Nothing of it may be lost, and none of them can be asked to wait, so each is kept by the
kernel or on the disk:

- a connection or a request waits in a socket that both programs hold open;
- a signal that comes after the work has ended is noted (`Lifecycle.late`). Before the exec all signals are blocked and
  the noted ones are sent to this process again: they stay pending across the exec, until the new program installs its
  handlers and unblocks them;
- a command's end is written into its run directory by the shim;
- a process that is started meanwhile inherits nothing: descriptors become inheritable just before the exec, when no
  other thread of this program starts processes, and lose that at once in the new program. The variable that names them
  holds the process id, so a child that inherits the variable ignores it.

The two programs may be of different versions, with the newer one on either side. What passes between them (the
variable, its fields, the arguments of the self-check) is only ever added to, and each side ignores what it does not
know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervisor import __version__
from supervisor.api.http.sockets import ListeningFds
from supervisor.boot.upgrade import prepare
from supervisor.boot.upgrade.carried import Carried, held_requests
from supervisor.host.proc import clock
from supervisor.model.errors import Precondition

if TYPE_CHECKING:
    from supervisor.api.supervisor_handle import ConnectionOwner
    from supervisor.boot.supervisor import Supervisor


class Upgrade:
    """The steps that the running program takes. The exec follows once the supervisor is closed."""

    def __init__(self, supervisor: Supervisor) -> None:
        """Nothing is done yet."""
        self._supervisor = supervisor
        self._under_way = False
        self._server: ConnectionOwner | None = None
        """None: the server does not serve yet."""
        self.carried: Carried | None = None
        """What goes to the new program; None: `pack` has not run."""

    def on_serving(self, server: ConnectionOwner) -> None:
        """The server is made."""
        self._server = server

    async def prepare(self) -> str:
        """Check the program on the disk, then end the work in its favour. Returns its version.

        Raises Precondition: then everything goes on.
        """
        engine, account = self._supervisor.engine, self._supervisor.other_account
        if engine.world.records.draining:
            raise Precondition("cannot upgrade: the supervisor is shutting down")
        if engine.store_error:
            raise Precondition(f"cannot upgrade: records cannot be written: {engine.store_error}")
        if self._under_way:
            raise Precondition("cannot upgrade: another upgrade is under way")
        self._under_way = True
        try:
            if account is not None:
                await prepare.check_files(account.name)
            version = await prepare.checked_version(self._supervisor.state.database)
        except BaseException:
            self._under_way = False
            raise
        self._supervisor.lifecycle.end_for(self)
        return version

    async def pack(self) -> None:
        """Answer what was asked, and gather what must stay open. The engine still runs meanwhile."""
        supervisor = self._supervisor
        assert supervisor.settings.api is not None
        supervisor.service_manager.upgrading()
        sockets = ListeningFds() if supervisor.sockets is None else supervisor.sockets.keep()
        released = None if self._server is None else await self._server.release_connections()
        lock, name = supervisor.state.keep()
        self.carried = Carried(
            version=__version__,
            began_s=clock.now().mono_s,
            lock=lock,
            name=name,
            listen=repr(supervisor.settings.api.listen),
            unix=sockets.unix,
            tcp=sockets.tcp,
            connections=released.idle if released else (),
            calls=tuple(released.begun) if released else (),
            requests=held_requests(released.begun) if released and released.begun else None,
        )
