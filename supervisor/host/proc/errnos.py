"""What the numbers of OSError mean to us.

A module of its own: a supervisor of an earlier version imports `childprocess` in the middle of an upgrade, when its
files were replaced, and has the other modules of this folder as they were.
"""

from __future__ import annotations

import errno

PASSING = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
"""What the machine says when it is short of something, which may be over in a moment."""
