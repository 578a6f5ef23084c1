"""What is right and wrong with the machine: the endpoints that must be reachable, and the machine itself.

endpoints.yaml   the endpoints, as data; `listing` reads such a file, `target` fills in region and account
finding          what a check comes to, and `seen`, what was observed of one endpoint
resolve, dial, proxy, tls, exchange, udp, certificate
                 the steps of an attempt, one module a kind; `attempt` takes them in their order
kernel, cgroup, inotify, disk, programs
                 the machine itself
verdict          pure: from what was observed to findings
examine          everything side by side, within a time
"""
