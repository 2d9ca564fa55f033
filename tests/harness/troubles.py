#!/usr/bin/env python3
"""What can go wrong with a machine: answers of X one by one, a full disk, no inodes, a read-only state, clocks that step,
a full journal, a slow writer. Nothing crashes, nothing is counted or told twice, and it goes on when it is right again.

    troubles.py [SCENARIO]...
"""

import os
import signal
import subprocess
import sys
import time

from clocks import clock_between, clocks
from disks import disk_full, full_while_sending, no_inodes, read_only
from strange import certificates, each_answer
from world import AUTHALERT, World, balanced, check, count_in, finish, is_root, told_once


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
    os.unlink(os.path.join(world.state, "receivers", "x.lock"))
    world.deliver()
    error = first.communicate(timeout=60)[1]
    check(first.returncode == 1 and "deleted" in error, "a pass whose lock was deleted changes nothing any more", error)
    told_once(world, "and what it sent is told once")
    world.close()


def stopped_pass():
    """A pass that stands still holds its receiver up until its lease is over. Then it is overtaken, and not ended."""
    world = World(timeout="5s")
    world.append(12)
    world.x.answer({"post": True, "hang": True})
    stopped = subprocess.Popen(world.command("deliver", "--now"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(.5)
    stopped.send_signal(signal.SIGSTOP)
    run = world.deliver()
    check(run.returncode == 0 and "x: another" in run.stdout and len(world.x.posts()) == 1,
          "while a pass is stopped others leave its receiver alone", str(run))
    told = sum(entry["failures"] for entry in world.timeline())
    check(balanced(world.status()) and world.status()["pending"] == told > 0, "the counters add up, and the timeline was told")
    with open(os.path.join(world.state, "receivers", "x.lock"), "r+") as file:
        # Its lease: in this boot, until one second after that began.
        lease = file.read()
        file.seek(0)
        file.write("%s %020d\n" % (lease.split(" ")[0], 1000))
    told_once(world, "a pass that stood still for too long is overtaken, and what it sent is told once")
    check(stopped.poll() is None, "nobody ended it", str(stopped.poll()))
    world.append(5, 100)
    world.deliver_all()
    stopped.send_signal(signal.SIGCONT)
    error = stopped.communicate(timeout=60)[1]
    check(stopped.returncode == 1 and "overtaken" in error, "when it goes on it finds that, and changes nothing", error)
    told_once(world, "and everything is told once")
    world.close()


def main():
    names = sys.argv[1:]
    assert os.path.exists(AUTHALERT) and count_in("h: 1,234 failed logins. ·a7") == 1234
    for scenario in (each_answer, cap, slow_writer, two_passes, stopped_pass, clocks, clock_between):
        if not names or scenario.__name__ in names:
            scenario()
    for scenario in (certificates, disk_full, full_while_sending, no_inodes, read_only):
        if names and scenario.__name__ not in names:
            continue
        if is_root() and subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0:
            scenario()
        else:
            check(True, "%s # skip mounting is not allowed here" % scenario.__name__)
    finish()


if __name__ == "__main__":
    main()
