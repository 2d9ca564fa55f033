#!/usr/bin/env python3
"""Four receivers of different kinds, X, ntfy, an SMS gateway and mail, each failing in its own way, with writers and passes
killed at random: each adds up at every moment, and each has every failure in exactly one accepted alert; where the service
cannot know a repeat, in exactly one number.

    kinds.py [--seconds 15] [--seed N]
"""

import argparse
import email
import email.policy
import json
import os
import random
import re
import subprocess
import sys
import time

import crowd
from receivers import Many, of, with_kills
from world import TOP, X, check, count_in, finish, scratch, standin

SERVICE = """[[receiver]]
kind = "%s"
server = "http://127.0.0.1:%d"
timeout = "%s"
tell = ["break-in", "urgent", "digest"]
after_unknown = "repeat"
%s
"""
MAIL = """[[receiver]]
kind = "mail"
server = "127.0.0.1"
port = %d
tls = "none"
from = "authalert@example.org"
to = "admin@example.org"
timeout = "%s"
"""
NTFY = standin.services.PARAMETERS["ntfy"]
ELKS = standin.services.PARAMETERS["46elks"]
# As the services do it: what is accepted and not heard of, what is refused for a while, what breaks.
SERVICES = [(.08, {"post": True, "close": "request"}), (.04, {"post": True, "close": "answer"}), (.03, {"post": True, "status": 502}),
            (.02, {"post": True, "garbage": 3000}), (.01, {"post": True, "late": 2}), (.05, {"close": "request"}),
            (.04, {"status": 503}), (.02, {"garbage": 3000}), (.02, {"hang": True}), (.03, {"status": 429, "headers": {"retry-after": "1"}})]
LETTERS = [(.08, {"drop": "late"}), (.03, {"drop": "."}), (.03, {"drop": ""}), (.03, {"hang": "DATA"}), (.02, {"hang": ""}),
           (.03, {"say": {"MAIL": "451 later"}}), (.03, {"say": {".": "451 later"}}), (.02, {"say": {"": "421 busy"}})]


class Mail:
    """A mail server, and the letters that it took."""

    def __init__(self, directory):
        self.path, self.port, self.process = os.path.join(directory, "letters"), 0, None

    def start(self, **scenario):
        self.end()
        before = self.lines()
        with open(self.path, "ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-B", os.path.join(TOP, "tests", "standin", "smtp.py"),
                 json.dumps({"tls": "none", "port": self.port, "seconds": 600, **scenario})], stdout=file, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while len(self.lines()) == len(before) and time.monotonic() < deadline:
            time.sleep(.01)
        self.port = int(self.lines()[len(before)])

    def lines(self):
        try:
            with open(self.path) as file:
                return [line for line in file.read().split("\n")[:-1] if line]
        except FileNotFoundError:
            return []

    def end(self):
        if self.process:
            self.process.kill()
            self.process.wait()

    def texts(self):
        letters = [json.loads(line)["letter"] for line in self.lines() if line.startswith("{")]
        parsed = [email.message_from_string(letter, policy=email.policy.default) for letter in letters]
        return [letter.get_body(("plain",)).get_content() for letter in parsed]


class Kinds(Many):
    """A machine with one receiver of each kind."""

    def __init__(self, base, mail):
        self.mail = mail
        servers = {name: X(os.path.join(base, name)) for name in ("x", "ntfy", "46elks")}
        super().__init__(servers)
        with open(os.path.join(self.base, "credentials.toml"), "a") as file:
            file.write('[ntfy]\ntoken = "%s"\n[46elks]\npassword = "%s"\n' % (NTFY["token"], ELKS["password"]))

    def configure(self, **settings):
        super().configure(**settings)
        timeout = self.settings["timeout"]
        with open(self.config) as file:
            text = file.read().split("[[receiver]]")
        keys = 'user = "%(user)s"\nfrom = "%(from)s"\nto = "%(to)s"' % ELKS
        with open(self.config, "w") as file:
            # The table of X, as the others have it, and then its neighbours.
            file.write(text[0] + "[[receiver]]" + text[1])
            file.write(SERVICE % ("ntfy", self.servers["ntfy"].server.port, timeout, 'topic = "%s"' % NTFY["topic"]))
            file.write(SERVICE % ("46elks", self.servers["46elks"].server.port, timeout, keys))
            file.write(MAIL % (self.mail.port, timeout))

    def messages(self, name):
        with open(self.servers[name].world.services.file.name) as file:
            return [json.loads(line) for line in file]


def number(text):
    """An alert's number, at its end."""
    return re.findall(r"\ba(\d+)\b", text)[-1]


def told_by_number(texts):
    """Failures in alerts of distinct numbers, and the numbers of which two different texts exist."""
    known = {}
    for text in texts:
        known.setdefault(number(text), set()).add(text)
    return (sum(told_in(next(iter(each))) for each in known.values()), [n for n, each in known.items() if len(each) > 1])


def told_in(text):
    """As `count_in`, of a text that has the letters of a gateway, or lines of its own."""
    return count_in(re.sub(r"\s*\S?a\d+\s*$", "", " ".join(text.split())))


def at_random(options):
    base = scratch("kinds")
    mail = Mail(base)
    mail.start(mix=LETTERS, seed=options.seed)
    world, rng = Kinds(base, mail), random.Random(options.seed)
    servers = world.servers
    servers["x"].answer(random={"seed": options.seed, "mix": [dict(answer, p=p) for p, answer in crowd.MIX]})
    for n, name in enumerate(("ntfy", "46elks")):
        mix = {"seed": options.seed + n, "mix": [dict(answer, p=p) for p, answer in SERVICES]}
        servers[name].answer(services={name: {"random": mix}})
    sampler, counts = with_kills(world, rng, options.seconds)
    servers["x"].answer()
    for name in ("ntfy", "46elks"):
        servers[name].answer(services={name: {}})
    mail.start()
    status, journal = world.deliver_all(), world.journal()
    texts = {"46elks": [m["text"] for m in world.messages("46elks")], "mail": mail.texts()}
    keys = {}
    for message in world.messages("ntfy"):
        keys.setdefault(message["key"], set()).add(message["text"])
    numbers = {name: len(set(map(number, of_it))) for name, of_it in texts.items()}
    print("# seed %d; %s; %d samples; %d posts; %d messages of %d; %d SMS of %d; %d letters of %d" % (
        options.seed, counts, sampler.samples, servers["x"].world.posts, len(world.messages("ntfy")), len(keys),
        len(texts["46elks"]), numbers["46elks"], len(texts["mail"]), numbers["mail"]))
    check(counts["crashed"] == 0 and counts["killed"] > 2, "passes end or are killed, none crashes", str(counts))
    check(not sampler.wrong and sampler.samples > 5, "each receiver adds up at every sampled moment", "; ".join(sampler.wrong[:2]))
    told = {"x": (servers["x"].told(), []),
            # The app shows one message for a sequence id, the last.
            "ntfy": (sum(told_in(next(iter(each))) for each in keys.values()), [k for k, each in keys.items() if len(each) > 1]),
            **{name: told_by_number(of_it) for name, of_it in texts.items()}}
    for name, (count, twice) in told.items():
        receiver = of(status, name)
        check(receiver["pending"] == 0 and all(receiver[kind] == journal[kind] for kind in journal) and count == journal["posted"]
              and not twice, "%s was told each failure in exactly one alert" % name,
              "told %d of %s, %s: %s" % (count, journal, twice, receiver))
    mail.end()
    world.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    at_random(parser.parse_args())
    finish()


if __name__ == "__main__":
    main()
