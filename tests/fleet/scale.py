"""Many members at once, simulated: each is connected under its own account and sends whole batches, a few of them at a time. At
the hub: each failure once, at a rate that the number of members and failures does not lower, in little memory.

    scale.py [--members N] [--failures N] [--senders N] [--batch N]

FAILURES are those of all members together. The engine's own limit is measured in the same run: what it takes of the same
batches over as many connections, while no hub runs.
"""

import argparse
import json
import multiprocessing
import os
import re
import subprocess
import time

from fleet import Fleet, check, count_recorded, finish, segments, wait_for
from phone import Phone
from wire import Wire

parser = argparse.ArgumentParser()
parser.add_argument("--members", type=int, default=120)
parser.add_argument("--failures", type=int, default=120000)
parser.add_argument("--senders", type=int, default=3)
parser.add_argument("--batch", type=int, default=500)
arguments = parser.parse_args()
each = arguments.failures // arguments.members
EPOCH = "00000000000000aa"


def items(number):
    """The text of so many items."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    one = '{"event":{"time":"%s","route":"pam","class":"failure","service":"sshd","pid":%d,"user":"root","rhost":"198.51.100.%d","tty":"ssh"},"user":"root","ruser":"unknown"}'
    return ",".join(one % (now, 1000 + n, n % 250) for n in range(number))


def send(names, port, path, barrier):
    """Be all of these members: connect; then one after another sends what it has, and waits for the engine to have it."""
    whole, wires = items(arguments.batch), [(name, Wire(port, os.path.join(path, name))) for name in names]
    barrier.wait(300)
    for name, wire in wires:
        last, sequence = 0, 0
        while last < each:
            number = min(arguments.batch, each - last)
            body = '{"v":1,"epoch":"%s","inst":"%s","first":%d,"last":%d,"items":[%s]}' % (
                EPOCH, EPOCH, last + 1, last + number, whole if number == arguments.batch else items(number))
            answer = wire.request("aa.f." + name, body, {"Nats-Expected-Last-Subject-Sequence": str(sequence)})
            if answer is None or b"error" in answer[1]:
                raise AssertionError((name, answer, wire.errors))
            sequence, last = json.loads(answer[1])["seq"], last + number


def press(name, port, path, taken):
    """Send one batch over and over, for five seconds or until the subject is full."""
    wire, sent = Wire(port, os.path.join(path, name)), 0
    body = '{"v":1,"epoch":"%s","inst":"%s","first":1,"last":%d,"items":[%s]}' % (EPOCH, EPOCH, arguments.batch, items(arguments.batch))
    began = time.monotonic()
    while time.monotonic() - began < 5 and b"error" not in wire.request("aa.f." + name, body)[1]:
        sent += 1
    taken.put(sent * arguments.batch / (time.monotonic() - began))


def limit_of_engine():
    """Failures a second that the engine alone takes."""
    taken = multiprocessing.Queue()
    all = [multiprocessing.Process(target=press, args=(name, fleet.port, fleet.path("files"), taken)) for name in pressing]
    for one in all:
        one.start()
    rates = [taken.get(timeout=60) for _ in all]
    for one in all:
        one.join()
    return sum(rates)


def send_all(names):
    """All of these members, a few at a time; and since when they send."""
    parts, barrier = [names[n::arguments.senders] for n in range(arguments.senders)], multiprocessing.Barrier(arguments.senders + 1)
    senders = [multiprocessing.Process(target=send, args=(part, fleet.port, fleet.path("files"), barrier)) for part in parts]
    began = time.monotonic()
    for sender in senders:
        sender.start()
    barrier.wait(300)
    print("# %d members connected within %.0f s" % (len(names), time.monotonic() - began))
    return senders, time.monotonic()


def processor(process):
    """Seconds of processor that it took so far."""
    fields = open("/proc/%d/stat" % process.process.pid).read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory():
    """What the hub took at most, in MB."""
    return [int(l.split()[1]) for l in open("/proc/%d/status" % fleet.hub.process.pid) if l.startswith("VmHWM")][0] / 1024


def size():
    return sum(os.fstat(file.fileno()).st_size for file in segments(fleet.hub_state))


def numbers_of_each():
    """For each member, which numbers the hub's journal has: (how many distinct ones, how many lines)."""
    found, origin = {}, re.compile(rb'"host":"([^"]*)".*"origin":"fleet:[0-9a-f]*:([0-9]*):')
    for file in segments(fleet.hub_state):
        for text in file:
            match = origin.search(text)
            if match:
                found.setdefault(match[1].decode(), []).append(int(match[2]))
    return {host: (len(set(numbers)), len(numbers)) for host, numbers in found.items()}


