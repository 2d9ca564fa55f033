"""Clocks that step: the wall clock, to 1970 and beyond 2038 too, X's, and the one that counts from the boot."""

import os
import subprocess
import time

from world import APPEND, World, balanced, check

FAKETIME = next((p for p in ("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
                             "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
                             "/usr/lib64/faketime/libfaketime.so.1") if os.path.exists(p)), None)
DAY = 86400


def far():
    """To January 1970, and beyond 2038."""
    now = int(time.time())
    return 3 * DAY - now, (1 << 31) + 400 * DAY - now


def at(offset):
    """The environment of a program that sees the clock so many seconds off."""
    return dict(os.environ, LD_PRELOAD=FAKETIME, FAKETIME="%+ds" % offset, FAKETIME_DONT_RESET="1", NO_FAKE_STAT="1")


def clock_between():
    """The clock steps between a failure, the attempt of which nobody knows, and the retry; and while a limit is waited for."""
    if FAKETIME is None:
        check(True, "clock steps between the steps # skip libfaketime is not installed")
        return
    world = World(keep="36500d")
    past, future = far()

    def append(number, offset):
        subprocess.run([APPEND, world.state, os.path.join(world.base, "tally"), "5", str(number), "0"], check=True,
                       env=at(offset))

    def deliver(offset, *words):
        run = subprocess.run(world.command("deliver", *words), env=at(offset), capture_output=True, text=True, timeout=60)
        return run if run.returncode in (0, 1) and "panicked" not in run.stderr else check(False, "a pass", str(run))

    wrong, number = [], 0
    for recorded, tried, again in ((0, 3600, -3600), (0, -DAY, DAY), (DAY, 0, past), (past, future, 0), (future, past, future),
                                   (0, future, 0), (future, 0, -DAY), (0, past, 0)):
        number += 20
        append(number, recorded)
        world.x.answer({"post": number % 40 == 0, "close": "request"}, date_offset=tried)
        deliver(tried, "--now")
        waiting = world.status()["pending"]
        append(number + 10, again)
        world.x.answer(date_offset=again)
        for _ in range(20):
            deliver(again, "--now")
            if world.status()["pending"] == 0:
                break
            time.sleep(.15)
        status = world.status()
        if not (waiting and balanced(status) and status["pending"] == status["unreadable"] == 0
                and world.x.told() == world.journal()["posted"]):
            wrong.append((recorded, tried, again, waiting, status))
    check(not wrong, "the clock steps between failure, attempt and retry: told once", str(wrong))

    wrong = []
    for reset, least, most in ((-10 * 365 * DAY, 0, 900), (-1, 0, 900), (0, 0, 900), (600, 590, 606), (DAY, DAY - 10, DAY + 6),
                               (100 * 365 * DAY, 25 * 3600 - 10, 25 * 3600 + 6)):
        for tried, then in ((0, 3600), (-3600, 0), (DAY, -DAY), (past, 0), (0, past), (future, 0), (0, future)):
            number += 20
            append(number, tried)
            world.x.answer({"name": "too-many", "reset_in": reset}, date_offset=tried)
            deliver(tried, "--now")
            told, asked = world.status()["next_attempt_seconds"], world.x.world.requests
            world.x.answer(date_offset=then)
            deliver(then)
            status = world.status()
            # Still waited for, however late it seems to be, and no longer than before.
            held = world.x.world.requests == asked and status["next_attempt_seconds"] <= told
            # Until it is over: a person tries.
            deliver(then, "--now")
            status = world.status()
            if not (least <= told <= most and held and status["pending"] == 0 and balanced(status)
                    and world.x.told() == world.journal()["posted"]):
                wrong.append((reset, tried, then, told, held, status))
    check(not wrong, "a limit and steps of the clock: waited for by X's clock, 25 hours at most", "%d %s" % (len(wrong), wrong[:2]))
    world.close()


def clocks():
    # In 2039 everything is old.
    world = World(keep="36500d")
    if FAKETIME is None:
        check(True, "wall clock steps # skip libfaketime is not installed")
    else:
        number, skews = 0, []
        for offset in (0, -3600, 0, 3600, -3600, 3600, 0, DAY, -DAY, *far(), 0):
            environment = at(offset)
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
