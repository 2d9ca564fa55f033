"""Logins: which are recorded after failures, which by the session line, and none twice."""

import os
import struct
import time

from report import equal, test
from stage import AUTH_ERR, SUCCESS, Stage

DEBIAN = ["[success=1 default=ignore] DOOR prompt", "requisite pam_deny.so", "required pam_permit.so"]
MINUTES, PLACES = 8192, 32768


def marks(stage):
    return os.path.join(stage.state, "journal", "marks")


def header(made):
    return struct.pack("=4sII", b"AAM2", made, made ^ 0xFFFFFFFF)


def old_marks(stage):
    """As they are when nothing failed for days."""
    with open(marks(stage), "wb") as file:
        file.write(header(1).ljust(MINUTES + 4 * PLACES, b"\0"))


def guarded(session=False):
    stage = Stage()
    stage.service("door", stage.ours(), *DEBIAN,
                  session=([stage.ours()] if session else []) + ["required pam_permit.so"])
    old_marks(stage)
    return stage


def attempt(stage, user, rhost, *commands, answer="right", service="door"):
    told = stage.host(service, "start", *(["item=4:" + rhost.encode().hex()] if rhost else []), "answer=" + answer,
                      *(commands or ["auth"]), "end", user=user)
    return [line["code"] for line in told if line.get("do") in ("auth", "open", "fork-auth")]


def seen(stage):
    return [(r["class"], r["user"]) for r in stage.records()]


@test("a login is recorded where its source or its account failed within a day, and nowhere else")
def after_failures():
    stage = guarded()
    equal(attempt(stage, "alice", "192.0.2.7"), [SUCCESS])
    equal(seen(stage), [])
    equal(attempt(stage, "alice", "192.0.2.7", answer="wrong"), [AUTH_ERR])
    for user, rhost in (("bob", "192.0.2.7"), ("alice", "192.0.2.8"), ("carol", "192.0.2.9"), ("192.0.2.7", "alice")):
        equal(attempt(stage, user, rhost), [SUCCESS])
    equal(seen(stage), [("failure", "alice"), ("login", "bob"), ("login", "alice")])
    equal(stage.records()[1]["rhost"], "192.0.2.7")


@test("who fails comes in from another address of his network, or by another spelling: that login is recorded")
def networks():
    def connection(address):
        return "env=SSH_CONNECTION=%s 50310 2001:db8:ffff::1 22" % address

    for failed, came, expected in (("2001:db8::1", "2001:db8::2", True), ("2001:db8::1", "2001:DB8:0:0:ffff::2", True),
                                   ("2001:db8::1", "2001:db8:0:1::1", False), ("fe80::1%eth0", "fe80::2%eth1", True),
                                   ("::ffff:203.0.113.5", "203.0.113.5", True), ("203.0.113.5", "203.0.113.6", False),
                                   ("one.example", "one.example", True), ("one.example", "two.example", False)):
        stage = guarded()
        equal(attempt(stage, "alice", failed, answer="wrong"), [AUTH_ERR])
        equal(attempt(stage, "bob", came), [SUCCESS])
        equal(("login", "bob") in seen(stage), expected, "%s, then %s" % (failed, came))
    # Names are his own name server's; sshd knows the addresses.
    for failed, came, expected in (("2001:db8::1", "2001:db8::2", True), ("192.0.2.7", "192.0.2.8", False), ("UNKNOWN", "UNKNOWN", False)):
        stage = guarded()
        equal(attempt(stage, "alice", "one.example", connection(failed), "auth", answer="wrong"), [AUTH_ERR])
        equal(attempt(stage, "bob", "cafe.cafe", connection(came), "auth"), [SUCCESS])
        equal(("login", "bob") in seen(stage), expected, "%s, then %s" % (failed, came))


@test("an aborted prompt marks nothing, and a mark is forgotten when its failure counts no more; one of the future is not")
def fresh():
    stage = guarded()
    attempt(stage, "alice", "192.0.2.7", answer="@err")
    attempt(stage, "alice", "192.0.2.7")
    equal(seen(stage), [("aborted", "alice")])
    now = int(time.time()) // 60
    for minutes, recorded in ((0, True), (23 * 60, True), (28 * 60, True), (29 * 60, False), (-100_000, True)):
        stage = guarded()
        attempt(stage, "alice", "192.0.2.7", answer="wrong")
        with open(marks(stage), "r+b") as file:
            content = file.read()
            marked = [n for n in range(MINUTES, len(content), 4) if content[n:n + 4] != b"\0\0\0\0"]
            equal(len(marked), 2)
            for place in marked:
                assert abs(struct.unpack_from("=I", content, place)[0] - now) < 3, "the minute of the failure"
                file.seek(place)
                file.write(struct.pack("=I", now - minutes))
        attempt(stage, "alice", "192.0.2.7")
        equal(("login", "alice") in seen(stage), recorded, "%d minutes" % minutes)


