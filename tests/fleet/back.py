"""The engine comes back with a disk of a while ago while the hub stands still, and gives numbers anew: what the hub removes there
afterwards is only what it has taken over. Several fleets at once: whether the engine or the knowledge of it comes first is chance."""

import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from fleet import Fleet, check, count_recorded, finish, wait_for

FLEETS = 4
APART = 0.03  # so that each failure is in a message of its own


def arrives(fleet):
    return wait_for(lambda: count_recorded(fleet.hub_state) >= fleet.failures, 20, 0.2)


def scenario(fleet):
    """What was seen of it: whether, what, and else how many of how many."""
    seen = []

    def see(right, what):
        seen.append((right, what, (count_recorded(fleet.hub_state), fleet.failures)))

    see(fleet.join("web1").returncode == 0, "the member joins")
    fleet.members["web1"].start()
    fleet.engine.kill()
    shutil.copytree(fleet.path("store"), fleet.path("store.old"))
    fleet.engine.start()
    begun = time.monotonic()
    fleet.fail("web1", 200, APART)
    see(arrives(fleet), "the hub has what was sent")
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
    see(arrives(fleet), "and what was sent after the engine came back")
    see(count_recorded(fleet.hub_state) == fleet.failures, "each of them once")
    return seen


fleets = []
try:
    for _ in range(FLEETS):
        fleets.append(Fleet(["web1"]).start())
    with ThreadPoolExecutor(FLEETS) as threads:
        for results in zip(*threads.map(scenario, fleets)):
            wrong = [detail for right, _, detail in results if not right]
            check(not wrong, results[0][1], wrong)
finally:
    for fleet in fleets:
        fleet.end()
finish()
