"""Real programs, real log daemons: sshd, su, sudo and login, under rsyslog in two forms and journald, the module and a scan
every second both at work. What is typed is recorded, once.
"""

import collections
import concurrent.futures
import contextlib
import fcntl
import os
import socket
import subprocess
import time

import machine
from logs import BASE, LOGS, SETTLED, Machine
from machine import USERS
from report import equal, test, within
from state import change_checkpoint
from terminal import Terminal, ssh, su, sudo

ALICE, BOB = USERS["alice"][1], USERS["bob"][1]
SSHD = machine.Sshd()


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
# PAM's delay is one and a half seconds at least: in a log with stamps of whole seconds, two that are one apart may as well be of
# a second module that accepts at once.
SUDO = [(lambda: sudo("1", BOB, pause=1), {("sudo", "bob"): 1}), (lambda: sudo(BOB), {}), (lambda: sudo("\x04"), {})]
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
        # Who names a user and goes away is an attempt by the log's word; the module knows that nothing was answered.
        expected["sshd", "bob"] += 2
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
    here.passed()
    change_checkpoint(here.state, lambda checkpoint: checkpoint["streams"]["journald"]["cursor"].update(cursor="no cursor"))
    entries(1)
    here.passed()
    time.sleep(SETTLED)
    here.passed()
    equal(here.total(), 8, here.shown())
    assert here.balanced()


@test("what programs say in their own words is read in the systemd journal, to whatever facility they say it", seconds=60)
def in_their_own_words():
    here = JournalAlone()
    for priority, tag, line in (
        ("mail.warning", "postfix/smtpd", "warning: c.example.org[192.0.2.9]: SASL LOGIN authentication failed: "
         "authentication failure, sasl_username=alice"),
        ("ftp.warning", "pure-ftpd", "(?@192.0.2.9) [WARNING] Authentication failed for user [alice]"),
        ("daemon.err", "pvedaemon", "authentication failure; rhost=::ffff:192.0.2.9 user=root@pam msg=no such user"),
        ("daemon.info", "nobody-wrote-rules", "Authentication failed for user [alice]"),
    ):
        words = ["logger", "--socket", "/run/systemd/journal/dev-log", "-p", priority, "-t", tag, line]
        subprocess.run(words, check=True, timeout=10)
    time.sleep(SETTLED)
    here.passed()
    told = {service: count for (service, _), count in here.told().items()}
    equal(told, {"smtp": 1, "pure": 1, "pvedaemon": 1}, here.shown())


@test("a user writes a message of 64 MB of zeros to the systemd journal: it costs a scan no more memory than a few of its own", seconds=60)
def large_message():
    here = JournalAlone()
    size = 64 << 20
    file = os.memfd_create("message", os.MFD_ALLOW_SEALING)
    os.write(file, b"SYSLOG_IDENTIFIER=sshd\nSYSLOG_FACILITY=10\nMESSAGE\n" + size.to_bytes(8, "little"))
    for _ in range(size >> 20):
        os.write(file, bytes(1 << 20))
    os.write(file, b"\n")
    # As sd_journal_send does with what is no datagram.
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.connect("/run/systemd/journal/socket")
        socket.send_fds(log, [b""], [file])
    os.close(file)
    entries(1)
    time.sleep(SETTLED)
    child = subprocess.Popen(here.command("scan"), stdin=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    equal(status, 0)
    equal(here.total(), 1, here.shown())
    # Of journalctl too, which the scan waited for.
    assert used.ru_maxrss < 4 * size >> 10, used.ru_maxrss


@contextlib.contextmanager
def journalctl(text, mode):
    """Another one in its place."""
    tool, other = os.path.realpath("/usr/bin/journalctl"), os.path.join(machine.ROOM, "journalctl")
    with open(other, "w") as file:
        file.write(text)
    os.chmod(other, mode)
    machine.mount("--bind", other, tool)
    try:
        yield
    finally:
        subprocess.run(["umount", tool], check=True)


@test("journalctl is not there: it is said, and the other logs are read", seconds=60)
def no_journalctl():
    here = Machine()
    entries(1)
    time.sleep(SETTLED)
    with journalctl("", 0o644):
        status, said = here.scan()
        equal(status, 1, said)
        assert "systemd journal" in said, said
        equal(sum(here.told().values()), 1, here.shown())
    here.passed()
    equal(sum(here.told().values()), 1, here.shown())


@test("journalctl hangs: a delivery pass does not wait for it, and status not for long", seconds=120)
def hanging_journalctl():
    here = JournalAlone()
    with journalctl("#!/bin/sh\nexec sleep 100\n", 0o755):
        for words in (["deliver", "--now"], ["status"]):
            begun = time.monotonic()
            done = subprocess.run(here.command(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=60)
            equal(done.returncode, 0, done.stdout)
            assert time.monotonic() - begun < 20, words


@test("the journal cannot be written for a while: the log route records what the module could not, once",
      seconds=200)
def unwritable():
    here = Machine("sshd", "su", "sudo")
    machine.mount("--bind", here.state, here.state)
    machine.mount("-o", "remount,bind,ro", here.state)
    try:
        su("wrong")
        ssh(SSHD, "alice", "password", "wrong")
        terminal = Terminal(SSHD.client("bob", "password"))
        terminal.expect(r"(?i)password: ?$").type("wrong").expect(r"(?i)password: ?$")
        status, said = here.scan()
        equal(status, 1, said)
        time.sleep(SETTLED)
        equal(here.records(), [])
    finally:
        subprocess.run(["umount", here.state], check=True)
    with here:
        terminal.hang_up()
        expected = {("su", "alice"): 1, ("sshd", "alice"): 1, ("sshd", "bob"): 1}
        within(120, lambda: sum(here.told().values()) >= 3, "the scan records what the module could not")
        equal(here.told(), expected, here.shown())
        time.sleep(3)
    equal(here.told(), expected, here.shown())
    equal(here.wrong, [])
