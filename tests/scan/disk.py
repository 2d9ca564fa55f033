"""A disk that fills while the journal or the place is written. Needs mounts of its own."""

import collections
import os
import subprocess

import machine
from report import equal, test
from state import State, attempts, different, stamp

PAGE = 4096


@test("a disk that is full at any moment of a pass: when there is room again every attempt, and every login behind them, is recorded once", seconds=200)
def full():
    refused = 0
    for number, pages in enumerate([*range(0, 16), 20, 24, 32]):
        base = os.path.join(machine.ROOM, "disk-%d" % number)
        state = State(base=base)
        machine.mount("-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", state.state)
        os.mkdir(os.path.join(state.state, "journal"), 0o700)
        with open(state.log, "w") as file:
            file.write("2026-01-05T00:00:00+00:00 srv cron[1]: first\n")
        state.passed()
        expected = {pid: 1 + pid % 3 for pid in range(100, 160)}
        with open(state.log, "a") as file:
            file.writelines(line for pid, count in expected.items() for line in attempts(pid, count))
            for pid in range(200, 230):
                file.write("%s srv sshd[%d]: Accepted password for root from 192.0.2.7 port 5 ssh2\n" % (stamp(ago=13), pid))
                expected[pid] = 1
        ballast = os.path.join(state.state, "ballast")
        with open(ballast, "wb", buffering=0) as file:
            try:
                while file.write(bytes(PAGE)):
                    pass
            except OSError:
                pass
            file.truncate(max(0, os.path.getsize(ballast) - pages * PAGE))
        for _ in range(2):
            refused += state.scan()[0] == 1
        os.unlink(ballast)
        state.passed()
        state.passed()
        wrong = different(state.counts(), collections.Counter(expected))
        equal(wrong, "", "%d pages free" % pages)
        assert state.balanced(), state.status()
        subprocess.run(["umount", "-l", state.state], check=True)
    assert refused > 10, "%d passes found the disk full" % refused
