"""The source of the log changes: a log daemon is installed and removed, its file is left behind, the systemd journal moves
to the disk. su and sudo fail forty times around each change, unguarded: forty are recorded, none twice.

Real rsyslogd and journald; the machine has the logs that the configuration does not name, so that the scan chooses.
"""

import collections
import os
import re
import signal
import subprocess
import time

import machine
from report import equal, test, within
from state import State, attempts, change_checkpoint, different
from terminal import su, sudo

JOURNALD = "[Journal]\nStorage=%s\nForwardToSyslog=yes\nRateLimitIntervalSec=0\n"
RSYSLOG = """
module(load="imuxsock" SysSock.Name="/run/systemd/journal/syslog")
auth,authpriv.* action(type="omfile" file="/var/log/auth.log" template="RSYSLOG_FileFormat")
"""
FILE = "/var/log/auth.log"
# Evidence is settled after ten seconds.
SETTLED = 12
# A file that was written so recently is in use; see src/scan/choice.rs.
IN_USE = 32
NUMBER = iter(range(100))


class Daemons:
    """journald behind /dev/log, and rsyslog behind it where it runs. A system of their own each: no test inherits lines."""

    def __init__(self, storage="volatile"):
        for place in ("/run/systemd/journal", "/run/log", "/var/log"):
            os.makedirs(place, exist_ok=True)
            machine.mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", place)
        if storage == "persistent":
            os.makedirs("/var/log/journal")
        self.journald = self.rsyslog = None
        if os.path.lexists("/dev/log"):
            os.unlink("/dev/log")
        os.symlink("/run/systemd/journal/dev-log", "/dev/log")
        self.start_journald(storage)

    def start_journald(self, storage):
        with open("/etc/systemd/journald.conf", "w") as file:
            file.write(JOURNALD % storage)
        self.journald = subprocess.Popen(["/lib/systemd/systemd-journald"], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        within(10, lambda: os.path.exists("/run/systemd/journal/dev-log"), "journald listens")
        within(10, lambda: self.arrives(lambda: subprocess.run(
            ["journalctl", "-q", "-n1", "-t", "probe"], stdout=subprocess.PIPE, timeout=20).stdout), "journald takes lines")

    def arrives(self, is_there):
        subprocess.run(["logger", "-p", "auth.info", "-t", "probe", "here"], timeout=10)
        time.sleep(0.2)
        return is_there()

    def make_persistent(self):
        """As an administrator does it: the directory, the setting, a restart, what was volatile moved."""
        os.makedirs("/var/log/journal")
        self.end("journald")
        self.start_journald("persistent")
        self.journald.send_signal(signal.SIGUSR1)
        within(10, lambda: any("system.journal" in names for _, _, names in os.walk("/var/log/journal")),
               "journald writes to the disk")

    def install_rsyslog(self):
        path = os.path.join(machine.ROOM, "rsyslog-%d.conf" % next(NUMBER))
        with open(path, "w") as file:
            file.write(RSYSLOG)
        pid = path + ".pid"
        self.rsyslog = subprocess.Popen(["/usr/sbin/rsyslogd", "-n", "-f", path, "-i", pid], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        within(20, lambda: self.arrives(lambda: os.path.exists(FILE)), "rsyslog writes its file")

    def end(self, which):
        process = getattr(self, which)
        if process:
            process.terminate()
            process.wait(20)
            setattr(self, which, None)
        if which == "rsyslog" and os.path.exists("/run/systemd/journal/syslog"):
            os.unlink("/run/systemd/journal/syslog")

    def stop(self):
        self.end("rsyslog")
        self.end("journald")
        if os.path.lexists("/dev/log"):
            os.unlink("/dev/log")
        for place in ("/var/log", "/run/log", "/run/systemd/journal"):
            subprocess.run(["umount", "-l", place], check=True, timeout=10)


class Chosen(State):
    """A state directory whose scan reads what the machine has."""

    def __init__(self):
        base = os.path.join(machine.ROOM, "sources-%d" % next(NUMBER))
        os.mkdir(base, 0o700)
        super().__init__(base=base)
        with open(self.config, "w") as file:
            file.write('receiver = "timeline"\n[alerts]\nmax_per_day = 10000\nburst = 1000\n')
        machine.stack_lines(delay=False)
        self.passed()

    def told(self):
        return sum(record.get("count", 1) for record in self.records() if record["class"] == "failure")

    def sources(self):
        return re.search(r"waiting for the next pass \((.*)\)", self.passed()).group(1).split(", ")


def fail(times):
    """As many failures, half of them at su and half at sudo."""
    for n in range(times):
        if n % 2:
            # Who gets in within the second was refused by another module of the stack: libpam's delay, which these
            # stacks have not, is longer.
            sudo("wrong", machine.USERS["bob"][1], pause=1.2)
        else:
            su("wrong")


def around(change, here, before=20, after=20):
    """Failures on both sides of a change, with passes at every place: those before are read, open, or not seen yet."""
    fail(before // 2)
    here.passed()
    fail(before - before // 2)
    change()
    fail(after // 2)
    here.passed()
    fail(after - after // 2)
    here.passed()


def settled(here, expected):
    for _ in range(3):
        time.sleep(SETTLED)
        here.passed()
    equal(here.told(), expected, here.shown())
    assert here.balanced(), here.status()


def shown(self):
    return "\n" + "\n".join("%s %s %s %s %s" % (r["time"], r["route"], r["service"], r.get("pid"), r.get("origin"))
                            for r in sorted(self.records(), key=lambda r: r["time"]))


Chosen.shown = shown


@test("rsyslog is installed where the systemd journal was read: 40 failures around it are recorded, none twice", seconds=300)
def installed():
    daemons = Daemons()
    try:
        here = Chosen()
        equal(here.sources(), ["journald"])
        around(daemons.install_rsyslog, here)
        assert FILE in here.sources(), here.sources()
        settled(here, 40)
    finally:
        daemons.stop()


@test("rsyslog is removed and its file left behind: 40 failures around it are recorded, none twice", seconds=400)
def removed():
    daemons = Daemons()
    try:
        daemons.install_rsyslog()
        here = Chosen()
        equal(here.sources(), [FILE])
        around(lambda: daemons.end("rsyslog"), here)
        # Nobody can know sooner that it is not only quiet.
        time.sleep(IN_USE)
        fail(2)
        assert "journald" in here.sources(), here.sources()
        settled(here, 42)
        daemons.install_rsyslog()
        fail(4)
        assert FILE in here.sources(), here.sources()
        settled(here, 46)
    finally:
        daemons.stop()


@test("rsyslog is removed with its file: 40 failures around it are recorded, none twice", seconds=300)
def removed_with_its_file():
    daemons = Daemons()
    try:
        daemons.install_rsyslog()
        here = Chosen()

        def remove():
            daemons.end("rsyslog")
            os.unlink(FILE)
        fail(10)
        here.passed()
        fail(10)
        remove()
        fail(20)
        equal(here.sources(), ["journald"])
        settled(here, 40)
    finally:
        daemons.stop()


@test("what failed before the first pass is recorded by no source that comes later", seconds=300)
def before_the_first_pass():
    daemons = Daemons()
    try:
        daemons.install_rsyslog()
        fail(6)
        time.sleep(2)
        here = Chosen()
        equal(here.sources(), [FILE])
        fail(4)
        daemons.end("rsyslog")
        os.unlink(FILE)
        fail(4)
        equal(here.sources(), ["journald"])
        settled(here, 8)
    finally:
        daemons.stop()


@test("the systemd journal moves from memory to the disk: 40 failures around it are recorded, none twice", seconds=300)
def persistent():
    daemons = Daemons()
    try:
        here = Chosen()
        around(daemons.make_persistent, here)
        equal(here.sources(), ["journald"])
        settled(here, 40)
    finally:
        daemons.stop()


@test("a log that the configuration names and that comes later is read from the time of the last pass", seconds=120)
def named_later():
    state = State(("auth.log", "later.log"))
    with open(state.log, "w") as file:
        file.write("2026-01-05T00:00:00+00:00 srv cron[1]: first\n")
    state.passed()
    # The installation is older than the last pass.
    change_checkpoint(state.state, lambda checkpoint: checkpoint.update(begun=checkpoint["begun"] - 86400 * 1000000))
    with open(state.logs[1], "w") as file:
        file.writelines(attempts(99, ago=7200))
        for pid in range(100, 140):
            file.writelines(attempts(pid))
    state.passed()
    wrong = different(state.counts(), collections.Counter(range(100, 140)))
    assert not wrong and state.balanced(), wrong
    state.remove()
