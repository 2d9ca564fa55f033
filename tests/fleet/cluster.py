"""Three engines, made as init-hub says for a cluster. The engine that leads is killed twice; then the hub's machine dies, and
another goes on with a copy of its state; the first one comes back and finds that it is the hub no more. At the hub: every
failure once, in one alert; and no more alerts than one hub may send.

    cluster.py [--members N] [--failures N] [--seconds N]
"""

import argparse
import math
import multiprocessing
import os
import random
import re
import time

from fleet import Fleet, append, check, count_recorded, each_once, finish, line, wait_for
from phone import Phone
from wire import Wire

BURST, REFILL = 3, 60
parser = argparse.ArgumentParser()
parser.add_argument("--members", type=int, default=4)
parser.add_argument("--failures", type=int, default=300)
parser.add_argument("--seconds", type=float, default=50)
arguments = parser.parse_args()


def write(state, name, failures, seconds):
    """A machine on which somebody fails again and again."""
    for number in range(failures):
        append(state, [line("%s-%d" % (name, number), pid=os.getpid())])
        time.sleep(seconds / failures * random.random() * 2)


def is_engine(secret):
    """Whether a member is taken for an engine, with this secret."""
    try:
        Wire(fleet.port + 2000, fleet.path("m0/file"), route={"name": "engine4", "cluster": "authalert", "user": "engine", "pass": secret})
        return True
    except OSError:
        return False


def lead_anew(what):
    """The engine that leads dies; another leads, and the dead one comes back."""
    leader = fleet.leader()
    if not check(leader is not None, "one of the engines leads (%s)" % what):
        return
    leader.kill()
    took = time.monotonic()
    check(wait_for(lambda: fleet.leader() not in (None, leader), 40, 0.5), "another leads (%s)" % what)
    led, before = time.monotonic() - took, count_recorded(fleet.hub_state)
    check(wait_for(lambda: count_recorded(fleet.hub_state) > before, 40, 0.2), "and the members are heard (%s)" % what,
          [open(fleet.path(name + ".log")).read()[-1500:] for name in ("hub", *names[:1])])
    print("# another leads after %.0f s, members are heard after %.0f s" % (led, time.monotonic() - took))
    leader.start()
    wait_for(fleet.is_engine_up, 10)


names = ["m%d" % n for n in range(arguments.members)]
fleet, phone = Fleet(names, cluster=True), Phone(loses=0.1)
phone.config(fleet.config, """group_interval = "2s"
max_interval = "2s"
max_per_day = %d
burst = %d
[journal]
max_size = "1G"
""" % (86400 // REFILL, BURST))
fleet.deliver()
fleet.start()
try:
    if not check(wait_for(lambda: fleet.leader() is not None, 60, 0.5), "three engines find each other",
                 [open(engine.log).read()[-500:] for engine in fleet.engines]):
        raise SystemExit(1)
    joined = [fleet.join(name) for name in names]
    check(all(done.returncode == 0 for done in joined), "the members join", joined)
    for process in fleet.members.values():
        process.start()
    check(not is_engine("0" * 32), "a member's certificate does not make it an engine")
    began = time.monotonic()
    writers = [multiprocessing.Process(target=write, args=(fleet.state(name), name, arguments.failures, arguments.seconds)) for name in names]
    for writer in writers:
        writer.start()
    time.sleep(arguments.seconds * 0.1)
    lead_anew("first time")
    time.sleep(arguments.seconds * 0.1)
    lead_anew("second time")

    # The machine of the hub dies; its disk is put into another one.
    time.sleep(2)
    first, old = fleet.hub, fleet.hub_state
    first.kill()
    second = fleet.move_hub("other")
    done = fleet.run_hub("take-over")
    check(done.returncode == 0, "another machine is made the hub", done)
    had = count_recorded(old)
    second.start()
    check(wait_for(lambda: count_recorded(fleet.hub_state) > had, 60, 0.5), "it goes on", open(second.log).read())
    first.start()
    for writer in writers:
        writer.join()
    expected = {(name, "%s-%d" % (name, number)) for name in names for number in range(arguments.failures)}
    wait_for(lambda: count_recorded(fleet.hub_state) >= len(expected), 90, 0.5)
    missing, twice = each_once(fleet, expected)
    check(not missing, "nothing is lost", "%d, as %s" % (len(missing), missing[:5]))
    check(not twice, "nothing is there twice", "%d, as %s" % (len(twice), twice[:5]))
    check(first.is_running() and second.is_running() and count_recorded(old) == had, "the first machine waits for its turn, and records nothing",
          (first.is_running(), second.is_running(), count_recorded(old), had))
    may = BURST + math.ceil((time.monotonic() - began) / REFILL)
    check(len(phone.known) <= may, "both together sent no more alerts than one may", (len(phone.known), may))
    first.kill()
    wait_for(lambda: fleet.deliver("--now") and fleet.receiver("phone")["pending"] == 0, 90, 2)
    check(phone.reported() == len(expected), "in the alerts is each failure once", (phone.reported(), len(expected)))
    check(not phone.altered, "an alert that comes again is the same to the byte", phone.altered[:1])
    secret = re.search('password: "([^"]*)"', open(fleet.path("engine/cluster.conf")).read())[1]
    check(is_engine(secret), "with the secret of the engines it would be one")
    print("# %d failures; %d posts of %d alerts; of %d the answer was lost" % (len(expected), len(phone.posts), len(phone.known), phone.lost))
finally:
    fleet.end()
finish()
