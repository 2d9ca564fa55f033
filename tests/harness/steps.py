#!/usr/bin/env python3
"""A delivery pass killed before every system call that others can see, one kill a run, or that call failing: whatever the
pass was about to do, the counters add up at once, and the passes after it tell each failure exactly once.

    steps.py [--every N] [--only NAME] [--error ENOSPC]    needs strace; kills at every Nth call, or makes it fail
"""

import argparse
import concurrent.futures
import os
import shutil
import subprocess
import tempfile
import time

import injected
from world import World, X, balanced, check, finish

# What changes files, talks to X or takes a lock, and the opening of what is read.
CALLS = ("openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,ftruncate,mkdir,"
         "chmod,fchmod,fcntl,flock,connect,sendto,recvfrom,close")


class State:
    """A state directory before a pass, how X behaves in it, and what has to come out. `undecided`: from the moment at which
    it is noted that the alert is going out until it has gone out, nobody can know whether X had it."""

    def __init__(self, name, base, make, answers=(), undecided=False, break_ins=0, **settings):
        self.name, self.answers, self.undecided = name, answers, undecided
        self.directory = os.path.join(base, name)
        self.settings, self.break_ins = settings, break_ins
        world = World(X(os.path.join(base, name + "-x")), self.directory, **settings)
        make(world)
        self.texts = world.x.posts()
        self.journal = world.journal()
        self.status = world.status()
        assert sum(self.journal.values()) == self.status["recorded"], (self.journal, self.status)

    def copy(self, base, x):
        directory = os.path.join(base, "run")
        shutil.rmtree(directory, ignore_errors=True)
        subprocess.run(["cp", "-a", self.directory, directory], check=True)
        x.fresh(self.texts)
        x.answer(*[dict(a) for a in self.answers])
        return World(x, directory, **self.settings)


def first_alert(world):
    world.append(12)


def ambiguous(world):
    world.append(12)
    world.x.answer({"post": True, "close": "request"})
    assert world.deliver().returncode == 1 and len(world.x.posts()) == 1
    world.append(5, 100)


def unheard(world):
    world.append(12)
    world.x.answer({"close": "request"})
    assert world.deliver().returncode == 1 and not world.x.posts()
    world.append(5, 100)


def rotation(world):
    world.append(30)
    world.x.answer()
    world.deliver()
    time.sleep(1.1)
    world.append(110, 100)


def retention(world):
    """A sealed segment that is old, read, and to which a slow writer appended more."""
    world.append(110)
    journal = os.path.join(world.state, "journal")
    with open(os.path.join(journal, "current.jsonl"), "rb") as file:
        late = file.read().splitlines(True)[-1]
    world.x.answer()
    world.deliver()
    sealed = [n for n in os.listdir(journal) if n.endswith(".jsonl") and n != "current.jsonl"]
    assert len(sealed) == 1, sealed
    path = os.path.join(journal, sealed[0])
    with open(path, "ab") as file:
        file.write(late * 3)
    os.utime(path, (time.time() - 86400, time.time() - 86400))
    world.configure(keep="1h")
    world.append(5, 300)


def put_aside(world):
    """Records that could not be appended: each is the text of a link."""
    world.append(12)
    journal = os.path.join(world.state, "journal")
    with open(os.path.join(journal, "current.jsonl"), "rb") as file:
        lines = file.read().splitlines(True)
    with open(os.path.join(journal, "current.jsonl"), "wb") as file:
        file.writelines(lines[:-5])
    for i, line in enumerate(lines[-5:]):
        os.symlink(line.rstrip(b"\n"), os.path.join(journal, "aside-%03d" % i).encode())


def break_in(world):
    """After failures of others, an alert of which nobody knows whether it arrived, and as many again."""
    ambiguous(world)
    world.append(9, 200, source="203.0.113.9")


def break_in_unheard(world):
    """X took nothing of it yet."""
    world.append(12)
    world.append(9, 200, source="203.0.113.9")
    world.x.answer({"close": "request"}, {"close": "request"})
    world.deliver()


def two_break_ins(world):
    """One that was told, and another of the same account when the first had been seen."""
    world.append(9, 200, source="203.0.113.9")
    world.x.answer()
    world.deliver()
    assert world.x.break_ins() == 1, world.x.posts()
    world.append(9, 300, source="198.18.0.9")


def states(base):
    return [
        State("first-alert", base, first_alert),
        State("retry-after-ambiguous", base, ambiguous),
        State("retry-unheard", base, unheard),
        State("refused-text", base, first_alert, answers=[{"name": "invalid-request"}]),
        # X takes the text for another's: only where the pass is killed as it sends, that looks as if X had it.
        State("called-a-duplicate", base, first_alert, answers=[{"name": "duplicate"}], undecided=True),
        State("accepted-and-cut-off", base, first_alert, answers=[{"post": True, "close": "answer"}]),
        State("put-aside", base, put_aside),
        State("break-in", base, break_in, break_ins=1),
        State("break-in-unheard", base, break_in_unheard, break_ins=1),
        State("break-in-after-another", base, two_break_ins, break_ins=2),
        State("rotation", base, rotation, max_size="64K"),
        State("retention", base, retention, max_size="64K", keep="1h"),
    ]


