"""A program at one of its system calls: killed, stopped, or told that the call failed; by strace's injection.

Only the program itself is looked at, all its threads: what it starts (journalctl and getent, where a machine has them) is let
go, lest its calls be counted as the program's own. Each has a session of its own, so that a signal reaches all of it.
"""

import glob
import os
import re
import shutil
import signal
import subprocess
import time

# Seconds after which a program hangs, on a busy machine too.
LIMIT = 120


class Hung(Exception):
    """It did not end; the text says where, and what strace saw last."""


def why_not():
    """Why nothing can be injected here; nothing if it can."""
    if not shutil.which("strace"):
        return "strace is not installed"
    probe = subprocess.run(["strace", "-f", "-qq", "-b", "execve", "-o", "/dev/null", "true"], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=60)
    return "" if probe.returncode == 0 else "strace may not trace here: %s" % probe.stderr.strip()[-200:]


def calls_of(command, calls, log):
    """The calls of a run that is left alone, as (thread, name, line)."""
    with Traced(command, ["trace=" + calls, "signal=none"], log, "the run that is looked at") as run:
        run.end()
    with open(log) as file:
        found = [(re.match(r"(\d+) +([a-z0-9_]+)\(", line), line) for line in file]
    return [(*match.groups(), line) for match, line in found if match]


def run(command, name, number, how, log):
    """A run with which something is done at the `number`-th call `name` of a thread: `signal=KILL`, `error=ENOSPC`."""
    with at(command, name, number, how, log) as traced:
        return traced.end()


def at(command, name, number, how, log):
    return Traced(command, ["trace=" + name, "inject=%s:%s:when=%d" % (name, how, number)], log,
                  "%s %d (%s)" % (name, number, how))


class Traced:
    """A run under strace; it does not outlive the block."""

    def __init__(self, command, expressions, log, step):
        self.log, self.step, self.deadline = log, step, time.monotonic() + LIMIT
        options = [word for expression in expressions for word in ("-e", expression)]
        self.process = subprocess.Popen(["strace", "-f", "-qq", "-b", "execve", "-o", log, *options, *command], text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate()

    def end(self):
        """How it ended."""
        return self.wait(self.deadline - time.monotonic()) or self.hung("end")

    def is_stopped(self):
        """Wait until it is stopped; whether it was, or ended before."""
        while True:
            # Looked at after it may have ended: what it wrote before is seen.
            ended = self.process.poll() is not None
            if any("--- stopped by SIGSTOP ---" in line for line in self.seen()):
                return True
            if ended:
                return False
            if time.monotonic() > self.deadline:
                self.hung("stop")
            time.sleep(.002)

    def go_on(self):
        """Let it go on, as often as it is stopped: each thread that comes to the call stops it. How it ended."""
        while time.monotonic() < self.deadline:
            # Once it was waited for, its number may be another's.
            if self.process.returncode is None:
                os.killpg(self.process.pid, signal.SIGCONT)
            done = self.wait(.05)
            if done:
                return done
        return self.hung("end")

    def wait(self, seconds):
        try:
            output, error = self.process.communicate(timeout=max(seconds, 0))
        except subprocess.TimeoutExpired:
            return None
        return subprocess.CompletedProcess(self.process.args, self.process.returncode, output, error)

    def hung(self, awaited):
        raise Hung("it did not %s within %d s, at %s; strace's last lines:\n%s\nits processes:\n%s"
                   % (awaited, LIMIT, self.step, "".join(self.seen()[-12:]), self.processes()))

    def seen(self):
        try:
            with open(self.log) as file:
                return file.readlines()
        except FileNotFoundError:
            return []

    def processes(self):
        """Of its session: number and name, state, parent, where in the kernel it waits."""
        found = []
        for place in glob.glob("/proc/[0-9]*"):
            try:
                with open(place + "/stat") as stat, open(place + "/wchan") as wchan:
                    name, _, rest = stat.read().rpartition(") ")
                    state, parent, _, session = rest.split()[:4]
                    if int(session) == self.process.pid:
                        found.append("%s) %s, of %s, in %s" % (name, state, parent, wchan.read()))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                pass
        return "\n".join(found)
