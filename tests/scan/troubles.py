"""A first pass that is cut off, a place that is lost, clocks that disagree, logs that cannot be read, a journal that is full."""

import collections
import json
import os
import random
import signal
import subprocess
import time

from report import equal, test, within
from state import State, attempts, different, module_record

FIRST = "2026-01-05T00:00:00+00:00 srv cron[1]: first\n"


def begun(*logs, more=""):
    """A state whose logs have been read up to here."""
    state = State(logs or ("auth.log",), more=more)
    for log in state.logs:
        write(log, [FIRST.replace("first", log)])
    state.passed()
    return state


def write(path, lines):
    with open(path, "a") as file:
        file.writelines(lines)


def written_ago(path, seconds):
    """As if the last lines had been written then: what the log's clock is compared with."""
    os.utime(path, (time.time() - seconds,) * 2)


def counted(state, expected, about=""):
    wrong = different(state.counts(), collections.Counter(expected))
    assert not wrong, "%s: %s\nkept in %s" % (about, wrong, state.base)
    assert state.balanced(), state.status()
    state.remove()


@test("a first pass over a large log that is killed goes on where it was, and counts every attempt once", seconds=280)
def goes_on():
    state, processes = State(), 90_000
    line = attempts(7777777, ago=3600)[1]
    with open(state.log, "w") as file:
        for first in range(0, processes, 1000):
            file.write("".join(line.replace("7777777", str(1000 + pid)) for pid in range(first, first + 1000)))
    place = os.path.join(state.state, "scan.json")
    reached = 0
    for _ in range(2):
        process = subprocess.Popen(state.command("scan", "--from-start"), stdout=subprocess.DEVNULL)
        before = reached
        # The place is saved every two seconds; a fast machine needs no more for all of it.
        time.sleep(0.1)
        process.send_signal(signal.SIGSTOP)
        time.sleep(2.1)
        process.send_signal(signal.SIGCONT)
        while process.poll() is None and reached <= before:
            time.sleep(0.005)
            if os.path.exists(place):
                with open(place) as file:
                    reached = list(json.load(file)["state"]["streams"].values())[0]["files"][-1]["offset"]
        process.kill()
        assert before < reached <= os.path.getsize(state.log), (before, reached)
        # With less than half left the next one would be through before it can be killed.
        if process.wait() == 0 or 2 * reached > os.path.getsize(state.log):
            break
    print("    killed at %d %% of %d MB" % (100 * reached // os.path.getsize(state.log),
                                            os.path.getsize(state.log) >> 20), flush=True)
    assert reached < os.path.getsize(state.log), "it was killed on the way"
    # By cron, which says nothing of the start.
    state.passed()
    counted(state, {1000 + pid: 1 for pid in range(processes)})


@test("a place that is damaged is found again from the logs, and every attempt counts once", seconds=120)
def damaged():
    dice = random.Random(5)
    for round_number in range(12):
        state = begun()
        expected, later = {}, []
        for pid in range(100, 130):
            expected[pid] = 1 + pid % 3
            lines = attempts(pid, expected[pid])
            write(state.log, lines[:1 + pid % 2])
            later += lines[1 + pid % 2:]
            if pid % 5 == 0:
                module_record(state, pid)
        state.passed()
        path = os.path.join(state.state, "scan.json")
        with open(path, "rb") as file:
            text = bytearray(file.read())
        at = dice.randrange(len(text))
        text[at] ^= 1 << dice.randrange(7)
        with open(path, "wb") as file:
            file.write(text if round_number % 3 else text[:at])
        write(state.log, later)
        tried = state.passed("--dry-run")
        assert "scan.json is damaged; what was" in tried, tried
        if round_number % 2:
            os.rename(state.log, state.log + ".1")
            write(state.log, attempts(200))
            expected[200] = 1
        state.passed()
        state.passed()
        assert os.path.exists(path + ".damaged")
        counted(state, expected, "byte %d of %d" % (at, len(text)))


@test("a log whose clock is a second, an hour or nine hours off: what the module recorded is not told again", seconds=60)
def clocks():
    for form in ("rfc3339", "traditional"):
        for off in (-9 * 3600, -3600, -1200, -1, 0, 1, 1200, 3600, 9 * 3600):
            state = begun()
            for pid in range(100, 106):
                write(state.log, attempts(pid, 2, form, 15 + off))
                module_record(state, pid)
                module_record(state, pid, ago=12.5)
            # Without a pid, and in a zone of its own: who, whom, and a multiple of a quarter of an hour.
            if off % 900 in (0, 1, 899):
                line = attempts(9, 1, form, 15 + off)[0].replace("sshd[9]", "sudo").replace("sshd:auth", "sudo:auth")
                write(state.log, [line.replace("ruser=", "ruser=bob").replace("rhost=192.0.2.7", "rhost=")])
                module_record(state, 106, service="sudo", rhost="", ruser="bob")
            state.passed()
            state.passed()
            told = [record for record in state.records() if record["route"] == "log"]
            equal(told, [], "%s, %d seconds off" % (form, off))
            state.remove()


