"""Activity: what keeps the environment awake, and the heartbeat that reports it to the management plane.

    sources    sources, ssh_sessions, keep_alive   what each of them sees, as sightings
    decisions  sighting, heartbeat, plane          one state machine, without clock and chance
    edge       activity, reporter, plane_client    the loop, and the call to the plane

Services, open ports, CPU time and changed files are not activity. Source: contract/api.md, Heartbeats.
"""
