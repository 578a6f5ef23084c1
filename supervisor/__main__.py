"""`python -m supervisor` and `bin/supervisor`: the command line."""

import sys

from supervisor.cli import main

if __name__ == "__main__":
    # The usage lines show the name that people type, and not this file's.
    sys.argv[0] = "supervisor"
    sys.exit(main())