@test("a log whose clock is off, and no module: lines of one process in two passes are one attempt", seconds=60)
def clocks_without_module():
    for off in (-9 * 3600, -3600, 3600):
        state = begun()
        expected, later = {}, []
        for pid in range(100, 110):
            expected[pid] = 2
            lines = attempts(pid, 2, "traditional", 15 + off)
            write(state.log, lines[:1])
            later += lines[1:]
        written_ago(state.log, 15)
        state.passed()
        write(state.log, later)
        written_ago(state.log, 15)
        state.passed()
        counted(state, expected, "%d seconds off" % off)


@test("a login after failures is recorded, as a login and once, and a login of anybody else is not", seconds=60)
def logins():
    state = begun("auth.log", "syslog")
    accepted = attempts(100, user="alice")[1].replace("Failed", "Accepted")
    stranger = accepted.replace("[100]", "[101]").replace("192.0.2.7", "192.0.2.9").replace("alice", "bob")
    for log in state.logs:
        write(log, [*attempts(99, 3, user="alice", ago=40), accepted, stranger])
    for _ in range(2):
        state.passed()
    equal([(r["class"], r["pid"], r["user"], r["rhost"]) for r in state.records() if r["class"] != "failure"],
          [("login", 100, "alice", "192.0.2.7")])
    equal(sum(r.get("count", 1) for r in state.records() if r["class"] == "failure"), 3)
    # The module's record of the same login is enough.
    module_record(state, 102, user="alice", record_class="login")
    write(state.log, [accepted.replace("[100]", "[102]")])
    state.passed()
    equal(len([r for r in state.records() if r["class"] == "login" and r["route"] == "log"]), 1)
    state.remove()


@test("a break-in is found for as long as the failures before it speak against it", seconds=60)
def long_after():
    state = begun("auth.log")
    write(state.log, attempts(99, 7, user="alice", ago=19 * 3600))
    state.passed()
    accepted = attempts(100, user="bob", rhost="192.0.2.7")[1].replace("Failed", "Accepted")
    stranger = attempts(101, user="bob", rhost="192.0.2.9")[1].replace("Failed", "Accepted")
    write(state.log, [accepted, stranger])
    state.passed()
    equal([(r["class"], r["pid"]) for r in state.records() if r["class"] != "failure"], [("login", 100)])
    state.remove()


@test("what the module did not record is told by the log, also by a process whose number was in use before", seconds=60)
def reused():
    state = begun()
    write(state.log, attempts(100, 1, ago=900))
    module_record(state, 100, ago=900)
    state.passed()
    # An hour is no other clock here: its record is used.
    write(state.log, attempts(100, 1, ago=100, rhost="192.0.2.8"))
    write(state.log, attempts(101, 3))
    module_record(state, 101)
    state.passed()
    counted(state, {100: 2, 101: 3})


@test("a log that cannot be read, a broken archive and no journalctl: each is said, and the other logs are read", seconds=60)
def unreadable():
    state = begun("auth.log", "syslog", "secure")
    os.rename(state.logs[0], state.logs[0] + ".1")
    os.mkdir(state.logs[0])
    with open(state.logs[1] + ".1.gz", "wb") as file:
        file.write(b"\x1f\x8b\x08\x00" + bytes(100))
    write(state.logs[1], attempts(100))
    write(state.logs[2], attempts(101))
    status, said = state.scan()
    equal(status, 1, said)
    assert state.logs[0] in said, said
    equal(state.counts(), {100: 1, 101: 1})
    os.rmdir(state.logs[0])
    write(state.logs[0], attempts(102))
    state.passed()
    counted(state, {100: 1, 101: 1, 102: 1})


@test("a log that an editor made shorter is read again, and only what is new is told", seconds=60)
def shortened():
    state = begun()
    lines = [attempts(pid)[1] for pid in range(100, 140)]
    write(state.log, lines)
    state.passed()
    with open(state.log) as file:
        kept = file.read().splitlines(True)
    kept = kept[:20] + kept[30:]
    with open(state.log, "w") as file:
        file.writelines(kept)
    write(state.log, attempts(200, 2))
    state.passed()
    write(state.log, attempts(201, 1))
    state.passed()
    counted(state, {**{pid: 1 for pid in range(100, 140)}, 200: 2, 201: 1})


@test("a journal without room: what does not fit waits, nothing is dropped, and everything is told once", seconds=120)
def full():
    state = begun(more='group_interval = "1s"\nmax_interval = "1s"\n[journal]\nmax_size = "64K"\n')
    for pid in range(1000, 2500):
        write(state.log, attempts(pid)[1:])
    refused = 0

    def told():
        nonlocal refused
        status, said = state.scan()
        refused += status == 1 and "largest size" in said
        found = state.status()
        return found["recorded"] if found["recorded"] >= 1500 else 0
    equal(within(100, told, "all are recorded"), 1500)
    assert refused > 0, "it never was full"
    found = state.status()
    equal((found["dropped"], found["recorded"]), (0, 1500), found)
    state.remove()
