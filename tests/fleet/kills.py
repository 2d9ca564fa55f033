"""Members, hub and engine are killed at random and connections are cut while failures come from many processes; the engine
stands still, comes back with a disk of a while ago, and with an empty one; the phone takes alerts whose answer is lost. At the
hub: every failure once, and in one alert.

    kills.py [--members N] [--failures N] [--seconds N] [--seed N]
"""

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import time

from fleet import Fleet, append, check, count_recorded, each_once, finish, line, wait_for
from phone import Phone

parser = argparse.ArgumentParser()
parser.add_argument("--members", type=int, default=6)
parser.add_argument("--failures", type=int, default=1500)
parser.add_argument("--seconds", type=float, default=40)
parser.add_argument("--seed", type=int, default=int(time.time()))
arguments = parser.parse_args()
print("# seed %d" % arguments.seed)
chance = random.Random(arguments.seed)


def write(state, name, part, parts, failures, seconds):
    """One of several programs that fail on one machine."""
    pause = seconds / (failures / parts)
    for number in range(part, failures, parts):
        append(state, [line("%s-%d" % (name, number), pid=os.getpid())])
        time.sleep(pause * random.random() * 2)


names = ["m%d" % n for n in range(arguments.members)]
fleet, phone = Fleet(names), Phone(loses=0.1)
phone.config(fleet.config, """group_interval = "2s"
max_interval = "2s"
max_per_day = 10000
burst = 20
[journal]
max_size = "1G"
""")
fleet.deliver()
fleet.start()
try:
    joined = [fleet.join(name).returncode for name in names]
    check(joined == [0] * len(names), "all members join", joined)
    for process in fleet.members.values():
        process.start()
    writers = [multiprocessing.Process(target=write, args=(fleet.state(n), n, part, 3, arguments.failures, arguments.seconds))
               for n in names for part in range(3)]
    for writer in writers:
        writer.start()
    begun, kills, special = time.monotonic(), {"member": 0, "hub": 0, "engine": 0, "cut": 0}, ["hang", "back", "empty"]
    old = fleet.path("store.old")

    def killed(process):
        process.kill()
        process.start()

    while time.monotonic() - begun < arguments.seconds:
        passed = (time.monotonic() - begun) / arguments.seconds
        what = chance.choice(["member", "member", "hub", "engine", "cut", "cut"])
        kills[what] += 1
        if what == "member":
            killed(chance.choice(list(fleet.members.values())))
        elif what == "hub":
            killed(fleet.hub)
        elif what == "cut":
            fleet.cut_connections()
        else:
            killed(fleet.engine)
        if passed > 0.2 and not os.path.exists(old):
            fleet.engine.kill()
            shutil.copytree(fleet.path("store"), old)
            fleet.engine.start()
        if special and passed > 1 - 0.2 * len(special):
            what = special.pop(0)
            if what == "hang":
                fleet.engine.process.send_signal(signal.SIGSTOP)
                time.sleep(3)
                fleet.engine.process.send_signal(signal.SIGCONT)
            elif what == "back":
                fleet.engine.kill()
                shutil.rmtree(fleet.path("store"))
                shutil.copytree(old, fleet.path("store"))
                fleet.engine.start()
            else:
                fleet.empty_engine()
        time.sleep(0.3 + chance.random() * 1.2)
    for writer in writers:
        writer.join()
    for process in (fleet.engine, fleet.hub, *fleet.members.values()):
        process.keep()
    expected = {(name, "%s-%d" % (name, number)) for name in names for number in range(arguments.failures)}

    def is_there():
        for process in (fleet.engine, fleet.hub, *fleet.members.values()):
            process.keep()
        return count_recorded(fleet.hub_state) >= len(expected)

    took = time.monotonic()
    wait_for(is_there, 150, 1)
    missing, twice = each_once(fleet, expected)
    print("# %d failures of %d members; killed %s; settled %.0f s after the last" % (len(expected), len(names), kills, time.monotonic() - took))
    check(not missing, "nothing is lost", "%d, as %s" % (len(missing), missing[:5]))
    check(not twice, "nothing is there twice", "%d, as %s" % (len(twice), twice[:5]))
    # In alerts: what waits goes out now, what was begun is sent again with the same bytes.
    wait_for(lambda: fleet.deliver("--now") and fleet.receiver("phone")["pending"] == 0, 60, 1)
    phones = fleet.receiver("phone")
    print("# %d posts of %d alerts; of %d the answer was lost" % (len(phone.posts), len(phone.known), phone.lost))
    check(phones["pending"] == 0 and phones["posted"] == len(expected), "the hub counts each of them as posted", phones)
    check(phone.reported() == len(expected), "in the alerts that the phone has is each of them once", (phone.reported(), len(expected)))
    check(not phone.altered, "an alert that comes again is the same to the byte", phone.altered[:1])
    waiting = lambda: all("waiting 0" in fleet.run_member(name, "status").stdout for name in names)
    check(wait_for(waiting, 60, 2), "the members have nothing left to keep", [fleet.run_member(n, "status").stdout for n in names])
finally:
    fleet.end()
finish()
