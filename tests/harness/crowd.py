#!/usr/bin/env python3
"""Many writers, several delivery passes that are killed at random moments, an X that fails in every way: at every
moment the counters add up, and in the end each failure was told exactly once.

    crowd.py [--writers 8] [--records 500] [--logins 60] [--seconds 20] [--seed N]
"""

import argparse
import json
import os
import random
import signal
import subprocess
import threading
import time

from world import MODULE, TOP, World, balanced, check, finish, standin

# Every answer of the table that X gives without contradicting itself: a text that exists is not refused as a text, and
# what is called a duplicate exists. "post" with a broken answer: accepted, and nobody hears of it.
MIX = [
    (.07, {"post": True, "close": "request"}), (.04, {"post": True, "close": "answer"}),
    (.04, {"post": True, "name": "unavailable"}), (.03, {"post": True, "name": "cloudflare"}),
    (.01, {"post": True, "hang": True}), (.02, {"post": True, "garbage": 3000}), (.02, {"post": True, "status": 500}),
    (.02, {"post": True, "huge_header": 300000}), (.02, {"post": True, "late": .3}), (.01, {"post": True, "late": 2}),
    (.05, {"close": "request"}), (.01, {"hang": True}), (.02, {"garbage": 3000}), (.02, {"close": "answer"}),
    (.02, {"name": "unavailable"}), (.02, {"name": "over-capacity"}), (.02, {"name": "cloudflare"}),
    (.01, {"name": "cloudflare-block"}), (.02, {"name": "status-500"}), (.02, {"name": "status-502"}),
    (.02, {"name": "status-504"}), (.01, {"redirect": "http://127.0.0.1:9/"}),
    (.02, {"status": 200, "type": "text/html", "body": "<html>portal</html>"}),
    (.02, {"name": "unauthorized"}), (.02, {"name": "credits"}), (.01, {"name": "credits-old"}),
    (.01, {"name": "spend-cap"}), (.02, {"name": "too-many", "reset_in": 900}), (.01, {"name": "too-many-old"}),
    (.01, {"name": "usage-cap"}), (.01, {"name": "app-permission"}), (.01, {"name": "not-enrolled"}),
    (.01, {"name": "user-suspended"}), (.01, {"name": "feature"}), (.01, {"name": "not-permitted"}),
    (.02, {"name": "invalid-request"}), (.01, {"name": "too-long"}),
]


class Sampler(threading.Thread):
    """Reads the counters all the time."""

    def __init__(self, world, tallies, stop):
        super().__init__()
        self.world, self.tallies, self.stop = world, tallies, stop
        self.samples, self.last, self.wrong = 0, 0, []

    def sums(self):
        each = [self.world.tally(name) for name in list(self.tallies)]
        return sum(t[0] for t in each), sum(t[1] for t in each)

    def run(self):
        while not self.stop.is_set():
            least = self.sums()[1]
            try:
                status = self.world.status()
            except (RuntimeError, ValueError) as error:
                self.wrong.append(str(error))
                continue
            most = self.sums()[0]
            if not balanced(status):
                self.wrong.append("does not add up: %s" % status)
            self.compare(status, least, most)
            self.samples += 1

    def compare(self, status, least, most):
        """What is said to be recorded, with what was written before and after it was said."""
        recorded = status["recorded"]
        if not least <= recorded <= most:
            self.wrong.append("recorded %d, written %d to %d" % (recorded, least, most))
        if recorded < self.last:
            self.wrong.append("recorded went down from %d to %d" % (self.last, recorded))
        self.last = recorded


