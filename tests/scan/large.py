"""Logs so large that two threads read them, by passes that are killed, and emptied meanwhile."""

import collections
import os
import random
import signal
import subprocess
import time

from report import test
from state import State, attempts, different, stamp

SEED = int(os.environ.get("LARGE_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
BYTES = 24 << 20
KILLS = 20
EMPTIED = 60


def text(first, count, size):
    """A log of `size` bytes with `count` processes that failed once, numbered from `first`."""
    filler = "%s srv CRON[%%d]: pam_unix(cron:session): session %%s for user root(uid=0) by (uid=0)%s\n"
    filler %= stamp(), " " * 80
    every = size // count
    lines, written = [], 0
    for pid in range(first, first + count):
        while written < (pid - first) * every:
            line = filler % (written % 30000, "opened" if written % 2 else "closed")
            lines.append(line)
            written += len(line)
        told = "".join(attempts(pid))
        lines.append(told)
        written += len(told)
    return "".join(lines).encode()


def write(path, data, flags=0):
    file = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o640)
    os.write(file, data)
    os.close(file)


def begun(state, dice):
    """A pass, some moment after it was begun."""
    scan = subprocess.Popen(state.command("scan", "--from-start"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(dice.random() * 0.04)
    return scan


@test("a log of 24 MB, read by passes that are killed while it grows: each attempt once")
def killed():
    dice = random.Random(SEED)
    state = State()
    write(state.log, text(1, 2000, BYTES))
    expected = collections.Counter(range(1, 2001))
    for pid in range(2001, 2001 + KILLS):
        scan = begun(state, dice)
        write(state.log, "".join(attempts(pid)).encode(), os.O_APPEND)
        expected[pid] = 1
        scan.kill()
        scan.wait()
    state.passed("--from-start")
    wrong = different(state.counts(), expected)
    if wrong or not state.balanced():
        raise AssertionError("%s (LARGE_SEED=%d)" % (wrong or "the sums do not agree", SEED))
    state.remove()


@test("a log of 24 MB, emptied and written anew while it is read: nothing twice, and all of the new one")
def emptied():
    dice = random.Random(SEED)
    old, new = text(1, 500, BYTES), [text(1001, 400, size) for size in (1 << 16, 9 << 20, BYTES)]
    for number in range(EMPTIED):
        state = State()
        write(state.log, old)
        scan = begun(state, dice)
        # It stands still meanwhile, or the moment between two of its reads would hardly ever be met.
        scan.send_signal(signal.SIGSTOP)
        write(state.log, dice.choice(new), os.O_TRUNC)
        scan.send_signal(signal.SIGCONT)
        scan.wait()
        state.passed("--from-start")
        counts = state.counts()
        wrong = different(collections.Counter({pid: n for pid, n in counts.items() if pid > 1000}),
                          collections.Counter(range(1001, 1401)))
        twice = {pid: n for pid, n in counts.items() if n > 1 or not 0 < pid < 1401}
        if wrong or twice or not state.balanced():
            raise AssertionError("round %d: %s, twice %r (LARGE_SEED=%d)" % (number, wrong, twice, SEED))
        state.remove()