DAMAGE = {
    "missing": os.remove,
    "empty": lambda path: os.truncate(path, 0),
    "a header alone": lambda path: os.truncate(path, 12),
    "one byte short": lambda path: os.truncate(path, MINUTES + 4 * PLACES - 1),
    "half": lambda path: os.truncate(path, MINUTES + 2 * PLACES),
    "another's": lambda path: write(path, b"x" * (MINUTES + 4 * PLACES)),
    "of an earlier version": lambda path: write(path, (struct.pack("=4sII", b"AAM1", 1, 0xFFFFFFFE)).ljust(MINUTES + 4 * PLACES, b"\0")),
    "its time damaged": lambda path: write(path, (b"AAM2" + b"\1\0\0\0" * 2).ljust(MINUTES + 4 * PLACES, b"\0")),
    "a link": lambda path: (os.remove(path), os.symlink("/etc/passwd", path)),
    "a dangling link": lambda path: (os.remove(path), os.symlink("/nonexistent/x", path)),
    "a pipe": lambda path: (os.remove(path), os.mkfifo(path)),
    "a directory": lambda path: (os.remove(path), os.mkdir(path)),
}


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)


@test("marks of any size, damaged, missing or something else: no login changes, and one after a failure is recorded")
def damaged():
    for name, damage in DAMAGE.items():
        for again in (False, True):
            stage = guarded()
            equal(attempt(stage, "alice", "192.0.2.7", answer="wrong"), [AUTH_ERR], name)
            damage(marks(stage))
            if again:
                # Another fails meanwhile, and a new file takes the place.
                equal(attempt(stage, "mallory", "192.0.2.66", answer="wrong"), [AUTH_ERR], name)
            equal(attempt(stage, "alice", "192.0.2.7"), [SUCCESS], name)
            assert ("login", "alice") in seen(stage), "%s %s: %r" % (name, again, seen(stage))
            if name not in ("a directory", "one byte short", "half") or again:
                if name != "a directory":
                    equal(os.path.getsize(marks(stage)), MINUTES + 4 * PLACES, name)
                    equal(os.stat(marks(stage), follow_symlinks=False).st_mode & 0o777, 0o600, name)
    equal(sorted(os.listdir(os.path.dirname(marks(stage)))), ["current.jsonl", "marks"])


@test("a longer file is as good as one of the right size")
def longer():
    stage = guarded()
    with open(marks(stage), "ab") as file:
        file.write(b"x" * 100_000)
    attempt(stage, "alice", "192.0.2.7", answer="wrong")
    attempt(stage, "carol", "192.0.2.9")
    attempt(stage, "alice", "192.0.2.7")
    equal(seen(stage), [("failure", "alice"), ("login", "alice")])


@test("a session line records a login without a password, and one with a password once")
def session():
    stage = guarded(session=True)
    equal(attempt(stage, "alice", "192.0.2.7", "open"), [SUCCESS])
    equal(attempt(stage, "bob", "192.0.2.8", "auth", "open"), [SUCCESS] * 2)
    equal(seen(stage), [("login", "alice"), ("login", "bob")])
    equal(stage.records()[0]["rhost"], "192.0.2.7")
    attempt(stage, "bob", "192.0.2.8", "auth", answer="wrong")
    equal(attempt(stage, "bob", "192.0.2.8", "auth", "open"), [SUCCESS] * 2)
    # As sshd does keyboard-interactive: in a child.
    equal(attempt(stage, "bob", "192.0.2.8", "fork-auth", "open"), [SUCCESS] * 2)
    equal(attempt(stage, "bob", "192.0.2.8", "open"), [SUCCESS])
    equal(seen(stage)[2:], [("failure", "bob")] + [("login", "bob")] * 3)


@test("sessions of cron, at and systemd --user are never logins; nor is root that asks nobody")
def never():
    stage = guarded(session=True)
    for service in ("cron", "crond", "atd", "systemd-user"):
        stage.service(service, stage.ours(), "required pam_permit.so", session=[stage.ours(), "required pam_permit.so"])
        equal(attempt(stage, "alice", "", "auth", "open", service=service), [SUCCESS] * 2)
    stage.service("su", stage.ours(), "sufficient pam_rootok.so", *DEBIAN, session=[stage.ours(), "required pam_permit.so"])
    if os.getuid() == 0:
        equal(attempt(stage, "alice", "", "auth", "open", service="su"), [SUCCESS] * 2)
    equal(seen(stage), [])


@test("where nothing can be recorded a session opens as ever")
def nowhere():
    for spoil in ("missing", "a file"):
        stage = guarded(session=True)
        stage.service("plain", *DEBIAN)
        directory = os.path.dirname(marks(stage))
        for name in os.listdir(directory):
            os.remove(os.path.join(directory, name))
        os.rmdir(directory)
        if spoil == "a file":
            write(directory, b"")
        commands = ["start", "answer=right", "auth", "open", "close", "end"]
        equal(stage.outcome("door", *commands), stage.outcome("plain", *commands), spoil)
