"""A machine with real log daemons, journald and rsyslog in two forms of file, and state directories whose scan reads them."""

import atexit
import collections
import json
import os
import subprocess
import threading
import time

import machine
from machine import USERS
from report import equal, within
from state import COMMAND, State

LOGS = ("traditional.log", "rfc3339.log")
RSYSLOG = """
module(load="imuxsock" SysSock.Name="/run/systemd/journal/syslog")
auth,authpriv.* action(type="omfile" file="%(base)s/traditional.log" template="RSYSLOG_TraditionalFileFormat")
auth,authpriv.* action(type="omfile" file="%(base)s/rfc3339.log" template="RSYSLOG_FileFormat")
"""
JOURNALD = "[Journal]\nStorage=persistent\nForwardToSyslog=yes\nRateLimitIntervalSec=0\n"
# Evidence is settled after ten seconds, by stamps of whole seconds.
SETTLED = 12


def daemon(*words):
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    atexit.register(process.wait)
    atexit.register(process.terminate)


def log_daemons():
    """journald behind /dev/log, and rsyslog behind journald, as on a Debian that has both."""
    os.unlink("/dev/log")
    os.makedirs("/run/systemd/journal")
    os.makedirs("/var/log/journal")
    base = os.path.join(machine.ROOM, "logs")
    os.mkdir(base)
    for name, text in (("journald.conf", JOURNALD), ("rsyslog.conf", RSYSLOG % {"base": base})):
        with open(os.path.join(machine.ROOM, name), "w") as file:
            file.write(text)
    with open("/etc/systemd/journald.conf", "w") as file:
        file.write(JOURNALD)
    daemon("/lib/systemd/systemd-journald")
    within(10, lambda: os.path.exists("/run/systemd/journal/dev-log"), "journald listens")
    os.symlink("/run/systemd/journal/dev-log", "/dev/log")
    daemon("/usr/sbin/rsyslogd", "-n", "-f", os.path.join(machine.ROOM, "rsyslog.conf"), "-i",
           os.path.join(machine.ROOM, "rsyslogd.pid"))
    within(10, lambda: os.path.exists("/run/systemd/journal/syslog"), "rsyslog listens")

    def arrived():
        subprocess.run(["logger", "-p", "auth.info", "-t", "probe", "here"], check=True, timeout=10)
        time.sleep(0.2)
        return all(os.path.exists(os.path.join(base, name)) for name in LOGS)
    within(20, arrived, "a line arrives in both files")
    entries = subprocess.run(["journalctl", "--quiet", "--no-pager", "-t", "probe"], stdout=subprocess.PIPE, timeout=20)
    assert b"here" in entries.stdout, "and in the journal"
    return base


BASE = log_daemons()
NUMBER = iter(range(100))


class Machine(State):
    """A state directory, scanned every second; the module records there in the services that are named."""

    def __init__(self, *services):
        base = os.path.join(machine.ROOM, "scan-%d" % next(NUMBER))
        os.mkdir(base, 0o700)
        super().__init__([os.path.join(BASE, name) for name in LOGS], base)
        with open(self.config, "a") as file:
            file.write("journald = true\n")
        machine.stack_lines()
        for service in services:
            with open(os.path.join(machine.STACKS, service), "w") as file:
                file.write("auth optional %s state=%s config=%s\n%s" % (
                    machine.MODULE, self.state, self.config, machine.PLAIN[service]))
        self.sizes = [os.path.getsize(path) for path in self.logs]
        self.begun = time.time()
        self.passed()

    def __enter__(self):
        self.stop, self.wrong, self.passes = threading.Event(), [], 0
        self.thread = threading.Thread(target=self.loop)
        self.thread.start()
        return self

    def loop(self):
        while not self.stop.wait(1):
            status, said = self.scan()
            self.passes += 1
            if status != 0:
                self.wrong.append(said)

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def settle(self):
        time.sleep(SETTLED)
        self.passed()
        equal(self.wrong, [])

    def told(self, route=None):
        """Failures in the journal, by service and user."""
        sums = collections.Counter()
        for record in self.records():
            if record["class"] == "failure" and route in (None, record["route"]):
                service = record["service"].split("-")[0]
                user = record.get("user", "")
                sums[service, user if user in USERS or user == "root" else "unknown"] += record.get("count", 1)
        return sums

    def shown(self):
        """The records, one a line, for whoever looks for what is wrong."""
        return "\n" + "\n".join(json.dumps({key: r.get(key) for key in (
            "time", "route", "class", "service", "pid", "ppid", "user", "ruser", "count", "origin")})
            for r in sorted(self.records(), key=lambda r: r["time"]))

    def in_each_log(self):
        """What every log tells by itself, without the others and without the module."""
        time.sleep(SETTLED)
        words = [("journald", ["--journald", "--since", "%ds" % (time.time() - self.begun + 1)])]
        for path, size in zip(self.logs, self.sizes):
            part = os.path.join(self.base, os.path.basename(path))
            with open(path, "rb") as log, open(part, "wb") as file:
                log.seek(size)
                file.write(log.read())
            words.append((os.path.basename(path), [part]))
        fresh = os.path.join(self.base, "fresh")
        os.makedirs(os.path.join(fresh, "journal"))
        found = {}
        for name, arguments in words:
            sums = collections.Counter()
            # A state of its own: nothing is known there.
            done = subprocess.run([COMMAND, "--state", fresh, "scan", "--dry-run", "--json", *arguments],
                                  stdout=subprocess.PIPE, check=True, timeout=60)
            for row in map(json.loads, done.stdout.splitlines()):
                user = row["user"] if row["user"] in USERS or row["user"] == "root" else "unknown"
                sums[row["service"].split("-")[0], user] += row["count"]
            found[name] = sums
        return found
