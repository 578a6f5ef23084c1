"""The real command line, with a wall clock that can be set: `skewed.py FILE [ARGUMENT]...`

FILE holds by how many seconds its wall clock is wrong; it is read at every look at the clock. A test cannot set the
machine's clock, and a time namespace has none of its own: time_namespaces(7).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from supervisor.cli import main

if __name__ == "__main__":
    offset = Path(sys.argv[1])
    sys.argv[:] = ["supervisor", *sys.argv[2:]]
    right = time.time
    time.time = lambda: right() + float(offset.read_text() or 0)
    sys.exit(main())
