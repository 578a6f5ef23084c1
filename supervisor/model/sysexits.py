"""The exit statuses of the command `supervisor`, each with its meaning.

Those below 64 are the project's own; 70 and 75 are EX_SOFTWARE and EX_TEMPFAIL of sysexits.h; from 125 on they are what
shells report: 128 + N for signal N. `run-task` exits with its task's exit code, which may be any.
"""

from __future__ import annotations

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_RUNNING = 3
EXIT_IN_USE = 4
EXIT_BUG = 70
EXIT_DETACHED = 75
EXIT_UNKNOWN = 125
EXIT_NOT_STARTED = 126
EXIT_NOT_FOUND = 127
EXIT_INTERRUPTED = 130
EXIT_READER_GONE = 141
EXIT_TERMINATED = 143

MEANINGS = {
    0: "It was done. `run`: it was asked to end (SIGTERM, `supervisor shutdown`), or all of its work succeeded. "
    "`validate`: the file is valid. `doctor`: no required check failed.",
    EXIT_FAILED: "It was not done, and standard error says why. `run --exit-when-done`, a prebuild: a task or service "
    "failed. `run`: what it keeps was taken away, and could not be made again. "
    "`validate`: the file is invalid. `doctor`: something required failed.",
    EXIT_USAGE: "Wrong usage, or a setting that cannot be used. Nothing was started.",
    EXIT_NOT_RUNNING: "No supervisor is running.",
    EXIT_IN_USE: "`run`: another supervisor holds this workspace, and goes on.",
    EXIT_BUG: "`run`: the supervisor has a bug and ended. What it ran goes on, and the next start takes it over.",
    EXIT_DETACHED: "`run`: it was detached. What it ran goes on for the next supervisor, which must be started.",
    EXIT_UNKNOWN: "`run-task`: the exit status of the task's process is unknown.",
    EXIT_NOT_STARTED: "`run-task`: the task's process could not be started. `keep-alive --while`: the command "
    "cannot be executed.",
    EXIT_NOT_FOUND: "`keep-alive --while`: there is no such command. `run-task`: the task's shell reports the same.",
    EXIT_INTERRUPTED: "Ctrl-C ended it. `run-task`: the execution was stopped.",
    EXIT_READER_GONE: "The reader of its output has gone away.",
    EXIT_TERMINATED: "`run --exit-when-done`, a prebuild: SIGTERM cut it off.",
}
"""`{status: meaning}`, in Markdown."""
