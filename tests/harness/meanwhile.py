#!/usr/bin/env python3
"""A pass stopped after every system call that others can see, and somebody's hands in the state directory before it goes
on: a segment deleted, cut or replaced, the journal moved away, a state file deleted. The pass may say that it could not; the
passes after it count and tell each failure once that was not itself destroyed, and those that come later.

    meanwhile.py [--every N] [--only DEED] [--state NAME]    needs strace
"""

import argparse
import concurrent.futures
import os
import shutil
import tempfile
import time

import injected
import steps
from world import X, balanced, check, expected, finish


def current(world):
    return os.path.join(world.state, "journal", "current.jsonl")


def remove(*names):
    def deed(world):
        for name in names:
            path = os.path.join(world.state, name)
            if os.path.exists(path):
                os.unlink(path)
    return deed


def remove_sealed(world):
    for name in os.listdir(os.path.join(world.state, "journal")):
        if name.endswith(".jsonl") and name != "current.jsonl":
            os.unlink(os.path.join(world.state, "journal", name))


def cut(world):
    os.truncate(current(world), os.path.getsize(current(world)) // 2)


def empty(world):
    os.truncate(current(world), 0)


def replace(world):
    """As an editor saves it, or a backup puts it back: the same bytes in another file."""
    shutil.copy(current(world), os.path.join(world.base, "copy"))
    os.rename(os.path.join(world.base, "copy"), current(world))


def move(world):
    os.rename(os.path.join(world.state, "journal"), os.path.join(world.base, "journal-away"))


def move_and_make(world):
    """Moved by somebody who puts an empty one in its place."""
    move(world)
    os.mkdir(os.path.join(world.state, "journal"), 0o700)


def move_back(world):
    away, journal = os.path.join(world.base, "journal-away"), os.path.join(world.state, "journal")
    if os.path.exists(away):
        shutil.rmtree(journal, ignore_errors=True)
        os.rename(away, journal)


# What is done, and whether failures may be destroyed by it.
DEEDS = {
    "segment-deleted": (remove("journal/current.jsonl"), True),
    "sealed-segments-deleted": (remove_sealed, True),
    "segment-cut": (cut, True),
    "segment-emptied": (empty, True),
    "segment-replaced": (replace, False),
    "journal-away-and-back": (move, False),
    "other-journal-meanwhile": (move_and_make, False),
    "state-deleted": (remove("receivers/x.json"), False),
    "copy-deleted": (remove("receivers/x.json.bak"), False),
    "staged-deleted": (remove("receivers/x.json.next"), False),
    "timeline-deleted": (remove("timeline.jsonl"), False),
    "history-deleted": (remove("receivers/x.sent.jsonl"), False),
    "lock-deleted": (remove("receivers/x.lock"), False),
}


def stopped(world, name, number, log, deed):
    """A pass that is stopped after a call, and goes on after the deed; how it ended."""
    with injected.at(world.command("deliver", "--now"), name, number, "signal=STOP", log) as run:
        if run.is_stopped():
            deed(world)
        else:
            # A pass may take a step less than the one that was looked at.
            steps.unkilled.append((name, number))
        return run.go_on()


def one(state, point, deed, destroys, base, x):
    """Do it when the pass has come to `point`; what is wrong afterwards, or nothing."""
    world = state.copy(base, x)
    log = os.path.join(base, "log")
    if os.path.exists(log):
        os.unlink(log)
    try:
        run = stopped(world, *point, log, deed)
    except injected.Hung as why:
        return str(why)
    move_back(world)
    if run.returncode not in (0, 1) or "panicked" in run.stderr:
        return "crashed: %s, %s" % (run.returncode, run.stderr[-300:])
    world.append(12, 5000)
    later = expected(12, 5000)
    status, told = world.deliver_all(40), x.told()
    if not balanced(status) or status["pending"]:
        return "afterwards: %s; %s" % (status, world.last.stderr)
    if told != status["posted"]:
        return "told %d, counted %s: %s" % (told, status, x.posts())
    for kind, most in state.journal.items():
        least = later[kind] if destroys else most + later[kind]
        if not least <= status[kind] <= most + later[kind]:
            return "%s: %s of at most %d: %s" % (kind, status, most + later[kind], run.stderr[-300:])
    # What was counted before is counted, whatever is destroyed.
    if status["recorded"] < state.status["posted"] + sum(later.values()):
        return "forgotten: %s, before %s" % (status, state.status)
    if status["unreadable"] > (2 if destroys else 0):
        return "unreadable: %s" % status
    return ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only")
    parser.add_argument("--state")
    options = parser.parse_args()
    steps.or_left_out("meanwhile")
    base = tempfile.mkdtemp(prefix="authalert-meanwhile-")
    workers = 3
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    spots = [(os.path.join(base, "w%d" % i), X(os.path.join(base, "w%d" % i, "x"))) for i in range(workers)]
    states = [state for state in steps.states(base) if not state.undecided]
    begun = time.monotonic()
    for name, (deed, destroys) in DEEDS.items():
        if options.only and options.only != name:
            continue
        wrong, tried, steps_in_all = [], 0, 0
        for state in states:
            if options.state and options.state != state.name:
                continue
            found = [point for point in steps.points(state, *spots[0]) if point[0] != "close"]
            # Not always the same ones, where only some are tried.
            chosen = found[len(name) % options.every::options.every]
            wrong += [(state.name, *each) for each in steps.faulty(
                chosen, pool, spots, lambda point, spot: one(state, point, deed, destroys, *spot))]
            tried, steps_in_all = tried + len(chosen), steps_in_all + len(found)
        check(len(steps.unkilled) <= tried / 10 + 1, "%s: the passes were stopped" % name, str(steps.unkilled))
        steps.unkilled.clear()
        check(tried > 10 and not wrong, "%s at %d of %d steps of a pass: counted and told once" % (name, tried, steps_in_all),
              "%d wrong, first: %s" % (len(wrong), wrong[:2]))
    print("# %d s" % (time.monotonic() - begun))
    import world
    if not world.failed:
        shutil.rmtree(base, ignore_errors=True)
    finish()


if __name__ == "__main__":
    main()
