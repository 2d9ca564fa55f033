#!/usr/bin/env python3
"""What can go wrong with a machine: answers of X one by one, a full disk, no inodes, a read-only state, clocks that step,
a full journal, a slow writer. Nothing crashes, nothing is counted or told twice, and it goes on when it is mended."""

import os
import shutil
import signal
import subprocess
import sys
import time

import crowd
from world import APPEND, AUTHALERT, World, balanced, check, count_in, finish, is_root

FAKETIME = next((p for p in ("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
                             "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
                             "/usr/lib64/faketime/libfaketime.so.1") if os.path.exists(p)), None)


def told_once(world, name, unreadable=0):
    status, journal = world.deliver_all(), world.journal()
    detail = "told %d, %s, %s, %s" % (world.x.told(), status, journal, world.last.stderr)
    return check(status["pending"] == 0 and world.x.told() == journal["posted"] and balanced(status)
                 and all(status[kind] == journal[kind] for kind in journal) and status["unreadable"] <= unreadable,
                 name, detail)


def each_answer():
    wrong = []
    answers = [answer for _, answer in crowd.MIX] + [{"name": "duplicate"}, {"name": "duplicate-old"}]
    answers += [{"name": name} for name in crowd.standin.answers.NAMED if {"name": name} not in answers]
    world = World()
    for number, answer in enumerate(answers):
        # One of this machine itself: its alert does not wait.
        world.append(1, number * 20 + 11)
        # Twice: what is only distrusted the first time is refused the second.
        world.x.answer(dict(answer), dict(answer))
        status = world.deliver_all()
        if world.x.told() != world.journal()["posted"] or status["pending"]:
            wrong.append((answer, world.x.told(), status))
            break
    check(not wrong, "each answer of X, alone: told once (%d answers)" % len(answers), str(wrong))
    world.close()


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
                refuses_quietly(world, "disk full: the pass says so and sends nothing that it could not note", once=1)
            os.unlink(os.path.join(world.state, "filler"))
            world.append(10, 900)
            if not told_once(world, "disk full and mended (%d): told once" % used_up, unreadable=2):
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
        check(balanced(world.status()) and world.status()["pending"] > 0, "nothing counts as posted that was not noted")
        os.unlink(os.path.join(world.state, "filler"))
        told_once(world, "disk full while X accepted, and mended: told once")


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
        refuses_quietly(world, "no inodes: failures are recorded, the pass says so", once=1)
        for path in spare:
            os.unlink(path)
        told_once(world, "no inodes, and mended: told once")


def read_only():
    with Mounted("size=4m") as world:
        mounted = Mounted("")
        mounted.world = world
        world.append(20)
        mounted.mount("-o", "remount,ro")
        refuses_quietly(world, "read-only: the pass says so, status works")
        mounted.mount("-o", "remount,rw")
        told_once(world, "read-only, and mended: told once")


def clocks():
    world = World()
    if FAKETIME is None:
        check(True, "wall clock steps # skip libfaketime is not installed")
    else:
        number, skews = 0, []
        for offset in (0, -3600, 0, 3600, -3600, 3600, 0):
            environment = dict(os.environ, LD_PRELOAD=FAKETIME, FAKETIME="%+ds" % offset, FAKETIME_DONT_RESET="1")
            number += 100
            subprocess.run([APPEND, world.state, os.path.join(world.base, "tally"), "20", str(number), "0"], check=True,
                           env=environment)
            if offset:
                # X's clock is right: it refuses, and the reason is told.
                run = subprocess.run(world.command("deliver", "--now"), env=environment, capture_output=True, text=True)
                if world.x.world.scenario.get("date_offset", 0) == 0:
                    skews.append(run.stderr)
                # Now X's clock is as wrong: it is sent.
            world.x.answer(date_offset=offset)
            for _ in range(20):
                time.sleep(.15)
                run = subprocess.run(world.command("deliver", "--now"), env=environment, capture_output=True, text=True)
                if run.returncode not in (0, 1) or "panicked" in run.stderr:
                    check(False, "a pass with the clock at %+d s" % offset, str(run))
                if world.status()["pending"] == 0:
                    break
            if not check(world.status()["pending"] == 0 and world.x.told() == world.journal()["posted"],
                         "clock at %+d s: told once" % offset, "%s %s" % (run, world.status())):
                break
            world.x.answer(date_offset=0)
        check(skews and all("clock" in line for line in skews), "a wrong clock is named when X refuses", str(skews[:1]))
    able = subprocess.run(["unshare", "--time", "--boottime", "3600", "true"], capture_output=True).returncode == 0
    if not able:
        check(True, "boot clock steps # skip unshare --time is not allowed here")
    else:
        for offset in (3600, 0, 7200, 0):
            world.append(20, 2000 + offset)
            for _ in range(30):
                run = subprocess.run(["unshare", "--time", "--boottime", str(offset), *world.command("deliver", "--now")],
                                     capture_output=True, text=True)
                time.sleep(.15)
                if world.status()["pending"] == 0:
                    break
            # After the clock went back an hour no time passes until it is where it was: the alert may wait for that
            # long, but not be lost or doubled.
            told = world.x.told() + world.status()["pending"]
            check(balanced(world.status()) and told == world.journal()["posted"] and run.returncode in (0, 1),
                  "boot clock at +%d s: nothing lost or doubled" % offset, "%s %s" % (run, world.status()))
        check(world.status()["pending"] == 0, "a boot clock that went back holds nothing up", str(world.status()))
    world.close()


