#!/usr/bin/env python3
"""Logs of thirty days, of servers under attacks of every style and of quiet machines, through `scan --simulate`: how often
would the phone have buzzed, how long did a failure wait, was each reported; and of break-ins put in at random, was each
reported at once.

    pacing.py [--seed N] [STYLE...]
"""

import argparse
import datetime
import os
import random
import re
import subprocess
import tempfile

from world import AUTHALERT, check, finish, is_root

DAY = 86400
DAYS = 30
# Between two break-ins at least and on average, in seconds.
APART, MEAN = 600, 12 * 3600
START = datetime.datetime(2026, 1, 5, tzinfo=datetime.timezone.utc)
SYSTEM = ["backup", "www-data", "nobody", "sshd", "mail", "games", "sync"]
GUESSES = ["admin", "oracle", "test", "user1", "ftpuser", "guest", "hadoop", "es", "minecraft", "deploy"]
PASSWD = "".join("person%d:x:%d:%d::/home/person%d:/bin/bash\n" % (i, 2000 + i, 2000 + i, i) for i in range(120))


class Log:
    """Failures by second, written as sshd and PAM would."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.failures = []

    def ssh(self, second, user, source):
        self.failures.append((second, "ssh", user, source))

    def sudo(self, second, user):
        self.failures.append((second, "sudo", user, None))

    def su(self, second, user):
        self.failures.append((second, "su", user, None))

    def login(self, second, user, source):
        self.failures.append((second, "in", user, source))

    def break_ins(self):
        """Two a day, at random: somebody fails a few times, and is in. Says how many."""
        number, second, self.tries = 0, 0, 0
        while True:
            second += APART + int(self.random.expovariate(1 / (MEAN - APART)))
            if second > DAYS * DAY:
                return number
            user, source = "person%d" % (10 + number), "203.0.113.%d" % (number + 1)
            for i in range(self.random.randrange(5, 20)):
                self.ssh(second - 2 * i - 1, user, source)
                self.tries += 1
            self.login(second, user, source)
            number += 1

    def write(self, path):
        with open(path, "w") as file:
            for number, (second, kind, user, source) in enumerate(sorted(self.failures, key=lambda f: f[0])):
                time = (START + datetime.timedelta(seconds=second)).isoformat(timespec="microseconds")
                pid = 1000 + number * 7 % 400000
                invalid = "invalid user " if kind == "ssh" and user in GUESSES else ""
                line = {
                    "ssh": "sshd[%d]: Failed password for %s%s from %s port %d ssh2"
                           % (pid, invalid, user, source, 30000 + number % 30000),
                    "in": "sshd[%d]: Accepted password for %s from %s port %d ssh2" % (pid, user, source, 30000 + number % 30000),
                    "sudo": "sudo[%d]: pam_unix(sudo:auth): authentication failure; logname=%s uid=1000 euid=0 tty=/dev/pts/0 "
                            "ruser=%s rhost=  user=%s" % (pid, user, user, user),
                    "su": "su[%d]: pam_unix(su:auth): authentication failure; logname=%s uid=1000 euid=0 tty=/dev/pts/0 "
                          "ruser=%s rhost=  user=root" % (pid, user, user),
                }[kind]
                file.write("%s web1 %s\n" % (time, line))

    def source(self, number):
        return "198.51.%d.%d" % (number // 250, number % 250 + 1)

    def name(self):
        point = self.random.random()
        return ("root" if point < .6 else self.random.choice(SYSTEM) if point < .7 else self.random.choice(GUESSES))


def bursts(log, days=DAYS):
    """Now and then one source tries for some minutes, every few seconds."""
    second = 0
    while second < days * DAY:
        second += int(log.random.expovariate(1 / 5000))
        for i in range(log.random.randrange(5, 300)):
            log.ssh(second + 3 * i, log.name(), log.source(log.random.randrange(80)))


def botnet(log, days=DAYS):
    """A thousand sources, each seldom, together every half minute."""
    second = 0
    while second < days * DAY:
        second += 1 + int(log.random.expovariate(1 / 25))
        log.ssh(second, log.name(), log.source(log.random.randrange(1000)))


def spray(log, days=DAYS):
    """A botnet that knows some of the accounts."""
    botnet(log, days)
    for _ in range(days * 25):
        log.ssh(log.random.randrange(days * DAY), "person%d" % log.random.randrange(8), log.source(log.random.randrange(1000)))


def slow(minutes):
    def style(log, days=DAYS):
        second = 0
        while second < days * DAY:
            second += int(minutes * 60 * log.random.uniform(.9, 1.1))
            log.ssh(second, log.name(), log.source(log.random.randrange(1000)))
    return style


def irregular(log, days=DAYS):
    """Storms, pauses and trickles in turn."""
    second = 0
    while second < days * DAY:
        pace, span = log.random.choice([(2, 1800), (60, 3600), (1500, 20000), (4000, 40000), (15000, 30000)])
        end = second + span
        while second < end:
            second += 1 + int(log.random.expovariate(1 / pace))
            log.ssh(second, log.name(), log.source(log.random.randrange(200)))


def workstation(log, days=DAYS):
    """A person mistypes: once, or a few times in a row, on some days."""
    for day in range(0, days):
        if log.random.random() < .5:
            second = day * DAY + log.random.randrange(8 * 3600, 20 * 3600)
            for i in range(log.random.choice((1, 1, 1, 2, 3))):
                log.sudo(second + 4 * i, "person1")
    for day in (3, 17, 29):
        log.ssh(day * DAY + 3600, "person1", "203.0.113.9")


def su_loop(log, days=DAYS):
    """A user of the machine guesses root's password, as fast as su lets him."""
    for second in range(0, days * DAY, 3):
        log.su(second, "person2")


