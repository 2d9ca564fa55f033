"""The session line: a record of each login, with a password and without, and nothing else is different."""

import statistics

import machine
from account import Place
from logins import ACCOUNT, SSHD
from machine import USERS
from report import equal, test
from terminal import ssh, su, sudo

METHODS = ("publickey", "password", "publickey", "keyboard-interactive")


def login(n):
    """The n-th of a hundred: five users from ten addresses by ssh, and now and then su and sudo."""
    user = list(USERS)[n % len(USERS)]
    if n % 20 == 18:
        return "su", "alice", su(USERS["alice"][1])
    if n % 20 == 19:
        return "sudo", "bob", sudo(USERS["bob"][1])
    method = METHODS[n // 5 % len(METHODS)]
    answers = () if method == "publickey" else (USERS[user][1],)
    return "sshd", user, ssh(SSHD, user, method, *answers, source="127.0.0.%d" % (11 + n % 10))


def hundred(line):
    """A hundred logins, each without the line and with it, in turns: what each showed and how it ended, and how much longer
    those with it took. Before some of them a wrong password."""
    seen, longer = {False: [], True: []}, []
    for n in range(100):
        if n in (7, 30, 31, 60):
            machine.stack_lines(line, delay=False, session=True)
            equal(ssh(SSHD, "carol", METHODS[n % 2 * 2 + 1], "wrong", source="127.0.0.%d" % (11 + n % 10))[1], 255)
        took = {}
        for guarded in (n % 2 == 0, n % 2 == 1):
            machine.stack_lines(line if guarded else None, delay=False, session=guarded)
            service, user, (terminal, status, took[guarded]) = login(n)
            seen[guarded].append((service, user, terminal.shown(), status))
        longer.append(took[True] - took[False])
    return seen[False], seen[True], longer


@test("a hundred logins by key and password of five users from ten addresses: a hundred records, and the sessions as ever",
      seconds=240)
def sessions():
    here = Place(ACCOUNT, "sessions")
    plain, guarded, longer = hundred(here.line())
    equal({(status, "logged-in" in shown) for _, _, shown, status in plain}, {(0, True)})
    equal(guarded, plain)
    # A login takes a few hundred milliseconds, and its end is seen to within ten; where much else runs, to within what a
    # median of a hundred is worth there.
    took, spread = statistics.median(longer), statistics.quantiles(longer, n=4)
    uncertain = 1.25 * (spread[2] - spread[0]) / 1.35 / len(longer) ** 0.5
    print("    with the line a login took %.1f ms longer, median of 100, to within %.1f ms" % (1000 * took, 1000 * uncertain))
    assert took < 0.01 + 3 * uncertain, sorted(longer)
    records = here.records()
    equal([r["class"] for r in records if r["class"] != "login"], ["failure"] * 4)
    logins = [r for r in records if r["class"] == "login"]
    equal([(r["service"], r["user"]) for r in logins if r["service"] != "sudo"],
          [(service, user) for service, user, _, _ in plain if service != "sudo"])
    equal((len(logins), sum(r["service"] == "sudo" for r in logins)), (100, 5))
    equal(sorted({r["rhost"] for r in logins if r["service"] == "sshd"}), ["127.0.0.%d" % n for n in range(11, 21)])
