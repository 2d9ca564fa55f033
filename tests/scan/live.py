"""Real programs, real log daemons: sshd, su, sudo and login, under rsyslog in two forms and journald, the module and a scan
every second both at work. What is typed is recorded, once.
"""

import atexit
import collections
import concurrent.futures
import json
import os
import subprocess
import threading
import time
import zlib

import machine
from machine import USERS
from report import equal, test, within
from state import COMMAND, State
from terminal import Terminal, ssh, su, sudo

ALICE, BOB = USERS["alice"][1], USERS["bob"][1]
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
    machine.copied("/etc/systemd/journald.conf")
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
SSHD = machine.Sshd()
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


def login(user, answer):
    terminal = Terminal(["/bin/login"])
    terminal.expect("login: ").type(user).expect("Password: ").type(answer).expect("Login incorrect", 20)
    terminal.hang_up()


def leave(user, method, answers=()):
    """Type wrong answers, and be gone at the next prompt, or while sshd sleeps over the last one."""
    terminal = Terminal(SSHD.client(user, method))
    for answer in answers:
        terminal.expect(r"(?i)password: ?$").type(answer)
    if answers:
        time.sleep(0.7)
    else:
        terminal.expect(r"(?i)password: ?$")
    terminal.hang_up()


def remote(user, method, *answers):
    return lambda: ssh(SSHD, user, method, *answers)


# What a person does, and how often that fails as which service and user.
SUDO_THREE = [(lambda: sudo("1", "2", "3"), {("sudo", "bob"): 3})]
SUDO = [(lambda: sudo("1", BOB), {("sudo", "bob"): 1}), (lambda: sudo(BOB), {}), (lambda: sudo("\x04"), {})]
SU = [(lambda: su("wrong"), {("su", "alice"): 1}), (lambda: su(ALICE), {}), (lambda: su("\x04"), {}),
      (lambda: su("wrong", to="root"), {("su", "root"): 1})]
LOGIN = [(lambda: login("alice", "wrong"), {("login", "alice"): 1})]
REMOTE = []
for way in ("password", "keyboard-interactive"):
    REMOTE += [
        (remote("alice", way, "wrong"), {("sshd", "alice"): 1}),
        (remote("alice", way, "1", "2", ALICE), {("sshd", "alice"): 2}),
        (remote("bob", way, "1", "2", "3"), {("sshd", "bob"): 3}),
        (remote("alice", way, ALICE), {}),
        (remote("nobody-here", way, "guess"), {("sshd", "unknown"): 1}),
        (remote("root", way, "toor", "root"), {("sshd", "root"): 2}),
        (lambda way=way: leave("bob", way), {}),
        (lambda way=way: leave("bob", way, ["wrong"]), {("sshd", "bob"): 1}),
    ]
FIFTY = 2 * (REMOTE + SU + SUDO_THREE + SUDO) + 2 * LOGIN


