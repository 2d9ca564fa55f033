"""A state directory on a disk that is full, has no inodes, or cannot be written."""

import os
import shutil
import subprocess
import time

from world import World, balanced, check, told_once


class Mounted:
    """The state directory as a small file system of its own."""

    def __init__(self, options):
        self.options = options

    def __enter__(self):
        self.world = World()
        shutil.rmtree(self.world.state)
        os.mkdir(self.world.state)
        self.mount("-t", "tmpfs", "-o", "mode=700," + self.options, "tmpfs")
        os.mkdir(os.path.join(self.world.state, "journal"), 0o700)
        return self.world

    def mount(self, *words):
        subprocess.run(["mount", *words, self.world.state], check=True)

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.world.state], check=True)
        self.world.close()


def fill(world, name="filler"):
    path = os.path.join(world.state, name)
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 512)
        except OSError:
            pass
    return path


def refuses_quietly(world, name, once=0):
    """A pass that cannot write says so, does not ask X (or `once`, where there was just room enough to note that), and
    leaves the counters as they are."""
    before, asked = world.status(), world.x.world.requests
    runs = [world.deliver() for _ in range(3)]
    after = world.status()
    check(all(r.returncode == 1 and world.state in r.stderr and "panicked" not in r.stderr for r in runs)
          and world.x.world.requests - asked <= once and balanced(after) and after["recorded"] == before["recorded"],
          name, "%s asked %d, %s %s" % (runs[0], world.x.world.requests - asked, before, after))


def bears_it(world, name):
    """Passes without room tell what they can note, and nothing twice; one that cannot says so."""
    runs = []
    for _ in range(5):
        runs.append(world.deliver())
        status = world.status()
        x = status["receivers"][0]
        if not (balanced(status) and runs[-1].returncode in (0, 1) and "panicked" not in runs[-1].stderr
                and x["posted"] <= world.x.told() <= x["posted"] + x["pending"] and len(set(world.x.posts())) == len(world.x.posts())):
            return check(False, name, "%s %s" % (runs[-1], status))
    return check(True, name)


def disk_full():
    for used_up in (0, 1, 2):
        with Mounted("size=192k") as world:
            world.append(20)
            world.deliver()
            time.sleep(1.1)
            world.append(10, 100)
            fill(world)
            # Writers go on until the last block of the segment is full, a record being torn where it ends.
            world.append(60, 200 + 7 * used_up, wait=False).communicate(timeout=60)
            if used_up == 0:
                bears_it(world, "disk full: what is sent is noted, in the room that was kept for it")
                check("full" in (world.status()["last_error"] or ""), "and status says that the disk is full",
                      str(world.status()))
            os.unlink(os.path.join(world.state, "filler"))
            world.append(10, 900)
            if not told_once(world, "disk full and put right (%d): told once" % used_up, unreadable=2):
                return


def full_while_sending():
    with Mounted("size=192k") as world:
        world.append(20)
        world.x.answer({"post": True, "late": .5})
        run = subprocess.Popen(world.command("deliver", "--now"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(.25)
        fill(world)
        error = run.communicate(timeout=60)[1]
        check(run.returncode == 1 and b"panicked" not in error and len(world.x.posts()) == 1,
              "disk full while X accepts: the pass says so", str(error))
        for _ in range(3):
            world.deliver()
        status, noted = world.status(), os.path.join(world.state, "receivers", "x.sent.jsonl")
        noted = world.sent() if os.path.exists(noted) else []
        check(balanced(status) and status["posted"] == sum(entry["failures"] for entry in noted),
              "nothing counts as posted that was not noted", "%s %s" % (status, noted))
        os.unlink(os.path.join(world.state, "filler"))
        told_once(world, "disk full while X accepted, and put right: told once")


def no_inodes():
    with Mounted("size=4m,nr_inodes=64") as world:
        world.append(20)
        world.deliver()
        time.sleep(1.1)
        spare = []
        try:
            while True:
                spare.append(os.path.join(world.state, "journal", "spare%d" % len(spare)))
                open(spare[-1], "w").close()
        except OSError:
            spare.pop()
        world.append(20, 100)
        for number in range(5):
            told_once(world, "no inodes: alerts go out all the same (%d)" % (number + 1))
            world.append(12, 200 + 20 * number)
        for path in spare:
            os.unlink(path)
        told_once(world, "no inodes, and put right: told once")


def read_only():
    with Mounted("size=4m") as world:
        mounted = Mounted("")
        mounted.world = world
        world.append(20)
        mounted.mount("-o", "remount,ro")
        refuses_quietly(world, "read-only: the pass says so, status works")
        mounted.mount("-o", "remount,rw")
        told_once(world, "read-only, and put right: told once")
