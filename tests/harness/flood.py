#!/usr/bin/env python3
"""The figures of tests/bench/flood.sh."""

import os
import subprocess
import sys
import time

from world import AUTHALERT, World, balanced, check, finish

DEFAULTS = """receiver = "x"
[x]
api_url = "http://127.0.0.1:%d"
[ignore]
users = ["ignored"]
"""


def measured(command):
    """Seconds, peak memory in MiB, bytes read, exit status of a command."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # Its rusage would include this interpreter, from which it was forked: its own high-water mark is asked for until it
    # ends.
    memory = 0
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        with open("/proc/%d/status" % process.pid) as file:
            status = file.read()
        if status.startswith("Name:\t" + os.path.basename(command[0])) and "VmHWM:" in status:
            memory = int(status.split("VmHWM:", 1)[1].split()[0])
        time.sleep(.0005)
    seconds = time.monotonic() - begun
    with open("/proc/%d/io" % process.pid) as file:
        read = int(file.readline().split()[1])
    _, status = os.waitpid(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return seconds, memory / 1024, read, process.returncode


def used(directory):
    return sum(os.lstat(os.path.join(path, name)).st_blocks * 512
               for path, _, names in os.walk(directory) for name in names)


def log_lines(path, count, first, since, until):
    """So many wrong passwords in a row, as sshd logs them."""
    with open(path, "a") as file:
        for number in range(first, first + count):
            stamp = time.strftime("%b %e %H:%M:%S", time.localtime(since + (until - since) * (number - first) / count))
            head = "%s srv sshd[%d]: " % (stamp, 1000 + number)
            rhost = "203.0.%d.%d" % (number // 250 % 4, number % 250)
            file.write("%spam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s  user=root\n"
                       "%sFailed password for root from %s port %d ssh2\n" % (head, rhost, head, rhost, 1024 + number % 60000))


def main():
    failures = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print("%s, %d failures from 1000 sources" % (os.path.relpath(AUTHALERT), failures))
    world = World()
    with open(world.config, "w") as file:
        file.write(DEFAULTS % world.x.server.port)
    world.x.answer(daily_limit=48)
    peak, rows = 0, {}

    def run(name, *words):
        nonlocal peak
        seconds, memory, read, status = measured(world.command(*words))
        peak = max(peak, memory)
        rows[name] = (seconds, read)
        print("%-46s %8.1f ms %6.1f MiB %10d bytes read" % (name, seconds * 1000, memory, read))
        return status

    run("pass over nothing at all", "deliver")
    # In ten waves with a pass after each, and then the half of it at once.
    wave = failures // 20
    done = 0
    for number in range(10):
        seconds, memory, _, status = measured([os.path.join(os.path.dirname(AUTHALERT), "examples", "append"), world.state,
                                               os.path.join(world.base, "tally"), str(wave), str(done), "0"])
        assert status == 0
        peak, done = max(peak, memory), done + wave
        if number == 0:
            print("%-46s %8.1f us %6.1f MiB" % ("one record appended", seconds * 1e6 / wave, memory))
        run("pass over %d new (wave %d)" % (wave, number + 1), "deliver")
    run("pass with nothing new, history of %d" % done, "deliver")
    world.append(failures - done, done)
    run("status over %d new" % (failures - done), "status", "--json")
    run("pass over %d new" % (failures - done), "deliver")
    run("pass with nothing new", "deliver")
    world.append(100, failures)
    run("pass over 100 new", "deliver")
    run("status with nothing new", "status", "--json")
    status, journal = world.status(), world.journal()
    state = used(world.state)
    each = state / sum(journal.values())
    parts = {name: used(os.path.join(world.state, name)) if os.path.isdir(os.path.join(world.state, name))
             else os.path.getsize(os.path.join(world.state, name)) for name in sorted(os.listdir(world.state))}
    print("state: %d bytes, %.0f a failure; %s" % (state, each, parts))
    log, now, new = os.path.join(world.base, "auth.log"), time.time(), failures // 5
    log_lines(log, 10, 0, now - 800, now - 790)
    run("scan of 10 failures over that journal", "scan", "--from-start", log)
    log_lines(log, new, 10, now - 600, now - 20)
    run("scan of %d new failures" % new, "scan", log)
    run("scan with nothing new", "scan", log)
    scanned = world.status()["recorded"] - status["recorded"]
    full, idle = rows["pass over %d new" % (failures - done)], rows["pass with nothing new"]
    small = rows["pass over 100 new"]
    linear = rows["pass over %d new (wave 10)" % wave][0] / rows["pass over %d new (wave 1)" % wave][0]
    print("peak memory of any process: %.1f MiB" % peak)
    print("nothing new / everything: time %.3f, bytes read %.4f" % (idle[0] / full[0], idle[1] / full[1]))
    print("100 new / everything: time %.3f, bytes read %.4f" % (small[0] / full[0], small[1] / full[1]))
    print("wave 10 / wave 1: time %.2f" % linear)
    check(peak * (1 << 20) <= 32e6, "peak memory of any process at most 32 MB", "%.1f MiB" % peak)
    check(each <= 300, "the state takes at most 300 bytes a failure", "%.0f" % each)
    check(idle[1] * 10 <= full[1] and small[1] * 10 <= full[1], "a pass reads what is new, not what is old")
    check(scanned == new + 10, "a scan counts each failure of the log once", "%d of %d" % (scanned, new + 10))
    check(balanced(status) and status["posted"] == world.x.told() and world.x.world.posts <= 48
          and all(status[kind] + (status["pending"] if kind == "posted" else 0) == journal[kind] for kind in journal),
          "the counters are exact after it", "%s %s" % (status, journal))
    world.close()
    finish()


if __name__ == "__main__":
    main()
