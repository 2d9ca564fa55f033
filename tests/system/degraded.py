"""Something of ours is broken: logins go on as without us, and one clear line says what is wrong."""

import os
import subprocess
import time

import machine
from logins import ACCOUNT, ALICE, BOB, SSHD
from account import Place
from machine import logged
from report import equal, test, within
from terminal import ssh, su, sudo

WAYS = {
    "su, wrong": lambda: su("wrong"),
    "su, right": lambda: su(ALICE),
    "sudo, wrong": lambda: sudo("1", "2", "3"),
    "sudo, right": lambda: sudo(BOB),
    "ssh, wrong": lambda: ssh(SSHD, "alice", "password", "wrong"),
    "ssh, right after wrong": lambda: ssh(SSHD, "alice", "password", "wrong", ALICE),
    "ssh keyboard-interactive, right after wrong": lambda: ssh(SSHD, "alice", "keyboard-interactive", "wrong", ALICE),
}
# Of all ways, and the one that is in no hurry.
FAILURES = 1 + 3 + 1 + 1 + 1 + 1
# Of a program's run, beyond what it took without us: a machine that tests is busy.
MARGIN = 0.6
PLAIN = {}


def tried():
    """Every way: what was shown, the exit status, the seconds."""
    return {name: (terminal.shown(), status, took)
            for name, way in WAYS.items() for terminal, status, took in [way()]}


def logins_unharmed(line):
    """With `line` in the stacks every way ends as without it: words, exit status, time."""
    if not PLAIN:
        machine.stack_lines(delay=False)
        PLAIN.update(tried())
        again = tried()
        for name, (shown, status, took) in again.items():
            equal((shown, status), PLAIN[name][:2], name)
            PLAIN[name] = (shown, status, max(took, PLAIN[name][2]))
    machine.LOG.clear()
    # A worker runs in root's own processes alone, and as long as one sleeps over a wrong password. First: of those
    # that are ended at once, one may note what is wrong, and not live to say so.
    machine.stack_lines(line)
    equal(ssh(SSHD, "alice", "password", "wrong")[1], 255)
    machine.stack_lines(line, delay=False)
    found = tried()
    if any(took > PLAIN[name][2] + MARGIN for name, (_, _, took) in found.items()):
        # The machine may be busier than it was: what it takes without us is looked at again, now.
        machine.stack_lines(delay=False)
        for name, (shown, status, took) in tried().items():
            PLAIN[name] = (*PLAIN[name][:2], max(took, PLAIN[name][2]))
        machine.stack_lines(line, delay=False)
    for name, (shown, status, took) in found.items():
        equal((shown, status), PLAIN[name][:2], name)
        assert took <= PLAIN[name][2] + MARGIN, "%s took %.2f s, without us %.2f s" % (name, took, PLAIN[name][2])


def one_line(*words):
    """Syslog holds a line of ours with these words; no other of ours says anything else."""
    found = within(5, lambda: logged("authalert", *words), "a line of syslog with %r, in\n%s" % (
        words, "\n".join(logged("authalert"))))
    return found


def shown_by_status(here, *words):
    code, out, err = here.command("status")
    equal((code, err), (0, ""))
    lines = [line for line in out.splitlines() if all(word in line for word in words)]
    equal(len(lines), 1, "one line of status with %r:\n%s" % (words, out))


def mended(here, failures=FAILURES):
    """Once it is put right, everything that was recorded is posted."""
    here.configure()
    status = here.delivered()
    equal((status["recorded"], status["posted"], status["last_error"]), (failures, failures, None))


@test("the module's file is missing: logins go on, syslog and status name it", seconds=90)
def no_module():
    here = Place(ACCOUNT, "no-module")
    gone = os.path.join(here.path, "pam_authalert.so")
    logins_unharmed(here.line(module=gone))
    assert logged("unable to dlopen", gone), machine.LOG
    shown_by_status(here, gone, "missing")


@test("the configuration that the stack names is missing: logins go on, syslog and status name it, nothing is lost",
      seconds=90)
def no_configuration():
    here = Place(ACCOUNT, "no-configuration")
    os.remove(here.config)
    logins_unharmed(here.line())
    equal(len(one_line("nothing is sent", here.config, "No such file")), 1, "told once, not once a login")
    shown_by_status(here, "error", here.config, "No such file")
    mended(here)


