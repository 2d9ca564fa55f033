#!/usr/bin/env python3
"""What the scenarios that inject something stand on: what hangs is ended and says where; what a program starts is let go.

    hung.py    needs strace
"""

import os
import tempfile
import time

import injected
from steps import or_left_out
from world import check, finish

SHELL = ["sh", "-c", "cat /dev/null || exit 9; exit 7"]


def hung(log):
    """What is said of a program that is stopped and not let go on; and how long that took."""
    begun = time.monotonic()
    try:
        injected.run(["sleep", "60"], "clock_nanosleep", 1, "signal=STOP", log)
    except injected.Hung as why:
        return str(why), time.monotonic() - begun
    return "", 0


or_left_out("injected")
injected.LIMIT = 3
with tempfile.TemporaryDirectory(prefix="authalert-hung-") as base:
    log = os.path.join(base, "log")
    said, took = hung(log)
    check(3 <= took < 60, "a program that is stopped and not let go on is ended at the limit", "%.1f s" % took)
    check("clock_nanosleep 1 (signal=STOP)" in said and "--- stopped by SIGSTOP ---" in said and "(sleep) " in said,
          "it says at which step, what strace saw last, and which processes there were", said)
    injected.LIMIT = 60
    own = sum(name == "openat" for _, name, _ in injected.calls_of(SHELL, "openat", log))
    child = sum(name == "openat" for _, name, _ in injected.calls_of(["cat", "/dev/null"], "openat", log))
    # Were the child counted too, it would be the one to be killed.
    status = injected.run(SHELL, "openat", own + 1, "signal=KILL", log).returncode
    check(own < child and status == 7, "what a program starts comes to no harm", "%d of %d opened, status %d" % (own, child, status))
finish()
