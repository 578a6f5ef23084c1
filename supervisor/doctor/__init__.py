"""What is right and wrong with the machine: the endpoints that it must reach, and the machine itself.

endpoints.yaml   the endpoints, as data; `endpoint_list` reads such a file
machine_checks   the machine itself: disk, kernel, cgroup, inotify; `programs`: the shell, git, docker
network          an attempt at one endpoint, and what its result means
findings         the result of a check
examine          runs all checks side by side, each within a time limit
"""
