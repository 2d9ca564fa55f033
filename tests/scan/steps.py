"""A scan killed before every system call that others can see, one kill a run; the passes after it count every attempt once."""

import collections
import concurrent.futures
import gzip
import os
import shutil
import subprocess

import injected
from report import LeftOut, test
from state import State, attempts, different, module_record

EVERY = int(os.environ.get("STEPS_EVERY", "4"))
# What changes files, takes a lock, reads what is known or learns of files; see tests/harness/steps.py.
CALLS = ("openat,read,pread64,getdents64,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,"
         "unlinkat,ftruncate,mkdir,fchmod,flock,close")


def write(path, lines):
    with open(path, "a") as file:
        file.writelines(lines)


def processes(first, last):
    """Attempts of several processes, in turn, and how many there are of each."""
    expected = collections.Counter({pid: 1 + pid % 3 for pid in range(first, last)})
    lines = [line for pid, count in expected.items() for line in attempts(pid, count)]
    # Half of them: the others follow in a later part of the log.
    half = [line for i, line in enumerate(lines) if i % 2 == 0 or i < len(lines) // 2]
    return half, [line for line in lines if line not in half], expected


def from_start(state):
    first, second, expected = processes(100, 130)
    write(state.log, first + second)
    return expected, ["--from-start"]


def rotated(state):
    """Half read, then rotated twice, the older one compressed; half a line at the end."""
    write(state.log, ["2026-01-05T00:00:00+00:00 srv cron[1]: first\n"])
    state.passed()
    first, second, expected = processes(100, 120)
    write(state.log, first)
    state.passed()
    write(state.log, second[:5])
    with open(state.log, "rb") as old, gzip.open(state.log + ".2.gz", "wb") as new:
        new.write(old.read())
    os.unlink(state.log)
    write(state.log + ".1", second[5:-3])
    write(state.log, second[-3:] + attempts(200) + [attempts(201)[0][:40]])
    return expected + collections.Counter({200: 1}), []


def two_logs(state):
    for log in state.logs:
        write(log, ["2026-01-05T00:00:00+00:00 srv cron[1]: %s\n" % log])
    state.passed()
    first, second, expected = processes(100, 115)
    write(state.logs[0], first + second)
    write(state.logs[1], first)
    return expected, []


def with_module(state):
    """The module recorded some of it; one line of a process comes in a later pass."""
    write(state.log, ["2026-01-05T00:00:00+00:00 srv cron[1]: first\n"])
    state.passed()
    expected = collections.Counter()
    for pid in range(100, 120):
        count = expected[pid] = 1 + pid % 3
        write(state.log, attempts(pid, count)[:1 + pid % 2])
        for _ in range(count if pid % 4 else 1):
            module_record(state, pid)
    state.passed()
    for pid in range(100, 120):
        write(state.log, attempts(pid, expected[pid])[1 + pid % 2:])
    return expected, []


def points(state, words):
    """The calls of a pass from the moment it turns to the state directory until the place is saved."""
    calls = injected.calls_of(state.command("scan", *words), CALLS, os.path.join(state.base, "strace"))
    last = max(i for i, (_, _, line) in enumerate(calls) if "scan.json" in line)
    found, numbers, begun = [], collections.Counter(), False
    for _, name, line in calls[:last + 4]:
        numbers[name] += 1
        begun = begun or state.state in line
        if begun:
            found.append((name, numbers[name]))
    return found


def killed_at_every_step(make, logs=("auth.log",)):
    why = injected.why_not()
    if why:
        raise LeftOut(why)
    origin = State(logs)
    expected, words = make(origin)

    def copy(name):
        # The same path for all: a log is known by its name.
        base = os.path.join(origin.base, name)
        os.mkdir(base)
        for entry in os.listdir(origin.base):
            if not entry.startswith("run-"):
                subprocess.run(["cp", "-a", os.path.join(origin.base, entry), base], check=True)
        return base

    # Each run in a mount of its own would need root; so the state is copied, and the logs, which nobody changes, are shared.
    def one(number_and_point):
        number, (name, times) = number_and_point
        run = State(logs, copy("run-%d" % number))
        run.logs = origin.logs
        shutil.copy(origin.config, run.config)
        try:
            killed = injected.run(run.command("scan", *words), name, times, "signal=KILL", os.path.join(run.base, "strace"))
        except injected.Hung as why:
            return "at %s %d: %s" % (name, times, why)
        problem = "it was not killed" if killed.returncode == 0 else ""
        for _ in range(2):
            run.passed(*words)
        problem = problem or different(run.counts(), expected)
        if not problem and not run.balanced():
            problem = repr(run.status())
        shutil.rmtree(run.base)
        return problem and "at %s %d: %s" % (name, times, problem)

    base = copy("run-probe")
    probe = State(logs, base)
    shutil.copy(origin.config, probe.config)
    found = points(probe, words)
    shutil.rmtree(base)
    chosen = list(enumerate(found))[::EVERY]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        wrong = [problem for problem in pool.map(one, chosen) if problem]
    print("    killed at %d of %d steps" % (len(chosen), len(found)), flush=True)
    assert len(chosen) > 10 and not wrong, "%d wrong\n%s\nkept in %s" % (len(wrong), "\n".join(wrong[:5]), origin.base)
    origin.remove()


@test("a first pass over a log, killed at every step, counts every attempt once", seconds=1200)
def first_pass():
    killed_at_every_step(from_start)


@test("a pass over a log that was rotated and compressed, killed at every step, counts every attempt once", seconds=1200)
def rotated_log():
    killed_at_every_step(rotated)


@test("a pass over two logs that tell the same, killed at every step, counts every attempt once", seconds=1200)
def twin_logs():
    killed_at_every_step(two_logs, ("auth.log", "syslog"))


@test("a pass over what the module recorded in part, killed at every step, counts every attempt once", seconds=1200)
def module_too():
    killed_at_every_step(with_module)