names = ["n%04d" % n for n in range(arguments.members)]
pressing = ["press%d" % n for n in range(arguments.senders)]
fleet, phone = Fleet(), Phone()
phone.config(fleet.config, "group_interval = \"2s\"\nmax_interval = \"2s\"\nmax_per_day = 10000\nburst = 20\n[journal]\nmax_size = \"2G\"\n")
os.mkdir(fleet.path("files"))
try:
    began = time.monotonic()
    for name in names + pressing:
        done = subprocess.run(fleet.hub_command("add-member", name, "--out", fleet.path("files/" + name)), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    fleet.fit_to_engine()
    print("# %d members let in within %.0f s" % (len(names), time.monotonic() - began))
    fleet.deliver()
    began = time.monotonic()
    fleet.start()
    print("# the engine is up after %.1f s" % (time.monotonic() - began))
    check(wait_for(lambda: os.path.isdir(fleet.path("store/jetstream/FLEET/streams/AAK")), 30), "the engine takes %d accounts" % len(names))
    time.sleep(2)
    fleet.hub.kill()

    limit = limit_of_engine()
    fleet.hub.start()
    # What the engine was pressed with is one batch of each, again and again.
    pressed = arguments.batch * len(pressing)
    check(wait_for(lambda: fleet.status()["backlog"] == 0 and count_recorded(fleet.hub_state) == pressed, 60, 0.5), "what comes again is counted once",
          (count_recorded(fleet.hub_state), pressed))
    time.sleep(6)
    taken = memory()
    one, before, used = size() / pressed, size(), [processor(fleet.engine), processor(fleet.hub)]
    senders, began = send_all(names)
    total, quarters = each * len(names), []
    end = began + 280
    while time.monotonic() < end:
        have = (size() - before) / one
        if have >= total * (len(quarters) + 1) / 4 - 1 and len(quarters) < 3:
            quarters.append((have, time.monotonic() - began))
        if have >= total * 0.98 and count_recorded(fleet.hub_state) >= total + pressed:
            break
        time.sleep(0.1 if have < total * 0.98 else 0.5)
    took = time.monotonic() - began
    used = [processor(process) - before for process, before in zip([fleet.engine, fleet.hub], used)]
    for sender in senders:
        sender.join()
    check(all(sender.exitcode == 0 for sender in senders), "the engine took everything")
    quarters.append((total, took))
    rates = [(b[0] - a[0]) / (b[1] - a[1]) for a, b in zip([(0, 0), *quarters], quarters)]
    rate = total / took
    print("# %d failures of %d members in %.1f s: %.0f a second; the engine alone %.0f (%s); in each quarter %s" % (
        total, len(names), took, rate, limit, "sync_interval: always" if fleet.syncs else "without sync_interval",
        " ".join("%.0f" % rate for rate in rates)))
    print("# of the processor, for a million: the hub %.1f s, the engine %.1f s" % tuple(1e6 * seconds / total for seconds in used[::-1]))
    found = numbers_of_each()
    wrong = [(name, found.get(name)) for name in names if found.get(name) != (each, each)]
    check(not wrong, "each failure is at the hub, once", wrong[:5])
    # Whatever else this machine does, and however fast it is. Measured: three to four and a half times.
    check(used[1] <= 8 * used[0], "a failure costs the hub at most eight times what it costs the engine, with its alerts", used)
    # On a machine of its own, and where the engine syncs: else it takes what no disk has yet, and the hub syncs.
    if total >= 1000000 and fleet.syncs:
        check(rate >= limit / 2, "the hub takes over at least half of what the engine can take", (rate, limit))
    check(rates[-1] >= 0.6 * rates[0], "the last of them as fast as the first", rates)
    check(wait_for(lambda: all(m["records"] == each for m in fleet.status()["members"] if m["name"] in names), 20, 1), "status has each of them")
    wait_for(lambda: fleet.deliver("--now") and fleet.receiver("phone")["pending"] == 0, 60, 1)
    check(phone.reported() == total + pressed, "the alerts tell of all, each once", (phone.reported(), total + pressed))
    more = memory() - taken
    print("# the hub took %.0f MB, %.1f of them for what the members sent" % (memory(), more))
    check(memory() <= 64, "the hub takes at most 64 MB", memory())
    # With a thousand failures each; it is what their tables take, what is kept of them on disk, and what is on the way.
    check(more <= 6 + 0.05 * len(names), "of each member at most 50 KB", more)
    check(fleet.hub.is_running(), "the hub ran all the time")
finally:
    fleet.end()
finish()
