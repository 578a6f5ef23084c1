"""Where the worker of the workspace starts: a script that is executed by its path, with the number of its socket."""

import sys

sys.path.append(__file__.rpartition("/supervisor/")[0])

from supervisor.workspace.worker import main

main(int(sys.argv[1]))
