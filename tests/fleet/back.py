"""The engine comes back with a disk of a while ago while the hub stands still, and gives numbers anew: what the hub removes there
afterwards is only what it has taken over."""

import shutil
import signal
import time

from fleet import Fleet, append, check, count_recorded, finish, line, wait_for

fleet = Fleet(["web1"]).start()
number = 0


def fail(times):
    """Each in a message of its own."""
    global number
    for _ in range(times):
        number += 1
        append(fleet.state("web1"), [line("user%d" % number, pid=number)])
        time.sleep(0.03)


def arrives(seconds):
    return wait_for(lambda: count_recorded(fleet.hub_state) >= number, seconds, 0.2)


try:
    check(fleet.join("web1").returncode == 0, "the member joins")
    fleet.members["web1"].start()
    fleet.engine.kill()
    shutil.copytree(fleet.path("store"), fleet.path("store.old"))
    fleet.engine.start()
    begun = time.monotonic()
    fail(200)
    check(arrives(20), "the hub has what was sent", (count_recorded(fleet.hub_state), number))
    # When it goes on it is time to remove, and its lease lasts.
    time.sleep(max(0, begun + 56 - time.monotonic()))
    fleet.hub.process.send_signal(signal.SIGSTOP)
    fleet.engine.kill()
    shutil.rmtree(fleet.path("store"))
    shutil.copytree(fleet.path("store.old"), fleet.path("store"))
    fleet.engine.start()
    # More than the hub takes over at once, and less than there was.
    fail(100)
    time.sleep(max(0, begun + 61 - time.monotonic()))
    fleet.hub.process.send_signal(signal.SIGCONT)
    check(arrives(20), "and what was sent after the engine came back", (count_recorded(fleet.hub_state), number))
    check(count_recorded(fleet.hub_state) == number, "each of them once", (count_recorded(fleet.hub_state), number))
finally:
    fleet.end()
finish()
