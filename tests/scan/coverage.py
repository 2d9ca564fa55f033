"""Where the module knows better than the log: real su with the module, real log daemons, and lines that nobody's failure
stands behind.
"""

import glob
import json
import os
import shutil
import subprocess
import time

import machine
from logs import SETTLED, Machine
from report import equal, test
from terminal import su

# How long the module's worker is waited for; see src/scan/grace.rs.
GRACE = 95
MADE_UP = "pam_unix(su:auth): authentication failure; logname=bob uid=64102 euid=0 tty=pts/0 ruser=bob rhost=  user=alice"


def made_up(number):
    """A line of a failure that never was, as anybody may write it."""
    words = ["logger", "--socket", "/run/systemd/journal/dev-log", "-p", "authpriv.info", "-t", "su[%d]" % number, MADE_UP]
    subprocess.run(words, check=True, timeout=10)


def complaint(number):
    words = ["logger", "--socket", "/run/systemd/journal/dev-log", "-p", "authpriv.err", "-t", "su[%d]" % number,
             "pam_authalert: a failed authentication could not be recorded in /var/lib/authalert: No space left on device; "
             "the login is not affected; see 'authalert check'"]
    subprocess.run(words, check=True, timeout=10)


def service(here):
    """What is said of su."""
    found = [s for s in here.status()["scan"]["services"] if s["service"] == "su"]
    return found[0] if found else None


class OneLog(Machine):
    """One log alone: two would tell of each line twice."""

    def __init__(self, *services):
        super().__init__(*services)
        self.logs = self.logs[1:]
        # As if the others had never been read.
        os.unlink(os.path.join(self.state, "scan.json"))
        with open(self.config, "w") as file:
            file.write('receiver = "timeline"\n[scan]\nfiles = %s\n' % json.dumps(self.logs))
        self.passed()

    def wait(self, seconds):
        for _ in range(int(seconds / 5) + 1):
            time.sleep(5)
            self.passed()


@test("a line that no failure stands behind is not recorded where the module is heard, and is where it is not", seconds=480)
def made_up_lines():
    here = OneLog("su")
    unheard = OneLog()
    # Written by the stacks of the second: the module has to stand in su again.
    machine.stack_lines()
    with open(os.path.join(machine.STACKS, "su"), "w") as file:
        file.write("auth optional %s state=%s config=%s\n%s" % (
            machine.MODULE, here.state, here.config, machine.PLAIN["su"]))
    su("wrong")
    here.wait(SETTLED)
    equal(here.told(), {("su", "alice"): 1}, here.shown())
    equal(service(here)["is_alive"], True)
    for number in (4001, 4002):
        made_up(number)
    here.wait(GRACE + SETTLED)
    unheard.passed()
    equal(here.told(), {("su", "alice"): 1}, here.shown())
    equal((service(here)["doubted"], service(here)["dismissed"]), (2, 0))
    equal(unheard.told()["su", "alice"], 3, "the failure and both lines: " + unheard.shown())
    # It is alive still: what came before its next record was nothing.
    su("wrong")
    here.wait(SETTLED)
    equal((service(here)["doubted"], service(here)["dismissed"]), (0, 2), repr(service(here)))
    # The attempt of which it complains is one, although it was heard before.
    complaint(4010)
    made_up(4010)
    here.wait(GRACE + SETTLED)
    equal(here.told(), {("su", "alice"): 3}, here.shown())
    assert here.balanced()


@test("a module that dies without a word: every failure is recorded, late, and 'check' says so", seconds=300)
def dies():
    here = OneLog("su")
    su("wrong")
    here.wait(SETTLED)
    equal(here.told("pam"), {("su", "alice"): 1}, here.shown())
    # Its line is there, and another library under its name hears nothing.
    permit, = glob.glob("/usr/lib/*/security/pam_permit.so")
    copy = os.path.join(machine.ROOM, "module.so")
    shutil.copy(permit, copy)
    machine.mount("--bind", copy, machine.MODULE)
    try:
        for _ in range(6):
            su("wrong")
        here.wait(GRACE + SETTLED)
        equal(here.told(), {("su", "alice"): 7}, here.shown())
        equal(here.told("log"), {("su", "alice"): 6}, here.shown())
        said = subprocess.run(here.command("check", "--offline"), stdout=subprocess.PIPE, text=True, timeout=60).stdout
        assert "the module is in the stack of su and recorded none of the last" in said, said
    finally:
        subprocess.run(["umount", machine.MODULE], check=True)
    assert here.balanced()


@test("who is in where a module is silent: the login is recorded at once, though its failures are waited for, and is held against it",
      seconds=240)
def in_meanwhile():
    here = OneLog("su")
    permit, = glob.glob("/usr/lib/*/security/pam_permit.so")
    copy = os.path.join(machine.ROOM, "silent.so")
    shutil.copy(permit, copy)
    machine.mount("--bind", copy, machine.MODULE)
    try:
        for _ in range(6):
            su("wrong")
        su(machine.USERS["alice"][1])
        here.wait(SETTLED)
        seen = [(record["class"], record["route"]) for record in here.records()]
        equal(seen, [("login", "log")], here.shown())
        here.wait(GRACE)
        equal(here.told("log"), {("su", "alice"): 6}, here.shown())
        said = subprocess.run(here.command("timeline"), stdout=subprocess.PIPE, text=True, timeout=60).stdout
        equal(said.count("BREAK-IN?"), 1, said)
    finally:
        subprocess.run(["umount", machine.MODULE], check=True)
    assert here.balanced()
