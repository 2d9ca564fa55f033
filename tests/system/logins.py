"""What is typed at sshd, su, sudo and login is what is recorded, posted and told; nothing else changes."""

import fcntl
import os
import time

import machine
from account import Account, Place, told
from machine import USERS
from report import equal, test, within
from terminal import Terminal, ssh, su, sudo

ACCOUNT = Account()
SSHD = machine.Sshd()
ALICE, BOB = USERS["alice"][1], USERS["bob"][1]


def place(name, **configuration):
    """A fresh place with our line on top of every stack."""
    ACCOUNT.behave()
    fresh = Place(ACCOUNT, name)
    if configuration:
        fresh.configure(**configuration)
    machine.stack_lines(fresh.line())
    return fresh


def kinds(here):
    return [(r["service"], r["class"], r.get("user", "")) for r in here.records()]


@test("the first post is there while the login that failed still sleeps")
def in_time():
    here = place("in-time")
    for user, method in (("alice", "password"), ("bob", "keyboard-interactive")):
        before = len(ACCOUNT.posts())
        terminal = Terminal(SSHD.client(user, method, prompts=2))
        terminal.expect(r"(?i)password: ?$")
        terminal.type("wrong")
        typed = time.time()
        terminal.expect(r"(?i)password: ?$")
        told_after = time.time() - typed
        terminal.type(USERS[user][1]).expect("logged-in")
        terminal.end()
        posts = ACCOUNT.posts()[before:]
        equal(len(posts), 1, "posts when the client was told, after %.1f s" % told_after)
        posted_after = posts[0]["time"] - typed
        print("    posted %.0f ms after the password was typed; %s was told after %.0f ms" % (
            posted_after * 1000, method, told_after * 1000))
        assert posted_after < told_after, (posted_after, told_after)
        for word in (user, "127.0.0.1", "sshd["):
            assert word in posts[0]["text"], posts[0]
    equal(here.delivered()["posted"], 2)
    equal(ACCOUNT.refused(), [])


