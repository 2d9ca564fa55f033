#!/usr/bin/env python3
"""Four receivers beside the timeline, each failing in its own way, with writers and passes killed at random: for each of them
the counters add up at every moment, and in the end each has told each failure exactly once. Then: what attempts whose process
ends between request and answer cost; and a receiver that hangs, which holds up no other.

    receivers.py [--seconds 15] [--failures 100000] [--seed N]
"""

import argparse
import os
import random
import signal
import socket
import subprocess
import threading
import time

import crowd
import flood
from world import World, X, balanced, check, count_in, finish, scratch

NAMES = ("fails", "dead", "slow", "well")

ONE = """[[receiver]]
kind = "x"
name = "%s"
api_url = "http://127.0.0.1:%d"
timeout = "%s"
"""


class Many(World):
    """A machine with a receiver for each of `servers`, by name."""

    def __init__(self, servers, timeout="1s", alerts="burst = 1000\nmax_per_day = 10000\ngroup_interval = \"1s\"\nmax_interval = \"2s\""):
        self.servers, self.alerts = servers, alerts
        super().__init__(x=next(iter(servers.values())), base=None, timeout=timeout)

    def configure(self, **settings):
        self.settings = dict(getattr(self, "settings", {}), **settings)
        with open(self.config, "w") as file:
            file.write("[alerts]\n%s\n[ignore]\nusers = [\"ignored\"]\n" % self.alerts)
            for name, x in self.servers.items():
                file.write(ONE % (name, x.server.port, self.settings["timeout"]))


def of(status, name):
    return next(r for r in status["receivers"] if r["name"] == name)


class Sampler(crowd.Sampler):
    """Every receiver is balanced, and none says that there is more or less than there is."""

    def compare(self, status, least, most):
        for receiver in status["receivers"]:
            if not least <= receiver["recorded"] <= most:
                self.wrong.append("%s recorded %d, written %d to %d" % (receiver["name"], receiver["recorded"], least, most))


def with_kills(world, rng, seconds):
    """Writers, of which one is killed, and passes, of which many are; the sampler beside them, and how the passes ended."""
    stop, names, counts = threading.Event(), ["tally%d" % i for i in range(4)], {"killed": 0, "ended": 0, "crashed": 0}
    sampler = Sampler(world, names, stop)
    threads = [threading.Thread(target=crowd.passes, args=(world, stop, random.Random(rng.random()), counts)) for _ in range(3)]
    writers = [world.append(200, i * 1000, int(seconds * 4000), names[i], wait=False) for i in range(4)]
    for each in [sampler, *threads]:
        each.start()
    time.sleep(seconds * .3)
    writers[0].send_signal(signal.SIGKILL)
    for writer in writers:
        writer.communicate(timeout=300)
    crowd.until(counts, {"killed": 2})
    stop.set()
    for each in [sampler, *threads]:
        each.join()
    return sampler, counts


def at_random(options):
    rng = random.Random(options.seed)
    base = scratch("many")
    world = Many({name: X(os.path.join(base, name)) for name in NAMES})
    servers = world.servers
    servers["fails"].answer(random={"seed": options.seed, "mix": [dict(answer, p=p) for p, answer in crowd.MIX]})
    servers["slow"].answer(default={"post": True, "late": .7})
    # It accepts, and nobody hears of it.
    servers["dead"].answer(default={"close": "request"})
    sampler, counts = with_kills(world, rng, options.seconds)
    for x in servers.values():
        x.answer()
    status, journal = world.deliver_all(), world.journal()
    print("# seed %d; %s; %d samples; posts %s" % (options.seed, counts, sampler.samples,
                                                  {name: x.world.posts for name, x in servers.items()}))
    check(counts["crashed"] == 0 and counts["killed"] > 2, "passes end or are killed, none crashes", str(counts))
    check(not sampler.wrong and sampler.samples > 5, "each receiver adds up at every sampled moment",
          "; ".join(sampler.wrong[:2]))
    for name, x in servers.items():
        receiver = of(status, name)
        check(receiver["pending"] == 0 and all(receiver[kind] == journal[kind] for kind in journal)
              and x.told() == journal["posted"], "%s was told each failure exactly once" % name,
              "told %d of %s: %s" % (x.told(), journal, receiver))
    check(sum(entry["failures"] for entry in world.timeline()) == journal["posted"], "and so was the timeline")
    world.close()