# By style: most alerts in any 24 hours beside those of break-ins, longest wait in seconds.
#
# Two of the waits are what it costs that nobody can spend the alarm. Who asks at the machine itself is urgent once in a
# group interval of ten minutes, and in a log, where any user can write any name, all of them are one: so of a person's
# typos the first goes out at once and those of the same minute with the next alert, 660 s later at most. To send each
# at once, as before, is what let sixteen su in five seconds empty the bucket. And a loop of su gets a token each 39 minutes
# instead of 33: what is kept for others is filled out of the same inflow.
STYLES = {"bursts": (bursts, 20, 21600), "botnet": (botnet, 20, 21600), "spray": (spray, 20, 21600),
          "irregular": (irregular, 20, 21600), "workstation": (workstation, 9, 660), "su-loop": (su_loop, 48, 2400)}
STYLES.update(("slow-%d" % m, (slow(m), 20, 21600)) for m in (5, 15, 20, 26, 30, 40, 50, 60, 75, 90, 120, 180))


def seconds(text):
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    return sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+)([dhms])", text))


def simulate(path, base):
    """With accounts of its own, where a file may be mounted over /etc/passwd."""
    command = [AUTHALERT, "scan", "--simulate", path]
    if is_root() and subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0:
        passwd = os.path.join(base, "passwd")
        with open("/etc/passwd") as file, open(passwd, "w") as out:
            out.write(file.read() + PASSWD)
        command = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/passwd && exec "$@"', passwd, *command]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def figures(log, path, base):
    """What the simulation of a log says, in numbers, and in its own words."""
    log.write(path)
    run = simulate(path, base)
    found = re.search(r"failures +(?P<failures>\d+) in .*\nalerts +(?P<alerts>\d+), [\d.]+ a day, (?P<busiest>\d+) in the "
                      r"busiest 24 hours\nlongest wait +(?P<wait>.*)\ncovered +(?P<covered>\d+) of.*"
                      r"(\nbreak-ins +(?P<break_ins>\d+) in (?P<reports>\d+) more alerts?, longest wait (?P<break_in_wait>.*))?",
                      run.stdout)
    last = "\n".join((run.stdout + run.stderr).splitlines()[-12:])
    if not found:
        return None, last
    return {name: seconds(text) if "wait" in name else int(text) for name, text in found.groupdict("0").items()}, last


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("styles", nargs="*", default=list(STYLES))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="authalert-pacing-") as base:
        for name in options.styles:
            make, most, longest = STYLES[name]
            log = Log("%s %d" % (name, options.seed))
            make(log)
            path = os.path.join(base, name + ".log")
            alone, alone_text = figures(log, path, base)
            break_ins = log.break_ins()
            among, among_text = figures(log, path, base)
            if not check(alone and among, "%s: is simulated" % name, alone_text + among_text):
                continue
            print("# %s: %d failures, %d alerts, %d on the busiest day, longest wait %d s; with %d break-ins %d on the busiest"
                  % (name, alone["failures"], alone["alerts"], alone["busiest"], alone["wait"], break_ins, among["busiest"]))
            check(alone["failures"] == alone["covered"] == len(log.failures) - break_ins - log.tries
                  and alone["busiest"] <= most and alone["wait"] <= longest,
                  "%s: at most %d alerts a day, none later than %d s, each failure reported" % (name, most, longest), alone_text)
            check(among["break_ins"] == among["reports"] == break_ins and among["break_in_wait"] <= 60
                  and among["failures"] == among["covered"] and among["busiest"] <= max(most, 20),
                  "%s: each of %d break-ins put in at random is reported at once, and beside them at most %d alerts a day"
                  % (name, break_ins, max(most, 20)), among_text)
    finish()


if __name__ == "__main__":
    main()
