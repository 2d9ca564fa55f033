#!/usr/bin/env python3
"""States that version 0.1 left (tests/migration), carried over by a pass that is killed before every system call that others
can see: nothing is lost, nothing is told twice, and the old command over what was carried over sends nothing.

    migration.py [--every N] [--only NAME]     needs strace; AUTHALERT_OLD names a command of version 0.1, for the last part
"""

import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import tempfile

import injected
import steps
from world import TOP, World, X, balanced, check, finish

FIXTURES = os.path.join(TOP, "tests", "migration")
OLD = os.environ.get("AUTHALERT_OLD")


class Left:
    """A state that version 0.1 left."""

    undecided = False

    def __init__(self, name, base):
        self.name = name
        self.directory = os.path.join(base, name)
        self.x = X(os.path.join(base, name + "-x"))
        world = World(self.x, self.directory)
        shutil.rmtree(world.state)
        shutil.copytree(os.path.join(FIXTURES, name), world.state)
        os.chmod(world.state, 0o700)
        with open(os.path.join(world.state, "texts.json")) as file:
            self.texts = json.load(file)
        with open(os.path.join(world.state, "what.json")) as file:
            what = json.load(file)
        self.account, self.journal = what["account"], what["journal"]
        if not self.account:
            os.unlink(os.path.join(world.base, "credentials.toml"))
        self.adjust(world)
        self.status = world.status()

    def adjust(self, world):
        if not self.account:
            with open(world.config) as file:
                text = file.read()
            with open(world.config, "w") as file:
                file.write(text.replace('receiver = "x"\n', ""))

    def copy(self, base, x):
        directory = os.path.join(base, "run")
        shutil.rmtree(directory, ignore_errors=True)
        subprocess.run(["cp", "-a", self.directory, directory], check=True)
        x.fresh(self.texts)
        x.answer()
        world = World(x, directory)
        if not self.account:
            os.unlink(os.path.join(world.base, "credentials.toml"))
        self.adjust(world)
        return world


def wrong(state, world, x):
    """What is wrong with a state that was carried over, after the passes that follow."""
    total = sum(state.journal.values())
    status = world.status()
    if not balanced(status) or any(r["recorded"] != total for r in status["receivers"]):
        return "after the kill: %s" % status
    status = world.deliver_all(40)
    for receiver in status["receivers"]:
        if receiver["pending"] or any(receiver[kind] != state.journal[kind] for kind in state.journal):
            return "%s counts wrong: %s, not %s" % (receiver["name"], status, state.journal)
    if state.account and x.told() != state.journal["posted"]:
        return "told %d of %d: %s" % (x.told(), state.journal["posted"], x.posts())
    timeline = world.timeline() if state.journal["posted"] else []
    ids = [entry["id"] for entry in timeline]
    if len(set(ids)) != len(ids) or sum(entry["failures"] for entry in timeline) != state.journal["posted"]:
        return "the timeline: %s" % timeline
    if not os.path.isdir(os.path.join(world.state, "state.json")):
        return "the old state is still there"
    return ""


def one(state, point, base, x):
    name, number = point
    world = state.copy(base, x)
    try:
        run = injected.run(world.command("deliver", "--now"), name, number, "signal=KILL", os.path.join(base, "strace"))
    except injected.Hung as why:
        return str(why)
    if run.returncode == 0:
        steps.unkilled.append(point)
    if OLD and not os.path.isdir(os.path.join(world.state, "state.json")):
        # Not carried over: the old module may go on, and the new one takes it from there.
        subprocess.run([OLD, "--config", world.config, "--state", world.state, "deliver"], capture_output=True, timeout=60)
    return wrong(state, world, x)


def old_sends_nothing(state, base, x):
    """The old command over a state that was carried over, with something new in its journal."""
    world = state.copy(base, x)
    world.deliver()
    world.append(11, 500)
    posts, before = x.world.requests, world.status()
    run = subprocess.run([OLD, "--config", world.config, "--state", world.state, "deliver", "--now"], capture_output=True,
                         text=True, timeout=60)
    after = world.status()
    if run.returncode == 0 or x.world.requests != posts or after["recorded"] != before["recorded"]:
        return "%s: %s, asked %d more" % (state.name, run, x.world.requests - posts)
    state.journal = world.journal()
    return wrong(state, world, x)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only")
    options = parser.parse_args()
    steps.or_left_out("migration")
    base = tempfile.mkdtemp(prefix="authalert-migration-")
    pool = concurrent.futures.ThreadPoolExecutor(3)
    spots = [(os.path.join(base, "w%d" % i), X(os.path.join(base, "w%d" % i, "x"))) for i in range(3)]
    names = sorted(n for n in os.listdir(FIXTURES) if os.path.isdir(os.path.join(FIXTURES, n)) and n != "__pycache__")
    for name in names:
        if options.only and options.only != name:
            continue
        state = Left(name, base)
        found = steps.points(state, *spots[0])
        chosen = found[len(name) % options.every::options.every]
        faulty = steps.faulty(chosen, pool, spots, lambda point, spot: one(state, point, *spot))
        check(len(chosen) >= 3 and not faulty, "%s: carried over by a pass killed at %d of %d steps, told once"
              % (name, len(chosen), len(found)), "%d wrong, first: %s" % (len(faulty), faulty[:2]))
        check(len(steps.unkilled) <= len(chosen) / 10 + 1, "%s: the passes were killed" % name, str(steps.unkilled))
        steps.unkilled.clear()
        if OLD:
            told = old_sends_nothing(state, *spots[0])
            check(not told, "%s: the old command sends nothing any more" % name, told)
    if not OLD:
        check(True, "the old command over what was carried over # skip AUTHALERT_OLD is not set")
    import world
    if not world.failed:
        shutil.rmtree(base, ignore_errors=True)
    finish()


if __name__ == "__main__":
    main()