def is_free(lock):
    """Whether nobody holds a receiver's lock."""
    with open(lock, "r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


@test("who gets in after wrong passwords: the worker finishes what it has begun, begins nothing more, and keeps no lock",
      seconds=90)
def lets_go():
    here = place("lets-go", timeout="25s")
    answered_after = 15  # all three passwords are typed before, also on a busy machine
    ACCOUNT.behave(default={"post": True, "late": answered_after})
    try:
        before = len(ACCOUNT.posts())
        words = SSHD.client("alice", "password")
        terminal = Terminal(words[:-1] + ["echo logged-in; sleep 60"])
        for answer in ("wrong", "still wrong", ALICE):
            terminal.expect(r"(?i)password: ?$").type(answer)
            typed = time.time()
        lock = os.path.join(here.state, "receivers", "x.lock")
        assert not is_free(lock), "the first post is under way"
        terminal.expect("logged-in")
        in_after = time.time() - typed
        assert in_after < 3, "the right password took %.1f s" % in_after
        assert not is_free(lock), "and was not waited for"
        within(answered_after, lambda: is_free(lock), "the first post is answered, and the lock free")
        # The second failure was due all the while.
        time.sleep(2)
        assert is_free(lock) and terminal.process.poll() is None
        posts = ACCOUNT.posts()[before:]
        equal(len(posts), 1, repr(posts))
        terminal.hang_up()
    finally:
        ACCOUNT.behave()
    equal(here.delivered()["posted"], 2)


@test("a mixed evening: what is recorded, posted and told in the posts' texts agrees with what was typed", seconds=150)
def mixed():
    here = place("mixed")
    before = len(ACCOUNT.posts())
    terminal, status, _ = ssh(SSHD, "alice", "password", "wrong", "still wrong", ALICE)
    equal((status, terminal.text.count("logged-in")), (0, 1), "the third, right one gets in")
    equal(ssh(SSHD, "alice", "keyboard-interactive", "1", "2", "3")[1], 255)
    equal(ssh(SSHD, "nobody-here", "password", "guess")[1], 255)
    equal(ssh(SSHD, "root", "password", "toor")[1], 255)
    equal(su("wrong")[1], 1)
    equal(su("\x04")[1], 1)
    failures, aborted = 2 + 3 + 1 + 1 + 1, 1
    failed = ("sshd", "failure", "alice")
    expected = [failed, failed, ("sshd", "login", "alice"), failed, failed, failed, ("sshd", "failure", "nobody-here"),
                ("sshd", "failure", "root"),
                ("su", "failure", "alice"), ("su", "aborted", "alice")]
    equal(kinds(here), expected)
    status = here.delivered()
    equal({key: status[key] for key in ("recorded", "posted", "pending", "ignored", "aborted", "dropped", "unreadable")},
          {"recorded": failures + aborted, "posted": failures, "pending": 0, "ignored": 0, "aborted": aborted,
           "dropped": 0, "unreadable": 0})
    posts = ACCOUNT.posts()[before:]
    equal(sum(told(post["text"]) for post in posts), failures, repr([post["text"] for post in posts]))
    equal(len(posts), status["posts"])
    assert not any("nobody-here" in post["text"] for post in posts), "a name of no account may be a password"
    equal(ACCOUNT.refused(), [])


@test("su: wrong, aborted by Ctrl-D, left with Ctrl-C, right; only the wrong one is posted", seconds=90)
def with_su():
    here = place("su")
    for answers, expected in (((ALICE,), 0), (("wrong",), 1), (("",), 1), (("\x04",), 1), (("\x03",), -2), ((ALICE,), 0)):
        equal(su(*answers)[1], expected, repr(answers))
    # At Ctrl-C su dies in the middle of its prompt: no attempt was made.
    equal(kinds(here), [("su", "failure", "alice")] * 2 + [("su", "aborted", "alice"), ("su", "login", "alice")])
    record = here.records()[0]
    equal((record["ruser"], record["uid"], record["tty"][:5]), ("bob", USERS["bob"][0], "/dev/"))
    before = len(ACCOUNT.posts())
    equal(here.delivered()["posted"], 2)
    for post in ACCOUNT.posts()[before - 1:]:
        assert "su: bob -> alice" in post["text"], post


@test("sudo: three wrong, one wrong and Ctrl-C, Ctrl-D, right after wrong; each attempt counts once", seconds=90)
def with_sudo():
    here = place("sudo")
    for answers, expected in ((("1", "2", "3"), 1), (("1", "\x03"), 1), (("\x04",), 1), (("1", BOB), 0), ((BOB,), 0)):
        equal(sudo(*answers)[1], expected, repr(answers))
    one, none = ("sudo", "failure", "bob"), ("sudo", "aborted", "bob")
    login = ("sudo", "login", "bob")
    equal(kinds(here), [one, one, one, one, none, none, one, login, login])
    status = here.delivered()
    equal((status["posted"], status["aborted"]), (5, 2))


@test("login at a terminal: wrong, unknown, aborted and right; the right one is let in, after failures", seconds=120)
def with_login():
    here = place("login")
    for user, answer, after in (("alice", "wrong", "Login incorrect"), ("ghost", "guess", "Login incorrect"),
                                ("alice", "\x04", "Login incorrect"), ("alice", ALICE, r"\$ ")):
        terminal = Terminal(["/bin/login"])
        terminal.expect("login: ").type(user).expect("Password: ").type(answer, enter=answer != "\x04")
        terminal.expect(after)
        terminal.hang_up()
    equal(kinds(here), [("login", "failure", "alice"), ("login", "failure", "ghost"), ("login", "aborted", "alice"),
                        ("login", "login", "alice")])
    equal([r["tty"].startswith("/dev/pts/") for r in here.records()], [True] * 4)
    status = here.delivered()
    equal((status["posted"], status["aborted"]), (2, 1))


@test("a client that leaves early costs nothing that was recorded, and is no wrong password itself", seconds=60)
def early():
    here = place("early")
    for method in ("password", "keyboard-interactive"):
        # At the first prompt.
        Terminal(SSHD.client("alice", method)).expect(r"(?i)password: ?$").hang_up()
        # While sshd still sleeps over a wrong answer.
        terminal = Terminal(SSHD.client("alice", method)).expect(r"(?i)password: ?$").type("wrong")
        within(10, lambda: any(r["class"] == "failure" for r in here.records()), "recorded before the delay")
        terminal.hang_up()
        within(10, lambda: here.delivered()["posted"] == 1, "posted")
        equal([r["class"] for r in here.records() if r["class"] == "failure"], ["failure"], method)
        here = place("early-2") if method == "password" else here
    equal(ssh(SSHD, "alice", "password", ALICE)[1], 0)
    equal(ACCOUNT.refused(), [])


@test("good logins by every way leave no record, no alert and no file, and see what they saw without us", seconds=60)
def good():
    ways = {"su": lambda: su(ALICE), "sudo": lambda: sudo(BOB), "password": lambda: ssh(SSHD, "alice", "password", ALICE),
            "keyboard-interactive": lambda: ssh(SSHD, "alice", "keyboard-interactive", ALICE)}
    machine.stack_lines()
    plain = {name: (way()[0].shown(), way()[1]) for name, way in ways.items()}
    here = place("good")
    for name, way in ways.items():
        terminal, status, _ = way()
        equal((terminal.shown(), status), plain[name], name)
    equal(here.records(), [])
    equal(here.status()["recorded"], 0)
