"""Activity in a line or two, for `supervisor activity` and `supervisor status`."""

from __future__ import annotations

from supervisor.cli.remote.client import Json
from supervisor.cli.terminal.tables import duration, local_time


def summary(activity: Json) -> str:
    """What keeps the environment awake, since when."""
    if not activity["awake"]:
        return last(activity)
    names = ", ".join(dict.fromkeys(seen["source"] for seen in activity["sources"]))
    return f"{names}, since {local_time(activity['since'])}"


def last(activity: Json) -> str:
    """That nothing does, and what did last."""
    seen = activity["last"]
    before = f"; last was {seen['source']} at {local_time(seen['at'])}" if seen else ""
    return f"nothing is active{before}"


def last_signal(heartbeat: Json | None) -> str:
    """What became of the last signal; empty: there was none."""
    if not heartbeat or not heartbeat["signals"]:
        return ""
    sent = heartbeat["signals"][0]
    why = f" ({sent['why']})" if sent["why"] else ""
    return f"last signal at {local_time(sent['at'])} {sent['outcome']}{why}"


def beat(heartbeat: Json | None) -> str:
    """Whom the supervisor tells, and when next."""
    if heartbeat is None:
        return "none: no management plane is configured, so nobody is told"
    interval = duration(heartbeat["intervalSeconds"]).removesuffix(" 0 s")
    every = f"every {interval} to {heartbeat['url']}"
    match heartbeat["state"]:
        case "sending":
            return f"{every}; a signal is under way"
        case "refused":
            return f"{every}; stopped: {heartbeat['why']}"
        case "waiting":
            tried = "tried again" if heartbeat["failures"] else "next"
            return f"{every}; {tried} at {local_time(heartbeat['due'])}"
        case _:
            return f"{every}; next when something is active"