def cap():
    world = World(max_size="64K")
    world.deliver()
    world.append(2000)
    recorded, dropped = world.tally()[1:]
    size = sum(os.path.getsize(os.path.join(world.state, "journal", n)) for n in os.listdir(world.state + "/journal")
               if n.endswith(".jsonl"))
    check(dropped > 0 and size <= 65536, "over the cap writers drop", "%d dropped, %d bytes" % (dropped, size))
    status = world.status()
    check(status["dropped"] == dropped and status["recorded"] == recorded and balanced(status),
          "status counts the dropped before any pass", str(status))
    told_once(world, "what found room is told once")
    texts = [t for t in world.x.posts() if "not recorded" in t]
    words = " %s more were not recorded" % format(dropped, ",")
    check(len(texts) == 1 and words in texts[0], "the count of the dropped is told in an alert, once", str(world.x.posts()))
    # Rotation: sealed segments go once they have settled, and there is room again.
    journal_before = world.journal()
    for round_number in range(12):
        for name in os.listdir(os.path.join(world.state, "journal")):
            if name != "current.jsonl":
                path = os.path.join(world.state, "journal", name)
                os.utime(path, (time.time() - 60, time.time() - 60))
        world.append(60, 10000 + round_number * 100, tally="later")
        if world.tally("later")[2]:
            check(False, "there is room again after rotation", "round %d: %s" % (round_number, world.tally("later")))
            break
        world.deliver()
    status = world.deliver_all()
    total = journal_before["posted"] + sum(1 if i % 10 != 7 else 3 for r in range(12) for i in range(60)
                                           if i % 10 not in (3, 5))
    check(status["posted"] == total == world.x.told() and status["dropped"] == dropped,
          "rotation and retention lose nothing", "%d %d %s" % (total, world.x.told(), status))
    files = os.listdir(os.path.join(world.state, "journal"))
    size = sum(os.path.getsize(os.path.join(world.state, "journal", n)) for n in files if n.endswith(".jsonl"))
    check(size <= 65536 and len(files) < 12, "the journal stays within its size", "%d bytes, %s" % (size, files))
    world.close()


def slow_writer():
    world = World(max_size="64K")
    world.deliver()
    world.append(110)
    path = os.path.join(world.state, "journal", "current.jsonl")
    with open(path, "rb") as file:
        line = file.read().splitlines(True)[-1]
    slow = os.open(path, os.O_WRONLY | os.O_APPEND)
    world.deliver_all()
    check(os.stat(path).st_ino != os.fstat(slow).st_ino, "the segment was sealed under a writer")
    before = world.status()
    os.write(slow, line)
    after = world.status()
    check(after["recorded"] == before["recorded"] + 1, "a record that comes after sealing is found", str(after))
    told_once(world, "and told once")
    os.write(slow, line)
    os.close(slow)
    world.append(50, 500)
    told_once(world, "and the next one too")
    world.close()


def two_passes():
    """The lock is deleted while a pass waits for X: whoever comes then may send the same, and is answered first."""
    world = World(timeout="5s")
    world.append(12)
    world.x.answer({"name": "duplicate", "late": 1})
    first = subprocess.Popen(world.command("deliver", "--now"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(.5)
    os.unlink(os.path.join(world.state, "lock"))
    world.deliver()
    error = first.communicate(timeout=60)[1]
    check(first.returncode == 1 and "deleted" in error, "a pass whose lock was deleted changes nothing any more", error)
    told_once(world, "and what it sent is told once")
    world.close()


def stopped_pass():
    """A pass of root's that is stopped holds everybody up, but not for ever."""
    world = World(timeout="5s")
    world.append(12)
    world.x.answer({"post": True, "hang": True})
    stopped = subprocess.Popen(world.command("deliver", "--now"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(.5)
    stopped.send_signal(signal.SIGSTOP)
    run = world.deliver()
    check(run.returncode == 0 and "another" in run.stdout and len(world.x.posts()) == 1, "while a pass is stopped others leave it alone",
          str(run))
    check(balanced(world.status()) and world.status()["pending"] > 0, "and the counters add up")
    long_ago = time.time() - 700
    os.utime(os.path.join(world.state, "lock"), (long_ago, long_ago))
    told_once(world, "a pass that was stopped for too long is ended, and what it sent is told once")
    check(stopped.poll() == -signal.SIGKILL, "it was ended", str(stopped.poll()))
    stopped.kill()
    world.close()


def main():
    names = sys.argv[1:]
    assert os.path.exists(AUTHALERT) and count_in("h: 1,234 failed logins. ·a7") == 1234
    for scenario in (each_answer, cap, slow_writer, two_passes, stopped_pass, clocks):
        if not names or scenario.__name__ in names:
            scenario()
    for scenario in (disk_full, full_while_sending, no_inodes, read_only):
        if names and scenario.__name__ not in names:
            continue
        if is_root() and subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0:
            scenario()
        else:
            check(True, "%s # skip mounting is not allowed here" % scenario.__name__)
    finish()


if __name__ == "__main__":
    main()
