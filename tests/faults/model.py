"""What must be true of the services and executions of a storm, whatever happens to those who look after them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Life:
    """One service, as it must be."""

    up: bool = False
    """Whether it was last asked to run, and nothing ended it since."""
    ends: set[str] = field(default_factory=set)
    """The reasons that it may give for having FAILED; empty: it is up, or STOPPED."""
    starts: int = 0
    """How often it may have been started; a start that was followed by a stop at once may not have come to anything."""
    blind: bool = False
    """Whether the shim that holds it was lost: then nobody may know how it ends."""
    cramped: bool = False
    """Whether it was asked to stop while the disk was full: then its stop command may have had no room to start."""
    version: int = 0

    def start(self) -> None:
        """It was asked to run: something that runs is left alone."""
        if not self.up:
            self.start_anew()

    def start_anew(self) -> None:
        """It was asked to run again, whether it runs or not."""
        self.up, self.ends, self.blind, self.cramped = True, set(), False, False
        self.starts += 1

    def stop(self) -> None:
        """It was asked not to run; one that has failed stays so."""
        self.up = False

    def killed(self, reason: str) -> None:
        """Its main process was ended from outside."""
        self.up = False
        self.ends = {reason, "ended, exit status unknown"} if self.blind else {reason}

    def may_fail_to_stop(self, reason: str) -> bool:
        """Whether its stop command may have given this reason."""
        lost = self.blind and reason == "stop command ended, exit status unknown"
        return lost or (self.cramped and "no space left on device" in reason)

    @property
    def phase(self) -> str:
        """The phase that it must come to."""
        return "running" if self.up else "failed" if self.ends else "stopped"


@dataclass
class World:
    """All of it."""

    services: dict[str, Life] = field(default_factory=dict)
    executions: dict[str, set[str]] = field(default_factory=dict)
    """`{execution id: the phases that it may come to}`"""
    running: set[str] = field(default_factory=set)
    """The executions that go on until somebody stops them."""

    def blinded(self) -> None:
        """The shim was lost: how whatever lives now will end may remain unknown."""
        for life in self.services.values():
            life.blind = True
        for id_, phases in self.executions.items():
            if id_ not in self.running:
                phases.add("failed")