@test("a setting is wrong: logins go on, syslog and status name file, line and what is accepted, alerts go out", seconds=90)
def malformed():
    here = Place(ACCOUNT, "malformed")
    with open(here.config, "a") as file:
        file.write("\n[deliver]\nin_proces = true\n")
    line = "line %d" % (open(here.config).read().count("\n"))
    logins_unharmed(here.line())
    # Nobody knows whether the network may be used in a login: it is not.
    here.command("deliver")
    equal(len(one_line(here.config, line, "in_process")), 1, "told once, not once a pass")
    here.command("deliver")
    equal(len(logged("authalert", here.config, line)), 1)
    shown_by_status(here, "error", here.config, line, "in_process")
    mended(here)


@test("the state directory is missing: logins go on, syslog and status name it", seconds=90)
def no_state():
    here = Place(ACCOUNT, "no-state")
    subprocess.run(["rm", "-r", here.state], check=True)
    logins_unharmed(here.line())
    one_line("could not be recorded", here.state, "No such file")
    shown_by_status(here, "error", here.state, "missing", "authalert deliver")
    assert not os.path.exists(here.state)
    equal(here.command("deliver")[0], 0)
    equal(os.stat(here.state).st_mode & 0o7777, 0o700)


@test("the state directory is read-only: logins go on, syslog and status say so", seconds=90)
def read_only_state():
    here = Place(ACCOUNT, "read-only")
    machine.mount("--bind", here.state, here.state)
    machine.mount("-o", "remount,bind,ro", here.state)
    try:
        logins_unharmed(here.line())
        one_line("could not be recorded", here.state, "Read-only file system")
        shown_by_status(here, "error", here.state, "Read-only file system")
        code, out, err = here.command("deliver")
        equal((code, out), (1, ""))
        assert here.state in err and "Read-only file system" in err, err
    finally:
        subprocess.run(["umount", here.state], check=True)


@test("the disk is full: logins go on, syslog says so", seconds=90)
def full():
    here = Place(ACCOUNT, "full")
    machine.mount("-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", here.state)
    try:
        os.mkdir(os.path.join(here.state, "journal"))
        with open(os.path.join(here.state, "ballast"), "wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        logins_unharmed(here.line())
        one_line("could not be recorded", here.state, "No space left")
    finally:
        subprocess.run(["umount", "-l", here.state], check=True)


@test("the credentials are readable by others: logins go on, syslog and status say how to mend it, nothing is lost",
      seconds=90)
def open_credentials():
    here = Place(ACCOUNT, "open-credentials")
    os.chmod(here.credentials, 0o644)
    before = len(ACCOUNT.posts())
    logins_unharmed(here.line())
    equal(len(one_line("alerts are not delivered", here.credentials, "chmod 600")), 1, "told once, not once a login")
    shown_by_status(here, "since", here.credentials, "chmod 600")
    equal(len(ACCOUNT.posts()), before, "they were not used")
    secrets = list(here.account.keys.values())
    assert not [line for line in machine.LOG if any(secret in line for secret in secrets)], "a secret in syslog"
    mended(here)


@test("X cannot be reached: logins go on, syslog and status say so, and everything is posted later", seconds=90)
def unreachable():
    here = Place(ACCOUNT, "unreachable")
    here.configure(url="https://127.0.0.1:9")
    logins_unharmed(here.line())
    equal(len(one_line("alerts are not delivered", "127.0.0.1:9")), 1, "told once, not once a login")
    shown_by_status(here, "since", "127.0.0.1:9")
    mended(here)


@test("X takes the connection and never answers: logins go on and end as soon as ever, and it is told", seconds=120)
def hanging():
    here = Place(ACCOUNT, "hanging")
    here.configure(timeout="20s")
    ACCOUNT.behave(default={"hang": True})
    try:
        logins_unharmed(here.line())
        here.configure(timeout="1s")
        code, out, err = here.command("deliver", "--now")
        # The timeline is another receiver.
        equal((code, [line for line in out.splitlines() if not line.startswith("timeline: ")]), (1, []))
        shown_by_status(here, "since", err.split("authalert: x: ")[1].split(";")[0][:30])
        one_line("alerts are not delivered", "127.0.0.1")
    finally:
        ACCOUNT.behave()
    mended(here)


@test("the stand-in's other moods, a 503 and a refusal of the key, change no login either", seconds=120)
def moods():
    for name in ("unauthorized", None):
        here = Place(ACCOUNT, "mood-%s" % name)
        ACCOUNT.behave(default={"name": name} if name else {"status": 503, "body": "busy"})
        try:
            logins_unharmed(here.line())
            status = here.status()
            assert status["last_error"], status
            equal(status["recorded"], FAILURES)
        finally:
            ACCOUNT.behave()
        time.sleep(0.1)
        mended(here)
