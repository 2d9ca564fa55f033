"""How long from a member's record to the post that the hub's receiver takes; and failures a second beside the engine's own
limit, with the hub's memory.

    latency.py [--failures N] [--posts N]
"""

import argparse
import json
import os
import statistics
import subprocess
import time

from fleet import AUTHALERT, Fleet, append, check, finish, line, recorded, wait_for
from phone import Phone
from wire import Wire

parser = argparse.ArgumentParser()
parser.add_argument("--failures", type=int, default=40000)
parser.add_argument("--posts", type=int, default=12)
arguments = parser.parse_args()

fleet = Fleet(["web1", "bulk"])
phone = Phone()
phone.config(fleet.config, "group_interval = \"1s\"\nmax_interval = \"1s\"\nmax_per_day = 10000\nburst = 20\n[journal]\nmax_size = \"1G\"\n")
subprocess.run([AUTHALERT, "--state", fleet.hub_state, "--config", fleet.config, "deliver"], check=True, timeout=60)
fleet.start()
try:
    check(fleet.join("web1").returncode == 0, "a member joins")
    fleet.members["web1"].start()
    time.sleep(3)
    took = []
    for number in range(arguments.posts):
        before, began = len(phone.posts), time.monotonic()
        append(fleet.state("web1"), [line("root", pid=100 + number)])
        if wait_for(lambda: len(phone.posts) > before, 10, 0.001):
            took.append(phone.posts[before][0] - began)
        time.sleep(2.5)
    shown = ["%.0f" % (1000 * t) for t in sorted(took)]
    print("# from the record to the accepted post, ms: " + " ".join(shown))
    check(len(took) >= arguments.posts - 1, "each failure is posted", (len(took), len(phone.posts)))
    # 0.1 s is what is promised of a machine of its own; here another ring may run beside it. A login sleeps for 2 s.
    limit = float(os.environ.get("AUTHALERT_LATENCY", 2))
    check(took and statistics.median(took) <= limit, "half of them within %.1f s, while the login sleeps" % limit, shown)

    # The engine's own limit: batches of the same length, one in flight, nothing else.
    wire = Wire(fleet.port, fleet.path("bulk/file"))
    text = json.dumps({"v": 1, "epoch": "00000000000000aa", "inst": "00000000000000aa", "first": 1, "last": 0, "items": []})
    body, began, sent = text + " " * 100000, time.monotonic(), 0
    while time.monotonic() - began < 3:
        wire.request("aa.f.bulk", body)
        sent += 1
    engine = sent * 500 / (time.monotonic() - began)
    fleet.run_hub("renew", "bulk", "--out", fleet.path("bulk/file"))
    fleet.reload()
    check(fleet.join("bulk").returncode == 0, "a member with a backlog joins")
    state, made = fleet.state("bulk"), 0
    path = os.path.join(state, "journal", "current.jsonl")
    with open(path, "ab") as file:
        while made < arguments.failures:
            file.write(b"".join(line("root", rhost="198.51.100.%d" % (n % 250), pid=n) for n in range(made, made + 1000)))
            made += 1000
    def arrived():
        journal = os.path.join(fleet.hub_state, "journal")
        files = [os.path.join(journal, name) for name in os.listdir(journal) if name.endswith(".jsonl")]
        return sum(open(file, "rb").read().count(b'"class":"failure","host":"bulk"') for file in files)

    begin, before = time.monotonic(), len(recorded(fleet.hub_state))
    fleet.members["bulk"].start()
    wait_for(lambda: arrived() >= made, 90, 0.05)
    rate = made / (time.monotonic() - begin)
    memory = [int(l.split()[1]) for l in open("/proc/%d/status" % fleet.hub.process.pid) if l.startswith("VmHWM")][0] / 1024
    print("# %.0f failures a second through member, engine and hub; the engine alone %.0f; the hub took %.0f MB" % (rate, engine, memory))
    whole = lambda: len(recorded(fleet.hub_state)) - before == made
    check(wait_for(whole, 20, 1), "a backlog arrives whole", (len(recorded(fleet.hub_state)) - before, made))
    check(memory <= 64, "the hub takes at most 64 MB", memory)
finally:
    fleet.end()
finish()