def passes(world, stop, rng, counts):
    while not stop.is_set():
        run = subprocess.Popen(world.command("deliver", "--now"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if rng.random() < .6:
            time.sleep(rng.random() ** 2 * rng.choice((.02, .04, .4)))
            run.send_signal(signal.SIGKILL)
        error = run.communicate(timeout=60)[1]
        counts["killed" if run.returncode == -9 else "ended"] += 1
        if run.returncode not in (0, 1, -9) or b"panicked" in error:
            counts["crashed"] += 1
        time.sleep(rng.random() * .05)


def until(counts, more_than):
    """Wait, a minute at most, until more passes than that were killed, and have ended: how many do in a time hangs on the machine."""
    deadline = time.monotonic() + 60
    while any(counts[how] <= number for how, number in more_than.items()) and time.monotonic() < deadline:
        time.sleep(.05)


def logins(world, number, stop, done):
    """The real module in a real login, which ends while its worker may be anywhere."""
    built = subprocess.run([os.path.join(TOP, "tests/pam/build.sh"), world.base, "host"], capture_output=True)
    if built.returncode != 0 or not os.path.exists(MODULE):
        return
    confdir = os.path.join(world.base, "pam.d")
    os.makedirs(confdir)
    with open(os.path.join(confdir, "harness"), "w") as file:
        file.write("auth optional %s state=%s config=%s\nauth required pam_deny.so\n"
                   % (MODULE, world.state, world.config))
    path = os.path.join(world.base, "logins")
    for i in range(number):
        if stop.is_set():
            break
        tally(path, i + 1, i)
        run = subprocess.run([os.path.join(world.base, "host"), confdir, "harness", "root", "once"], capture_output=True, text=True,
                             timeout=60)
        if run.returncode == 0 and json.loads(run.stdout)["once"] == 7:
            done[0] += 1
        tally(path, i + 1, i + 1)


def tally(path, begun, recorded):
    with open(path, "r+b" if os.path.exists(path) else "wb") as file:
        file.write(begun.to_bytes(8, "little") + recorded.to_bytes(8, "little"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--records", type=int, default=500)
    parser.add_argument("--logins", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print("# crowd: seed %d" % options.seed, flush=True)
    rng = random.Random(options.seed)
    world = World()
    world.x.answer(random={"seed": options.seed, "mix": [dict(answer, p=p) for p, answer in MIX]})
    stop = threading.Event()
    names = ["tally%d" % i for i in range(options.writers)] + ["logins"]
    samplers = [Sampler(world, names, stop) for _ in range(2)]
    counts = {"killed": 0, "ended": 0, "crashed": 0}
    threads = [threading.Thread(target=passes, args=(world, stop, random.Random(rng.random()), counts))
               for _ in range(3)]
    done = [0]
    threads.append(threading.Thread(target=logins, args=(world, options.logins, stop, done)))
    pause = int(options.seconds * 1e6 / options.records * .8)
    writers = [world.append(options.records, i * 1000, pause, names[i], wait=False) for i in range(options.writers)]
    began = time.monotonic()
    for each in samplers + threads:
        each.start()
    for i, writer in enumerate(writers):
        if i == 0:
            # One writer is killed too, somewhere.
            time.sleep(options.seconds * .3)
            writer.send_signal(signal.SIGKILL)
        error = writer.communicate(timeout=300)[1]
        if i > 0 and not check(writer.returncode == 0, "writer %d recorded everything" % i, error):
            break
    time.sleep(max(0, options.seconds - (time.monotonic() - began)))
    until(counts, {"killed": 5, "ended": 5})
    stop.set()
    for each in samplers + threads:
        each.join()
    x = world.x
    print("# %s; %d samples; %d logins; X was asked %d times and has %d posts" % (
        counts, sum(s.samples for s in samplers), done[0], x.world.requests, x.world.posts))
    check(counts["crashed"] == 0 and counts["killed"] > 5 and counts["ended"] > 5, "passes end or are killed, none crashes",
          str(counts))
    wrong = [w for s in samplers for w in s.wrong]
    check(not wrong and all(s.samples > 5 for s in samplers),
          "at every sampled moment recorded = posted + pending + ignored + aborted, within what was written", "; ".join(wrong[:3]))
    check(x.world.posts >= 2, "alerts got through while X failed", str(x.world.posts))
    x.answer()
    status = world.deliver_all()
    journal = world.journal()
    begun = sum(world.tally(name)[0] for name in names)
    recorded = sum(world.tally(name)[1] for name in names)
    check(recorded <= sum(journal.values()) <= begun, "everything that was written is in the journal",
          "%d <= %s <= %d" % (recorded, journal, begun))
    check(status["pending"] == 0 and status["unreadable"] == 0 and status["dropped"] == 0, "in the end nothing waits",
          "%s %s" % (status, world.last.stderr))
    check(all(status[kind] == journal[kind] for kind in journal), "the counters are those of the journal",
          "%s %s" % (status, journal))
    check(x.told() == journal["posted"], "the posts tell each failure exactly once",
          "told %d of %d" % (x.told(), journal["posted"]))
    sent = world.sent()
    check([e["text"] for e in sent] == x.posts() and sum(e["failures"] for e in sent) == journal["posted"],
          "what X accepted is remembered, once and in order")
    timeline = world.timeline()
    ids = [e["id"] for e in timeline]
    check(sum(e["failures"] for e in timeline) == journal["posted"] and ids == sorted(set(ids)),
          "the timeline tells each failure exactly once", str(ids))
    if not failed_any():
        world.close()
    finish()


def failed_any():
    import world
    return bool(world.failed)


if __name__ == "__main__":
    main()
