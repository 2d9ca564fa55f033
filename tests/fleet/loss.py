"""The hub's machine is lost with its disk, while alerts wait on it; the engine lives, or comes back as it was minutes before. A
new machine takes over: what was reported is not reported again, what waited is, and nothing is lost.

    loss.py [--engine-too]
"""

import argparse
import glob
import shutil
import time

from fleet import Fleet, append, check, count_recorded, finish, line, wait_for
from phone import Phone

parser = argparse.ArgumentParser()
parser.add_argument("--engine-too", action="store_true")
arguments = parser.parse_args()
names, each = ["web1", "web2", "db1"], 20
fleet, phone = Fleet(names), Phone()
phone.config(fleet.config, """group_interval = "1s"
max_interval = "1s"
max_per_day = 10000
burst = 20
""")
fleet.deliver()
fleet.start()
failed_so_far = 0


def fail(number=each):
    global failed_so_far
    for name in names:
        append(fleet.state(name), [line("%s-%d" % (name, failed_so_far + n)) for n in range(number)])
    failed_so_far += number


def kept():
    """Batches that members keep."""
    return [file for name in names for file in glob.glob(fleet.state(name) + "/fleet/outbox-*/*.batch")]


def keep_nothing():
    """They read it from time to time; who begins reads it at once."""
    for _ in range(5):
        for process in fleet.members.values():
            process.kill()
            process.start()
        if wait_for(lambda: not kept(), 8):
            return True
    return False


def is_reported(number):
    """A pass comes by each second, as the timer does each minute."""
    return wait_for(lambda: fleet.deliver() and phone.reported() == number * len(names), 60, 1)


try:
    check(all(fleet.join(name).returncode == 0 for name in names), "the members join")
    for process in fleet.members.values():
        process.start()
    fail()
    check(is_reported(failed_so_far), "what fails is reported", phone.reported())
    check(keep_nothing(), "members keep nothing of which the hub alerted", kept())
    fleet.engine.kill()
    shutil.copytree(fleet.path("store"), fleet.path("store.old"))
    fleet.engine.start()
    fail()
    check(is_reported(failed_so_far), "and again", phone.reported())
    check(keep_nothing(), "nor of that", kept())

    # A configuration that cannot be read holds up the alerts, and nothing else.
    good = open(fleet.config).read()
    with open(fleet.config, "w") as file:
        file.write("max_per_day = [")
    fail(1)
    check(wait_for(lambda: count_recorded(fleet.hub_state) == failed_so_far * len(names), 30), "with a configuration of no sense the hub goes on")
    time.sleep(3)
    check(fleet.hub.is_running(), "and on")
    with open(fleet.config, "w") as file:
        file.write(good)
    check(is_reported(failed_so_far) and keep_nothing(), "and reports when it can be read", phone.reported())

    # The phone takes nothing: these wait on the hub's disk, and nowhere else but at the members.
    phone.is_away = True

    fail()
    check(wait_for(lambda: count_recorded(fleet.hub_state) == failed_so_far * len(names), 30), "the hub has what is not reported yet")
    waiting = lambda: all("waiting 0" in fleet.run_member(name, "status").stdout for name in names)
    check(wait_for(waiting, 60, 1), "the members know that it has it")
    time.sleep(3)
    check(len(kept()) > 0, "and keep it")

    fleet.hub.kill()
    if arguments.engine_too:
        fleet.engine.kill()
        shutil.rmtree(fleet.path("store"))
        shutil.copytree(fleet.path("store.old"), fleet.path("store"))
    shutil.rmtree(fleet.hub_state)
    fleet.prepare_hub()
    fleet.deliver()
    if arguments.engine_too:
        fleet.engine.start()
    done = fleet.run_hub("take-over")
    check(done.returncode == 0, "a new machine is made the hub", done)
    phone.is_away = False
    fleet.hub.start()
    fail(3)
    check(is_reported(failed_so_far), "everything is reported, and nothing twice", (phone.reported(), failed_so_far * len(names)))
    time.sleep(10)
    check(phone.reported() == failed_so_far * len(names), "and it stays so", (phone.reported(), failed_so_far * len(names)))
    check(count_recorded(fleet.hub_state) == (each + 3) * len(names), "the new disk has what was not reported before, once",
          (count_recorded(fleet.hub_state), (each + 3) * len(names)))
    check(wait_for(lambda: not any(m["gap"] for m in fleet.status()["members"]), 20, 1), "nothing is missing any more", fleet.status())
finally:
    fleet.end()
finish()
