"""What a process that outlives the supervisor sets back of what it has inherited from it; standard library only."""

from __future__ import annotations


def put_right(word: str) -> None:
    """Set back what the supervisor changed about itself before it started us: `nofile=1024`, see `inheritance`."""
    what, _, value = word.partition("=")
    if what == "nofile":
        import resource

        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(value), hard))
    elif what == "oom":
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(value)
