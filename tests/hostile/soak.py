"""Failed logins by the thousand through a real sshd, and through a host that lives on: every one is recorded
once, nothing crashes, nothing grows.

soak.py [--full]     10,000 logins with --full, else 400
"""

import sys

from scene import *
from sshd import METHODS, Sshd

FULL = "--full" in sys.argv
LOGINS = 10_000 if FULL else 400
TRIES = 10
AT_ONCE = 6


def footprint(pid):
    with open(f"/proc/{pid}/statm") as file:
        resident = int(file.read().split()[1]) * 4
    return resident, len(os.listdir(f"/proc/{pid}/fd"))


def logins(scene, sshd):
    scene.stack(True, delay=0)
    running, begun = [], 0
    users = ("victim", "root", "nosuch", "x" * 300, "\u202eevil")
    while begun < LOGINS // TRIES or running:
        while begun < LOGINS // TRIES and len(running) < AT_ONCE:
            running.append(sshd.client(users[begun % len(users)], METHODS[begun % 2], TRIES))
            begun += 1
        for client in running[:]:
            if client.poll() is not None:
                client.communicate()
                running.remove(client)
        time.sleep(0.005)


def main():
    scene = Scene()
    sshd = None
    try:
        sshd = Sshd(scene)
        scene.stack(True, delay=0)
        sshd.client("victim", "password", 1).communicate()
        before, warm = footprint(sshd.process.pid), scene.status()["recorded"]
        began = time.monotonic()
        logins(scene, sshd)
        took = time.monotonic() - began
        after = footprint(sshd.process.pid)
        status = scene.deliver("--now") and scene.status()
        print(f"# {LOGINS} logins in {took:.0f} s; sshd {before[0]} -> {after[0]} KiB, {before[1]} -> {after[1]} "
              f"descriptors; {status['posts']} alerts")
        ok(status["recorded"] - warm == LOGINS and status["unreadable"] == status["dropped"] == 0,
           f"{LOGINS} failed logins, {LOGINS} recorded", status)
        ok(status["posted"] + status["pending"] + status["aborted"] + status["ignored"] == status["recorded"],
           "recorded = posted + pending + ignored + aborted", status)
        ok(after[1] <= before[1] and after[0] <= before[0] + 512, "sshd's listener did not grow", before, after)
        with open(sshd.log) as file:
            log = file.read()
        bad = [line for line in log.splitlines() if re.search(r"fatal|crash|signal|internal error", line)]
        ok(not bad, "sshd had nothing to complain of", *bad[:5])
        scene.stack(True, delay=0, auth="auth required pam_deny.so\n")
        run = subprocess.run(scene.host("other", f"long=4,{LOGINS // 4}"), capture_output=True, text=True)
        lines = run.stdout.splitlines()
        print(*[f"# {line}" for line in lines], sep="\n")
        figures = [[int(n) for n in re.findall(r"(\d+) (?:KiB|desc)", line)] for line in lines if "KiB" in line]
        early, late = figures[5], figures[-1]
        ok(run.returncode == 0 and late[0] <= early[0] + 1024 and late[1] <= early[1] + (132 << 10) and late[2] <= early[2] + 2,
           "a host of four threads that lives on does not grow", early, late)
    finally:
        if sshd:
            sshd.close()
        scene.close()
    finish()


main()
