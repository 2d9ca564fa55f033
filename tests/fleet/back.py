"""The engine comes back with a disk of a while ago while the hub stands still, and gives numbers anew: what the hub removes there
afterwards is only what it has taken over."""

import shutil
import signal
import time

from fleet import Fleet, check, count_recorded, finish, wait_for

fleet = Fleet(["web1"]).start()
APART = 0.03  # so that each failure is in a message of its own


def arrives(seconds):
    return wait_for(lambda: count_recorded(fleet.hub_state) >= fleet.failures, seconds, 0.2)


try:
    check(fleet.join("web1").returncode == 0, "the member joins")
    fleet.members["web1"].start()
    fleet.engine.kill()
    shutil.copytree(fleet.path("store"), fleet.path("store.old"))
    fleet.engine.start()
    begun = time.monotonic()
    fleet.fail("web1", 200, APART)
    check(arrives(20), "the hub has what was sent", (count_recorded(fleet.hub_state), fleet.failures))
    # When it goes on it is time to remove, and its lease lasts.
    time.sleep(max(0, begun + 56 - time.monotonic()))
    fleet.hub.process.send_signal(signal.SIGSTOP)
    fleet.engine.kill()
    shutil.rmtree(fleet.path("store"))
    shutil.copytree(fleet.path("store.old"), fleet.path("store"))
    fleet.engine.start()
    # More than the hub takes over at once, and less than there was.
    fleet.fail("web1", 100, APART)
    time.sleep(max(0, begun + 61 - time.monotonic()))
    fleet.hub.process.send_signal(signal.SIGCONT)
    # At times half a minute late where the machine is busy; none may be lost, and none come twice.
    check(arrives(90), "and what was sent after the engine came back", (count_recorded(fleet.hub_state), fleet.failures))
    check(count_recorded(fleet.hub_state) == fleet.failures, "each of them once", (count_recorded(fleet.hub_state), fleet.failures))
finally:
    fleet.end()
finish()
