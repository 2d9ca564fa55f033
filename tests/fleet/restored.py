"""The hub's state is put back from a copy of some time ago, and the hub is started as if nothing had happened: it finds that
by itself: what was not reported is, and no number is given to another message."""

import re
import shutil
import signal
import time

from fleet import Fleet, check, finish, recorded, wait_for
from phone import Phone

fleet, phone = Fleet(["web1"]), Phone()
phone.config(fleet.config, 'group_interval = "1s"\nmax_interval = "1s"\nmax_per_day = 10000\nburst = 100\n')
fleet.deliver()
fleet.start()


def is_reported():
    # The pass after the interval is the timer's.
    return wait_for(lambda: fleet.deliver() and phone.reported() == fleet.failures, 40, 0.5)


try:
    check(fleet.join("web1").returncode == 0, "the member joins")
    fleet.members["web1"].start()
    fleet.fail("web1", 3)
    check(is_reported(), "what fails is reported", phone.reported())
    time.sleep(6)
    fleet.hub.kill(signal.SIGTERM)
    backup = fleet.path("backup")
    shutil.copytree(fleet.hub_state, backup)
    fleet.hub.start()
    for _ in range(3):
        fleet.fail("web1", 2)
        check(is_reported(), "and more of it, after the copy was made", phone.reported())
    before = dict(phone.known)
    # The members know what is reported, and keep what is not.
    time.sleep(8)
    phone.is_away = True
    fleet.fail("web1", 4)
    check(wait_for(lambda: len(recorded(fleet.hub_state)) == fleet.failures, 20), "the hub has what the phone does not take")
    check(wait_for(lambda: "waiting 0" in fleet.run_member("web1", "status").stdout, 60, 1), "and the member knows that it has it")
    time.sleep(8)
    fleet.hub.kill()

    shutil.rmtree(fleet.hub_state)
    shutil.copytree(backup, fleet.hub_state)
    phone.is_away = False
    fleet.hub.start()
    check(is_reported(), "what was not reported is, though no one said take-over", (phone.reported(), fleet.failures))
    fleet.fail("web1", 2)
    check(is_reported(), "and what comes then", (phone.reported(), fleet.failures))
    check(not phone.altered, "nothing new bears the key of what was sent before", phone.altered[:1])
    texts = {}
    for _, body in phone.posts:
        texts.setdefault(re.search(r"·a(\d+)", body)[1], set()).add(body)
    check(all(len(same) == 1 for same in texts.values()), "nor its number", texts)
    new = [body for key, body in phone.known.items() if key not in before]
    check(any("·a20001" in body for body in new), "they go on at the next round number", new[:1])
finally:
    fleet.end()
finish()
