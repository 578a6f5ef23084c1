"""Activity: what keeps the environment awake, and telling the management plane of it.

    sources    reports, ssh, keepalive, executions   what each of them sees, as sightings
    decisions  sighting, heartbeat, verdict          one state machine, without clock and chance
    edge       activity, sources, pulse, client      the loop, and the call that tells the plane

Services, open ports, CPU time and changed files are no activity. Source: contract/api.md, Heartbeats.
"""
