"""Who is in after many failures is told of at once; who mistyped is not."""

import concurrent.futures
import contextlib
import datetime
import os
import re
import statistics
import subprocess
import threading
import time

import machine
from account import Place
from logins import ACCOUNT, SSHD
from machine import USERS
from report import equal, test, within
from terminal import ssh, su, sudo

# Not shipped, and built with the tests.
APPEND = os.path.join(machine.TOP, "target", "quick", "examples", "append")
ALICE, BOB = USERS["alice"][1], USERS["bob"][1]
TOOK = []


def place(name, session=False, **configuration):
    ACCOUNT.behave()
    fresh = Place(ACCOUNT, name)
    fresh.configure(**configuration)
    machine.stack_lines(fresh.line(), delay=False, session=session)
    return fresh


@contextlib.contextmanager
def path_unit(here):
    """Delivers as the path unit does: whenever the journal changed, one run after the other."""
    end, failed = threading.Event(), []
    journal = os.path.join(here.state, "journal", "current.jsonl")

    def changed():
        with contextlib.suppress(FileNotFoundError):
            return os.stat(journal).st_mtime_ns

    def watch():
        seen = None
        while not end.is_set():
            now = changed()
            if now != seen:
                seen = now
                failed.extend(ran for ran in [here.command("deliver", "--settle")] if ran[0] not in (0, 1))
            end.wait(0.01)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
        equal(failed, [], "the path unit's command")


def break_ins():
    return [post for post in ACCOUNT.posts() if post["text"].startswith("BREAK-IN?")]


def told(before, typed, *words):
    """The break-in that is told of since, with these words in it; once."""
    within(20, lambda: len(break_ins()) > before, "the break-in is told")
    time.sleep(0.5)
    equal(len(break_ins()), before + 1, repr(break_ins()))
    post = break_ins()[-1]
    for word in words:
        assert word in post["text"], (word, post["text"])
    TOOK.append(post["time"] - typed)
    print("    accepted %.0f ms after the login: %s" % (TOOK[-1] * 1000, post["text"].replace("\n", " ")))


def by_ssh(method, wrong, source):
    """Wrong passwords for alice, then the right one."""
    while wrong:
        tries = min(3, wrong)
        equal(ssh(SSHD, "alice", method, *["wrong"] * tries, source=source)[1], 255)
        wrong -= tries
    equal(ssh(SSHD, "alice", method, ALICE, source=source)[1], 0)


def recorded(here):
    """When the newest login was recorded."""
    at = [r["time"] for r in here.records() if r["class"] == "login"][-1]
    return datetime.datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()


@test("8 wrong passwords, then the right one: told with account, address and count, by password and keyboard-interactive",
      seconds=120)
def over_the_network():
    for n, method in enumerate(("password", "keyboard-interactive")):
        here = place("break-in-%d" % n)
        before, source = len(break_ins()), "127.7%d.0.9" % n
        with path_unit(here):
            by_ssh(method, 8, source)
            told(before, recorded(here), "alice", source, "8 failed logins", "sshd[")
        status = here.delivered()
        equal((status["posted"], status["logins"]), (8, 1))


@test("su and sudo likewise", seconds=180)
def at_the_machine():
    for name, way, right, wrong in (("su", su, ALICE, ("wrong",)), ("sudo", sudo, BOB, ("1", "2"))):
        here = place("break-in-" + name)
        before = len(break_ins())
        with path_unit(here):
            for _ in range(8 // len(wrong)):
                equal(way(*wrong, *(("\x04",) if name == "sudo" else ()))[1], 1)
            equal(way(right)[1], 0)
            told(before, recorded(here), "bob", name + "[", "8 failed attempts")


@test("two typos and the right password, 16 times at ssh, su and sudo: no break-in", seconds=120)
def a_few_typos():
    typos(4)


@test("two typos and the right password, 200 times at ssh, su and sudo: no break-in", seconds=240, slow=True)
def many_typos():
    typos(50)


def typos(each):
    here = place("typos-%d" % each)
    before = len(break_ins())

    def over_the_network(method, network):
        for n in range(each):
            source = "127.80.%d.%d" % (network, n + 1)
            equal(ssh(SSHD, "alice", method, "typo", "typo", ALICE, source=source)[1], 0)

    def of_one_user():
        for _ in range(each):
            for answers, status in ((("typo",), 1), (("typo",), 1), ((ALICE,), 0)):
                equal(su(*answers)[1], status)
            equal(sudo("typo", "typo", BOB)[1], 0)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        runs = [pool.submit(over_the_network, "password", 1), pool.submit(over_the_network, "keyboard-interactive", 2),
                pool.submit(of_one_user)]
    for run in runs:
        run.result()
    status = here.delivered()
    equal((len(break_ins()), status["posted"], status["logins"]), (before, 8 * each, 4 * each))


@test("in a flood of 20 failures a second, with the ordinary budget spent, a break-in is told as fast", seconds=180)
def in_a_flood():
    here = place("flood")
    with open(here.config) as file:
        text = re.sub(r"(?m)^(max_per_day|burst|group_interval|max_interval).*\n", "", file.read())
    with open(here.config, "w") as file:
        file.write(text)
    flood = subprocess.Popen([APPEND, here.state, os.path.join(here.path, "tally"), "2400", "0", "50000"])
    try:
        with path_unit(here):
            def is_spent():
                while True:
                    _, out, err = here.command("deliver", "--now")
                    # Beside a pass of the path unit this one does nothing, and knows nothing of the budget.
                    if "another delivery pass" not in out:
                        return "asked too often" in err
            within(60, is_spent, "the ordinary budget is spent")
            before, source = len(break_ins()), "127.90.0.9"
            by_ssh("password", 8, source)
            told(before, recorded(here), "alice", source, "8 failed logins")
            # One request comes back in three minutes; the flood has it at once.
            within(10, is_spent, "it was spent all the time")
    finally:
        flood.kill()
        flood.wait(10)


@test("how long it took", seconds=10)
def median():
    print("    median %.0f ms, longest %.0f ms" % (statistics.median(TOOK) * 1000, max(TOOK) * 1000))
    assert len(TOOK) == 5, TOOK


@test("who asks for new sources hears of each once, and of no login", seconds=120)
def new_sources():
    here = place("new-sources", session=True)
    with open(here.config) as file:
        text = file.read().replace('receiver = "x"\n', "")
    with open(here.config, "w") as file:
        file.write(text + "[[receiver]]\nkind = \"x\"\ntell = [\"break-in\", \"new-source\"]\n"
                   "[logins]\nexpected = [\"127.60.0.0/16\"]\n")
    before = len(ACCOUNT.posts())
    for source in ("127.50.0.1", "127.50.0.1", "127.51.0.1", "127.60.0.1"):
        equal(ssh(SSHD, "alice", "publickey", source=source)[1], 0)
        here.command("deliver", "--now")
    texts = [post["text"] for post in ACCOUNT.posts()[before:]]
    equal(["new source: alice logged in from 127.50.0.1" in texts[0], "127.51.0.1" in texts[1], len(texts)],
          [True, True, 2], repr(texts))
