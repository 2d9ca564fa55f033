"""A member falls silent: after a day the hub says so, once, however often it looks, and says when it is back. The hub's clocks
are moved, not waited for."""

import json
import os
import subprocess

from fleet import AUTHALERT, COMMAND, Fleet, Process, append, check, count_recorded, finish, line, wait_for
from phone import Phone

FAKETIME = next((p for p in ("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
                             "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1") if os.path.exists(p)), None)
HOUR = 3600


def later(seconds):
    """What makes a program live so many seconds later: the wall clock for what asks the library, the time since boot for what
    asks the kernel."""
    return ["unshare", "--time", "--boottime", str(int(seconds)), "env", "LD_PRELOAD=" + FAKETIME, "FAKETIME=+%d" % seconds,
            "FAKETIME_DONT_FAKE_MONOTONIC=1"]


if FAKETIME is None or subprocess.run(later(1) + ["true"], capture_output=True).returncode != 0:
    print("left out - a member that falls silent: libfaketime and time namespaces are needed")
    finish()
names = ["quiet", "lively"]
fleet, phone = Fleet(names), Phone()
phone.config(fleet.config, "group_interval = \"1s\"\nmax_interval = \"1s\"\nmax_per_day = 10000\nburst = 20\n")
fleet.deliver()
fleet.start()
try:
    check(all(fleet.join(name).returncode == 0 for name in names), "two members join")
    fleet.members["lively"].start()

    def hub_at(hours):
        fleet.hub.kill()
        append(fleet.state("lively"), [line("root", pid=int(hours * 10))])
        before = count_recorded(fleet.hub_state)
        fleet.hub = Process(later(hours * HOUR) + fleet.hub_command("gather"), fleet.path("hub.log")).start()
        check(wait_for(lambda: count_recorded(fleet.hub_state) > before, 30), "after %g hours the hub hears the one that lives" % hours)

    def health(at):
        """What authalert says of itself after a look at that hour."""
        done = subprocess.run(later(at * HOUR) + [AUTHALERT, "--state", fleet.hub_state, "--config", fleet.config, "deliver"],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done
        posts = [json.loads(body) for body in phone.known.values()]
        return [post["event"].get("reason", "") for post in posts if post["event"]["action"] == "health"]

    silent = lambda: open(fleet.hub_state + "/fleet/silent").read().split() if os.path.exists(fleet.hub_state + "/fleet/silent") else []
    # What the hub heard is on its disk after some seconds.
    check(wait_for(lambda: len(fleet.status()["members"]) == 2 and all(m["heard_at"] for m in fleet.status()["members"]), 20, 1), "the hub heard both")
    hub_at(23)
    check(wait_for(lambda: silent() == [], 5) and health(23.5) == [], "before a day nobody is called silent", (silent(), health(23.6)))
    hub_at(25)
    check(wait_for(lambda: silent() == ["quiet"], 5), "after a day one of them is", silent())
    health(25)
    said = health(25.5)
    check(len(said) == 1 and "quiet" in said[0] and "lively" not in said[0], "and that is said", said)
    for at in (26, 30, 48, 50, 74, 100):
        said = health(at)
    check(len(said) == 1, "once, while it lasts", said)
    append(fleet.state("quiet"), [line("root")])
    subprocess.run(later(100 * HOUR) + [COMMAND, *fleet.member_command("quiet", "uplink", "--once")[1:]], capture_output=True, timeout=60)
    hub_at(100)
    check(wait_for(lambda: silent() == [], 70, 1), "when it speaks again it is not", silent())
    health(100.2)
    said = health(100.6)
    check(len(said) == 2 and "quiet" in said[1], "which is said too", said)
finally:
    fleet.end()
finish()
