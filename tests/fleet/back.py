"""The engine comes back.

With a disk of a while ago, while the hub stands still, it gives numbers anew: what the hub removes there afterwards is only what it
has taken over. Several fleets at once: whether the engine or the knowledge of it comes first is chance. After a minute, it is not
waited for as long again."""

import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from fleet import Fleet, check, count_recorded, finish, wait_for

FLEETS = 4
APART = 0.03  # so that each failure is in a message of its own


def arrives(fleet):
    return wait_for(lambda: count_recorded(fleet.hub_state) >= fleet.failures, 20, 0.2)


def witness(fleet):
    """What is seen of it: whether, what, and how many of how many; and how to see more."""
    seen = []
    return seen, lambda right, what: seen.append((right, what, (count_recorded(fleet.hub_state), fleet.failures)))


def with_a_disk_of_before(fleet):
    seen, see = witness(fleet)
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


def after_a_minute(fleet):
    seen, see = witness(fleet)
    fleet.join("web1")
    fleet.members["web1"].start()
    fleet.fail("web1", 1)
    see(arrives(fleet), "a failure is at the hub before the engine goes")
    fleet.engine.kill()
    # The first is on its way to the engine that is gone; the others wait for what becomes of it.
    fleet.fail("web1", 4, 2)
    time.sleep(68)
    fleet.engine.start()
    see(arrives(fleet), "and those of the minute without it soon after it came back")
    return seen


fleets = []
try:
    for _ in range(FLEETS + 1):
        fleets.append(Fleet(["web1"]).start())
    with ThreadPoolExecutor(FLEETS + 1) as threads:
        minute = threads.submit(after_a_minute, fleets[FLEETS])
        for results in [*zip(*threads.map(with_a_disk_of_before, fleets[:FLEETS])), *([one] for one in minute.result())]:
            wrong = [detail for right, _, detail in results if not right]
            check(not wrong, results[0][1], wrong)
finally:
    for fleet in fleets:
        fleet.end()
finish()