def points(state, base, x):
    """The calls of a whole pass from the moment it turns to the state directory, as (name, number): those of the thread
    that serves X in order, then those of the others. strace counts by thread, and kills at whichever comes first."""
    world = state.copy(base, x)
    found, others, numbers, first, begun = [], [], {}, None, False
    for thread, name, line in injected.calls_of(world.command("deliver", "--now"), CALLS, os.path.join(base, "strace")):
        first = first or thread
        numbers[thread, name] = numbers.get((thread, name), 0) + 1
        begun = begun or world.state in line
        if begun:
            (found if thread == first else others).append((name, numbers[thread, name]))
    return found + [point for point in dict.fromkeys(others) if point not in found]


# A pass may take a step less than the one that was looked at.
unkilled = []


def one(state, point, error, base, x):
    """Kill a pass at `point`, or let that call fail with `error`; what is wrong afterwards, or nothing."""
    name, number = point
    world = state.copy(base, x)
    try:
        run = injected.run(world.command("deliver", "--now"), name, number, "error=" + error if error else "signal=KILL",
                           os.path.join(base, "strace"))
    except injected.Hung as why:
        return str(why)
    if not error and run.returncode == 0:
        unkilled.append(point)
    if error and (run.returncode not in (0, 1) or "panicked" in run.stderr):
        return "crashed: %d, %s" % (run.returncode, run.stderr[-300:])
    total = sum(state.journal.values())
    status = world.status()
    if not balanced(status) or status["recorded"] != total:
        return "after the kill: %s" % status
    status = world.deliver_all(40)
    if status["pending"]:
        return "still pending: %s; %s" % (status, world.last.stderr)
    if any(status[kind] != state.journal[kind] for kind in state.journal) or status["unreadable"]:
        return "counted wrong: %s, not %s" % (status, state.journal)
    if x.told() != state.journal["posted"]:
        return "told %d of %d: %s" % (x.told(), state.journal["posted"], x.posts())
    if x.break_ins() != state.break_ins:
        return "told of %d break-ins, not %d: %s" % (x.break_ins(), state.break_ins, x.posts())
    for told in (world.timeline(), world.sent()):
        if sum(entry["kind"] == "break-in" for entry in told) != state.break_ins:
            return "a history has not all break-ins: %s" % told
        ids = [entry["id"] for entry in told]
        if len(set(ids)) != len(ids) or sum(entry["failures"] for entry in told) != state.journal["posted"]:
            return "a history has an alert twice or not: %s" % told
    left = [n for place in (world.state, os.path.join(world.state, "receivers")) for n in os.listdir(place)
            if n.endswith(".damaged")]
    return "set aside: %s" % left if left else ""


def faulty(chosen, pool, spots, one):
    """What is wrong at which of the chosen points; each is tried in a spot that is free."""
    free = list(spots)

    def at(point):
        spot = free.pop()
        try:
            return one(point, spot)
        finally:
            free.append(spot)

    return [(point, result) for point, result in zip(chosen, pool.map(at, chosen)) if result]


def or_left_out(scenario):
    """End here, and say so, where nothing can be injected."""
    why = injected.why_not()
    if why:
        print("left out - %s: %s" % (scenario, why))
        finish()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only")
    parser.add_argument("--error", help="let the call fail with this errno, by name, instead of killing the pass")
    options = parser.parse_args()
    or_left_out("steps")
    base = tempfile.mkdtemp(prefix="authalert-steps-")
    workers = 3
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    spots = [(os.path.join(base, "w%d" % i), X(os.path.join(base, "w%d" % i, "x"))) for i in range(workers)]
    begun = time.monotonic()
    for state in states(base):
        if options.only and options.only != state.name:
            continue
        found = points(state, *spots[0])
        if options.error:
            # What Linux closes is closed, whatever close says.
            found = [point for point in found if point[0] != "close"]
        chosen = found[::options.every]

        wrong = faulty(chosen, pool, spots, lambda point, spot: one(state, point, options.error, *spot))
        if state.undecided and not options.error:
            calls = [name for name, _ in found]
            sent = calls.index("recvfrom") - calls[calls.index("recvfrom")::-1].index("sendto")
            noted = sent - calls[sent::-1].index("ftruncate")
            wrong = [w for w in wrong if not noted <= found.index(w[0]) <= sent]
            check("connect" not in calls[noted:sent], "that is noted when there is a connection, not before", str(calls[noted:sent]))
        if state.undecided and options.error:
            # A request that breaks off while it is sent may have been heard, as far as we can know.
            wrong = [w for w in wrong if w[0][0] != "sendto"]
        check(len(unkilled) <= len(chosen) / 10 + 1, "%s: the passes were killed" % state.name, str(unkilled))
        unkilled.clear()
        did = "%s at" % options.error if options.error else "killed at"
        check(len(chosen) > 10 and not wrong, "%s: %s %d of %d steps, told once each time"
              % (state.name, did, len(chosen), len(found)), "%d wrong, first: %s" % (len(wrong), wrong[:2]))
    print("# %d s" % (time.monotonic() - begun))
    import world
    if not world.failed:
        shutil.rmtree(base, ignore_errors=True)
    finish()


if __name__ == "__main__":
    main()