def cut_between_request_and_answer():
    """The process ends there each time, whoever starts the next one at once: a minute passes before the same text goes out
    again, and the rate is bounded whatever comes."""
    world = Many({"x": X(scratch("cut"))}, timeout="5s", alerts="burst = 4")
    x = world.x
    x.answer(default={"hang": True})
    begun, number = time.monotonic(), 0
    while time.monotonic() - begun < 30:
        # Of this machine itself: it waits for no interval.
        world.append(1, 11 + 20 * number)
        number += 1
        run = subprocess.Popen(world.command("deliver"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(.15)
        run.kill()
        run.wait()
    check(x.world.requests == 1, "%d processes that ended between request and answer in 30 s: one request" % number,
          str(x.world.requests))
    texts = {"%(text)s" % entry for entry in world.timeline()}
    told = sum(count_in(text) for text in texts)
    check(told > 0 and balanced(world.status()), "meanwhile the timeline is told", str(texts))
    # Somebody at the keyboard tries as often as he likes, and is told why not.
    runs = []
    for _ in range(12):
        run = subprocess.Popen(world.command("deliver", "--now"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(.4)
        run.kill()
        runs.append(run.communicate()[1])
    asked = x.world.requests
    last = world.deliver()
    check(asked <= 6 and last.returncode == 1 and "asked too often" in last.stderr,
          "a person asks as often as the bounded rate allows, and is told why not more", "%d, %s" % (asked, last))
    world.close()


def dead_for_long(failures=100_000, waves=30):
    """One receiver is not reached for thirty waves of failures, as many as a month has days: the other is told as if it were
    not there, and it gets one digest with exact counts when it is back."""
    base = scratch("dead")
    servers = {name: X(os.path.join(base, name)) for name in ("dead", "well")}
    world = Many(servers)
    with open(world.config) as file:
        text = file.read()
    nobody = socket.socket()
    nobody.bind(("127.0.0.1", 0))
    with open(world.config, "w") as file:
        file.write(text.replace(":%d\"" % servers["dead"].server.port, ":%d\"" % nobody.getsockname()[1]))
    peak, wave = 0, failures // waves
    for number in range(waves):
        world.append(wave, number * wave)
        for words in (["deliver"], ["deliver", "--now"]):
            _, memory, _, _ = flood.measured(world.command(*words))
            peak = max(peak, memory)
    status, journal = world.status(), world.journal()
    check(servers["well"].told() == of(status, "well")["posted"] == journal["posted"] and balanced(status),
          "one is dead for %d failures: the other is told all of them" % failures, str(status))
    check(of(status, "dead")["pending"] == journal["posted"] and not servers["dead"].posts(), "they all wait for the dead one")
    with open(world.config, "w") as file:
        file.write(text)
    _, memory, _, status = flood.measured(world.command("deliver"))
    peak = max(peak, memory)
    posts = servers["dead"].posts()
    check(status == 0 and len(posts) == 1 and count_in(posts[0]) == journal["posted"],
          "when it is back it gets one digest with exact counts", "%s %s" % (posts, journal))
    check(peak * (1 << 20) <= 32e6, "in at most 32 MB", "%.1f MiB" % peak)
    print("# peak %.1f MiB" % peak)
    world.close()


def one_hangs():
    """A receiver that does not answer holds up no other."""
    base = scratch("hang")
    servers = {name: X(os.path.join(base, name)) for name in ("hangs", "well")}
    world = Many(servers, timeout="15s")
    servers["hangs"].answer(default={"hang": True})
    world.append(11)
    begun = time.monotonic()
    run = subprocess.Popen(world.command("deliver", "--now"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not servers["well"].posts() and time.monotonic() - begun < 6:
        time.sleep(.01)
    took = time.monotonic() - begun
    check(bool(servers["well"].posts()) and took < 4, "one that hangs holds up no other", "%.1f s" % took)
    # Beyond the interval, and in the same pass.
    time.sleep(1.5)
    world.append(1, 11)
    begun = time.monotonic()
    while len(servers["well"].posts()) < 2 and run.poll() is None:
        time.sleep(.01)
    took = time.monotonic() - begun
    check(len(servers["well"].posts()) == 2 and run.poll() is None, "nor what is recorded while it hangs", "%.1f s" % took)
    run.communicate(timeout=60)
    world.close()


def added_meanwhile():
    """A receiver that is added while a pass waits for another is told all once, and not forgotten by that pass."""
    base = scratch("added")
    servers = {name: X(os.path.join(base, name)) for name in ("hangs", "well")}
    # Longer than the pass that begins it takes, which looks for a while whether the other one is done.
    world = Many(servers, timeout="12s")
    servers["hangs"].answer(default={"hang": True})
    world.append(11)
    run = subprocess.Popen(world.command("deliver", "--now"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not servers["well"].posts() and run.poll() is None:
        time.sleep(.01)
    added = servers["added"] = X(os.path.join(base, "added"))
    world.configure()
    world.append(2, 20)
    world.deliver()
    before = (run.poll(), of(world.status(), "added")["posted"])
    run.communicate(timeout=60)
    receiver = of(world.status(), "added")
    check(before == (None, 2) and receiver["posted"] == 2, "one that is added while a pass waits is not forgotten by it",
          "%s, %s" % (before, receiver))
    servers["hangs"].answer()
    status = world.deliver_all()
    check(balanced(status) and added.told() == of(status, "added")["posted"] == 2, "and is told each failure once", str(added.posts()))
    world.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--failures", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    at_random(options)
    cut_between_request_and_answer()
    one_hangs()
    added_meanwhile()
    dead_for_long(options.failures)
    finish()


if __name__ == "__main__":
    main()
