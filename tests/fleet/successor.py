"""A second hub waits for its turn; the first is killed, stands still and comes back: each failure is in one journal of the two,
and the one that was overtaken stops."""

import signal
import time

from fleet import Fleet, Process, append, check, finish, journal_of, line, recorded, wait_for

fleet = Fleet(["web1"]).start()
second_state = fleet.path("second")
journal_of(second_state)
command = [word if word != fleet.hub_state else second_state for word in fleet.hub_command("gather")]
second = Process(command, fleet.path("second.log"))
try:
    check(fleet.join("web1").returncode == 0, "the member joins")
    fleet.members["web1"].start()
    second.start()
    at = lambda state: [user for _, user, _ in recorded(state)]

    def fail(*users):
        append(fleet.state("web1"), [line(user) for user in users])

    fail("a", "b")
    check(wait_for(lambda: at(fleet.hub_state) == ["a", "b"], 10), "the first hub records")
    time.sleep(3)
    check(second.is_running() and at(second_state) == [], "the second one waits")
    # Stands still: the second takes over, and what the first does later is void.
    fleet.hub.process.send_signal(signal.SIGSTOP)
    fail("c", "d")
    check(wait_for(lambda: at(second_state) == ["c", "d"], 45, 0.2), "the second one takes over and goes on where the first one was", at(second_state))
    fleet.hub.process.send_signal(signal.SIGCONT)
    check(wait_for(lambda: not fleet.hub.is_running(), 20), "the first one finds it and stops")
    check("another hub" in open(fleet.path("hub.log")).read(), "and says why")
    fail("e")
    check(wait_for(lambda: at(second_state) == ["c", "d", "e"], 10), "the second one is the hub now")
    # And back: the first one's journal goes on from what the second one confirmed.
    fleet.hub.start()
    time.sleep(2)
    second.kill(signal.SIGTERM)
    fail("f")
    check(wait_for(lambda: at(fleet.hub_state)[-1:] == ["f"], 20), "one that ends lets the other take over at once")
    both = sorted(at(fleet.hub_state) + at(second_state))
    check(both == ["a", "b", "c", "d", "e", "f"], "each failure is in one of the two", both)
finally:
    second.kill()
    fleet.end()
finish()
