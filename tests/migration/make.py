#!/usr/bin/env python3
"""The states of version 0.1 in this directory, made anew by its binary:

    unshare -u sh -c "hostname web1; make.py AUTHALERT-0.1"

Each is a state directory as it was left, with the texts that X had by then in texts.json, and in what.json what has to
come of it: whether there is an account, and how many failures the journal holds by what becomes of them."""

import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "harness"))
import world as harness  # noqa: E402
from world import World  # noqa: E402


def nothing(world):
    world.deliver()


def pending(world):
    """An alert was sent, and more came in its interval, which a pass took in."""
    world.append(5)
    world.deliver()
    with open(world.config) as file:
        text = file.read()
    with open(world.config, "w") as file:
        file.write(text.replace('group_interval = "1s"', 'group_interval = "1h"').replace('"2s"', '"2h"'))
    # None of this machine itself, whose alerts do not wait, nor of an account.
    world.append(9, 20)
    subprocess.run(world.command("deliver"), capture_output=True)
    assert world.status()["pending"] == world.journal()["posted"] - world.x.told() > 0


def in_flight(world, exists):
    world.append(5)
    world.deliver()
    world.append(6, 20)
    world.x.answer({"post": exists, "close": "request"})
    assert world.deliver().returncode == 1
    world.append(4, 40)


def outage(world):
    world.append(5)
    world.deliver()
    world.append(6, 20)
    world.x.answer({"name": "unauthorized"})
    assert world.deliver().returncode == 1


def limited_at_first(world):
    world.append(6)
    world.x.answer({"name": "too-many", "reset_in": 900})
    assert world.deliver().returncode == 1


def damage(world, *names):
    for name in names:
        path = os.path.join(world.state, name)
        with open(path, "r+b") as file:
            file.seek(30)
            file.write(b"\0\0\0\0")


def one_copy_damaged(world):
    outage(world)
    damage(world, "state.json")


def both_damaged(world):
    world.append(5)
    world.deliver()
    world.append(6, 20)
    for name in ("state.json.next",):
        os.unlink(os.path.join(world.state, name))
    damage(world, "state.json", "state.json.bak")


def acknowledged_and_cut(world):
    """The timeline has the alert, and the pass was cut before it saved that."""
    world.append(5)
    world.deliver()
    world.append(6, 20)
    world.x.answer({"post": True, "close": "request"})
    assert world.deliver().returncode == 1
    kept = {}
    for name in ("state.json", "state.json.bak", "state.json.next"):
        with open(os.path.join(world.state, name), "rb") as file:
            kept[name] = file.read()
    assert world.deliver().returncode == 0
    for name, data in kept.items():
        with open(os.path.join(world.state, name), "wb") as file:
            file.write(data)


def never_run(world):
    """The module recorded, and no pass came by."""
    world.append(7)


STATES = {
    "nothing": (nothing, True),
    "never-run": (never_run, True),
    "pending": (pending, True),
    "limited": (limited_at_first, True),
    "in-flight-accepted": (lambda world: in_flight(world, True), True),
    "in-flight-unheard": (lambda world: in_flight(world, False), True),
    "outage": (outage, True),
    "one-copy-damaged": (one_copy_damaged, True),
    "both-damaged": (both_damaged, True),
    "acknowledged-and-cut": (acknowledged_and_cut, True),
    "timeline-only": (lambda world: (world.append(5), world.deliver(), world.append(6, 20)), False),
}


def main():
    harness.AUTHALERT = sys.argv[1]
    for name, (make, has_account) in STATES.items():
        world = World()
        if not has_account:
            os.unlink(os.path.join(world.base, "credentials.toml"))
            with open(world.config) as file:
                text = file.read()
            with open(world.config, "w") as file:
                file.write(text.replace('receiver = "x"\n', ""))
        make(world)
        place = os.path.join(HERE, name)
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(world.state, place)
        with open(os.path.join(place, "texts.json"), "w") as file:
            json.dump(world.x.posts(), file, ensure_ascii=False)
        with open(os.path.join(place, "what.json"), "w") as file:
            json.dump({"account": has_account, "journal": world.journal()}, file)
        for left in ("lock", "journal/lock"):
            if os.path.exists(os.path.join(place, left)):
                os.unlink(os.path.join(place, left))
        world.close()


if __name__ == "__main__":
    main()