def done(deeds):
    """Do all that, some at the same time; gives what should be told of it."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        # su and sudo log without a pid: one person does one after the other.
        at_once = [deed for deed, _ in deeds if (deed, _) in REMOTE + LOGIN]
        in_turn = [deed for deed, _ in deeds if (deed, _) not in REMOTE + LOGIN]
        running = [pool.submit(deed) for deed in at_once]
        for deed in in_turn:
            deed()
        for future in running:
            future.result()
    return sum((collections.Counter(told) for _, told in deeds), collections.Counter())


@test("module and scan at once, 50 mixed visits, three logs that tell the same: every failure recorded, by the module, once",
      seconds=150)
def both():
    with Machine(*machine.SERVICES) as here:
        expected = done(FIFTY)
        here.settle()
        passes = here.passes
    assert len(FIFTY) >= 50 and passes > 10, (len(FIFTY), passes)
    print("    %d visits, %d failures, %d passes" % (len(FIFTY), sum(expected.values()), passes), flush=True)
    equal(here.told("log"), {}, "told by the log again")
    equal(here.told(), expected, here.shown())
    assert here.balanced()


@test("the module stands in sshd alone: su, sudo and login come through the log, everything once", seconds=120)
def mixed():
    with Machine("sshd") as here:
        expected = done(REMOTE + SU + SUDO_THREE + LOGIN)
        here.settle()
    equal(here.told(), expected, here.shown())
    remote_ones = {key: n for key, n in expected.items() if key[0] == "sshd"}
    equal(here.told("pam"), remote_ones)
    assert here.balanced()


@test("no module at all: each log tells every failure, and together they tell it once", seconds=120)
def bare():
    with Machine() as here:
        expected = done(REMOTE + SU + SUDO_THREE + SUDO + LOGIN)
        here.settle()
    equal(here.told("pam"), {})
    equal(here.told(), expected, here.shown())
    for name, told in here.in_each_log().items():
        equal(told, expected, "by %s alone" % name)


def entries(count):
    """Failures in the systemd journal alone, each by a process of its own."""
    words = ["logger", "--socket", "/run/systemd/journal/dev-log", "-p", "authpriv.info", "-t", "sshd"]
    before = os.path.getsize(os.path.join(BASE, LOGS[1]))
    for _ in range(count):
        subprocess.run([*words, "Failed password for alice from 192.0.2.9 port 5 ssh2"], check=True, timeout=10)
    within(10, lambda: os.path.getsize(os.path.join(BASE, LOGS[1])) > before, "they arrive")


class JournalAlone(Machine):
    """journald is the only log that is scanned."""

    def __init__(self):
        super().__init__()
        with open(self.config, "w") as file:
            file.write('receiver = "timeline"\n[scan]\nfiles = []\njournald = true\n')
        self.passed()

    def total(self):
        return sum(self.told().values())


@test("the systemd journal is emptied, or its place is none: what comes is told once, and what was told is not again",
      seconds=120)
def vacuumed():
    here = JournalAlone()
    entries(3)
    time.sleep(SETTLED)
    here.passed()
    equal(here.total(), 3, here.shown())
    # Everything that was read is thrown away.
    for words in (["--rotate"], ["--vacuum-files=1"]):
        done = subprocess.run(["journalctl", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
        equal(done.returncode, 0, done.stdout)
    entries(2)
    time.sleep(SETTLED)
    here.passed()
    equal(here.total(), 5, here.shown())
    # A place that no journal ever had; what was open goes with it.
    entries(2)
    path = os.path.join(here.state, "scan.json")
    here.passed()
    with open(path) as file:
        state = json.load(file)["state"]
    state["streams"]["journald"]["cursor"]["cursor"] = "no cursor"
    text = json.dumps(state, separators=(",", ":"))
    with open(path, "w") as file:
        file.write('{"crc":"%08x","state":%s}\n' % (zlib.crc32(text.encode()), text))
    entries(1)
    here.passed()
    time.sleep(SETTLED)
    here.passed()
    equal(here.total(), 8, here.shown())
    assert here.balanced()


@test("journalctl is not there: it is said, and the other logs are read", seconds=60)
def no_journalctl():
    here = Machine()
    entries(1)
    nothing = os.path.join(machine.ROOM, "nothing")
    os.mkdir(nothing)
    time.sleep(SETTLED)
    tool = os.path.realpath("/usr/bin/journalctl")
    empty = os.path.join(nothing, "journalctl")
    open(empty, "w").close()
    machine.mount("--bind", empty, tool)
    try:
        status, said = here.scan()
        equal(status, 1, said)
        assert "systemd journal" in said, said
        equal(sum(here.told().values()), 1, here.shown())
    finally:
        subprocess.run(["umount", tool], check=True)
    here.passed()
    equal(sum(here.told().values()), 1, here.shown())


@test("the journal cannot be written for a while: whoever records later, the module's worker or the scan, it is once",
      seconds=200)
def unwritable():
    here = Machine("sshd", "su", "sudo")
    machine.mount("--bind", here.state, here.state)
    machine.mount("-o", "remount,bind,ro", here.state)
    try:
        su("wrong")
        ssh(SSHD, "alice", "password", "wrong")
        # The worker of this one lives, and tries each second.
        terminal = Terminal(SSHD.client("bob", "password"))
        terminal.expect(r"(?i)password: ?$").type("wrong").expect(r"(?i)password: ?$")
        status, said = here.scan()
        equal(status, 1, said)
        time.sleep(SETTLED)
        equal(here.records(), [])
    finally:
        subprocess.run(["umount", here.state], check=True)
    with here:
        within(10, lambda: here.told("pam")["sshd", "bob"] == 1, "the worker that lives records its failure")
        terminal.hang_up()
        expected = {("su", "alice"): 1, ("sshd", "alice"): 1, ("sshd", "bob"): 1}
        within(120, lambda: sum(here.told().values()) >= 3, "the scan records the others")
        equal(here.told(), expected, here.shown())
        time.sleep(3)
    equal(here.told(), expected, here.shown())
    equal(here.wrong, [])
