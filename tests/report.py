"""Tests whose names are sentences.

The lines are those of report.sh: `plan N`, then for each test `ok - sentence`, `not ok - sentence` with what went wrong, or
`left out - sentence: why`, and at the end `N passed, N failed`. `run` gives the exit status. A test that takes longer
than its time fails.
"""

import signal
import sys
import time
import traceback

TESTS = []


class LeftOut(Exception):
    """This machine does not allow the test; the text says why."""


class TimeOver(Exception):
    """Not an OSError: nothing may take it for a failed system call."""


def test(sentence, seconds=60, slow=False):
    """Register a function as the proof of `sentence`. One that is slow runs only where slow ones are asked for."""
    def register(function):
        TESTS.append((sentence, seconds, slow, function))
        return function
    return register


def equal(got, expected, about=""):
    """Like assert, with both sides in the diagnostics."""
    if got != expected:
        raise AssertionError("%s\n  got      %r\n  expected %r" % (about, got, expected))


def within(seconds, condition, about):
    """Wait until `condition` gives something true, and give that."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError("not within %g s: %s" % (seconds, about))
        time.sleep(0.02)


def _over(_signal, _frame):
    raise TimeOver("it took too long")


def run(only="", slow=False):
    """Run the tests whose sentence contains `only`, with `slow` the slow ones too; gives the exit status."""
    passed = failed = 0
    signal.signal(signal.SIGALRM, _over)
    chosen = [test for test in TESTS if only in test[0] and (slow or not test[2])]
    print("plan %d" % len(chosen), flush=True)
    for sentence, seconds, _, function in chosen:
        signal.alarm(seconds)
        try:
            function()
        except LeftOut as why:
            signal.alarm(0)
            print("left out - %s: %s" % (sentence, why), flush=True)
        except Exception:
            signal.alarm(0)
            failed += 1
            print("not ok - %s" % sentence, flush=True)
            for line in traceback.format_exc().splitlines()[-100:]:
                print("    " + line[:2000], flush=True)
        else:
            signal.alarm(0)
            passed += 1
            print("ok - %s" % sentence, flush=True)
    print("%d passed, %d failed" % (passed, failed), flush=True)
    sys.stdout.flush()
    return 1 if failed else 0
