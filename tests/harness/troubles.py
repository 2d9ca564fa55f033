#!/usr/bin/env python3
"""What can go wrong with a machine: answers of X one by one, a full disk, no inodes, a read-only state, clocks that step,
a full journal, a slow writer. Nothing crashes, nothing is counted or told twice, and it goes on when it is mended."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import crowd
from world import APPEND, AUTHALERT, TOP, Syslog, World, X, balanced, check, count_in, finish, is_root

FAKETIME = next((p for p in ("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
                             "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
                             "/usr/lib64/faketime/libfaketime.so.1") if os.path.exists(p)), None)


def told_once(world, name, unreadable=0):
    status, journal = world.deliver_all(), world.journal()
    detail = "told %d, %s, %s, %s" % (world.x.told(), status, journal, world.last.stderr)
    return check(status["pending"] == 0 and world.x.told() == journal["posted"] and balanced(status)
                 and all(status[kind] == journal[kind] for kind in journal) and status["unreadable"] <= unreadable,
                 name, detail)


POST = '{"data":{"id":"1445880548472328192","text":"t"}%s}'
CREATED = "HTTP/1.1 201 Created\r\n"
CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"

# Answers that no X gave yet. With "post" X has it, whatever it says then; where it has not, it does not say so.
STRANGE = [
    # 201 is a post, whatever stands below it.
    *({"post": True, "status": 201, "body": body} for body in (
        '{"errors":[{"title":"Whatever","detail":"...","type":"about:blank"}]}', POST % ',"errors":[{"message":"..."}]', "no JSON",
        "", "null", "[]", '{"data":{}}', '{"data":{"id":17}}', '{"data":{"id":"%s"}}' % ("9" * 5000), '{"data":' * 3000,
        '{"data":{"id":"\\u202e\\u0000"}}', "\x00\xff" * 100)),
    {"post": True, "status": 201, "headers": {"content-encoding": "gzip"}, "body": "no gzip at all"},
    {"post": True, "status": 201, "headers": {"content-encoding": "br"}, "body": "whatever"},
    {"post": True, "status": 201, "headers": {"content-length": "7"}, "body": "longer than that"},
    {"post": True, "status": 201, "headers": {"content-length": "-1"}},
    {"post": True, "status": 201, "endless": True},
    {"post": True, "raw": CREATED + "transfer-encoding: chunked\r\n\r\nzz\r\nno chunk"},
    {"post": True, "raw": CREATED + "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nx"},
    {"post": True, "raw": CREATED + "content-length: 0\r\ncontent-length: 5\r\n\r\nhello"},
    {"post": True, "raw": CREATED, "repeat": "x-more: and more\r\n"},
    {"post": True, "raw": CREATED + "x-more: ", "repeat": "and more "},
    {"post": True, "raw": "HTTP/1.1 201 ", "repeat": "Created "},
    {"post": True, "status": 201, "body": POST % "", "after": "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"},
    {"post": True, "status": 201, "body": POST % "", "repeat": "and bytes after the end "},
    # Another success is a post with an id only: a captive portal answers 200 to everything.
    *(dict(answer, status=status) for status in (200, 202, 204, 226, 299) for answer in (
        {"post": True, "body": POST % ""}, {"post": True, "body": "{}"}, {"body": "{}"}, {"body": ""})),
    # What comes before an answer, or instead of it.
    {"post": True, "status": 201, "body": POST % "", "before": CONTINUE},
    {"post": True, "status": 201, "body": POST % "", "before": "HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n" * 3},
    *(dict(answer, raw=raw) for answer in ({"post": True}, {}) for raw in (
        CONTINUE, "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", "HTTP/1.1 199 Whatever\r\n\r\n", "", "\r\n\r\n",
        "HTTP/0.9 201 Created\r\n\r\n", "HTTP/2 201\r\n\r\n", "HTTP/1.1 99 No\r\n\r\n", "HTTP/1.1 1000 No\r\n\r\n", "{}")),
    {"raw": CONTINUE, "repeat": CONTINUE},
    {"post": True, "raw": "", "repeat": "x"},
    # Elsewhere: never followed, to where it was as little as to another host.
    *(dict(answer, status=status, redirect=place) for status in (301, 302, 303, 307, 308) for answer in ({"post": True}, {})
      for place in ("/2/tweets", "http://127.0.0.1:9/", "")),
    {"status": 304}, {"post": True, "status": 300}, {"status": 305},
]


def each_answer():
    wrong = []
    answers = [answer for _, answer in crowd.MIX] + [{"name": "duplicate"}, {"name": "duplicate-old"}]
    answers += [{"name": name} for name in crowd.standin.answers.NAMED if {"name": name} not in answers]
    answers += STRANGE
    world = World()
    for number, answer in enumerate(answers):
        # One of this machine itself: its alert does not wait.
        world.append(1, number * 20 + 11)
        # Twice: what is only distrusted the first time is refused the second.
        world.x.answer(dict(answer), dict(answer))
        status = world.deliver_all()
        if world.x.told() != world.journal()["posted"] or status["pending"] or "panicked" in world.last.stderr:
            wrong.append((answer, world.x.told(), status))
            break
    check(not wrong, "each answer of X, alone: told once (%d answers)" % len(answers), str(wrong))
    world.close()


def certificates():
    """X behind a certificate that is not X's: told once in the log, nothing is sent there, nothing is lost."""
    base = tempfile.mkdtemp(prefix="authalert-harness-")
    made = os.path.join(base, "certificates")
    subprocess.run(["sh", os.path.join(TOP, "tests/standin/certificates.sh"), made], check=True)
    x = X(os.path.join(base, "x"), tls=os.path.join(made, "server.pem"))
    world = World(x, os.path.join(base, "machine"), more='ca_file = "%s"' % os.path.join(made, "ca.pem"))
    log = Syslog(base)

    def deliver():
        return subprocess.run(log.around(world.command("deliver", "--now")), capture_output=True, text=True, timeout=60)

    for number, (name, words) in enumerate((("expired", "expired"), ("other", "not valid for name"), ("self", "UnknownIssuer"),
                                            ("stranger", "UnknownIssuer"))):
        world.append(5, number * 20)
        x.certificate(os.path.join(made, name + ".pem"))
        asked = x.world.requests
        runs = [deliver() for _ in range(3)]
        said, status = log.lines(), world.status()
        check(all(run.returncode == 1 and words in run.stderr for run in runs) and x.world.requests == asked
              and balanced(status) and status["pending"] > 0 and words in status["last_error"],
              "a certificate of X that is not (%s): nothing is sent" % name, "%s %s" % (runs, status))
        check(len(said) == 1 and "alerts are not delivered" in said[0] and words in said[0],
              "and that is told in the log, once (%s)" % name, str(said))
        x.certificate(os.path.join(made, "server.pem"))
        deliver()
        said = log.lines()
        told_once(world, "mended (%s): told once" % name)
        check(len(said) == 1 and "are delivered to x again" in said[0], "and the log says so (%s)" % name, str(said))
    shutil.rmtree(base)


class Mounted:
    """The state directory as a small file system of its own."""

    def __init__(self, options):
        self.options = options

    def __enter__(self):
        self.world = World()
        shutil.rmtree(self.world.state)
        os.mkdir(self.world.state)
        self.mount("-t", "tmpfs", "-o", "mode=700," + self.options, "tmpfs")
        os.mkdir(os.path.join(self.world.state, "journal"), 0o700)
        return self.world

    def mount(self, *words):
        subprocess.run(["mount", *words, self.world.state], check=True)

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.world.state], check=True)
        self.world.close()


def fill(world, name="filler"):
    path = os.path.join(world.state, name)
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 512)
        except OSError:
            pass
    return path


def refuses_quietly(world, name, once=0):
    """A pass that cannot write says so, does not ask X (or `once`, where there was just room enough to note that), and
    leaves the counters as they are."""
    before, asked = world.status(), world.x.world.requests
    runs = [world.deliver() for _ in range(3)]
    after = world.status()
    check(all(r.returncode == 1 and world.state in r.stderr and "panicked" not in r.stderr for r in runs)
          and world.x.world.requests - asked <= once and balanced(after) and after["recorded"] == before["recorded"],
          name, "%s asked %d, %s %s" % (runs[0], world.x.world.requests - asked, before, after))


def bears_it(world, name):
    """Passes without room tell what they can note, and nothing twice; one that cannot says so."""
    runs = []
    for _ in range(5):
        runs.append(world.deliver())
        status = world.status()
        x = status["receivers"][0]
        if not (balanced(status) and runs[-1].returncode in (0, 1) and "panicked" not in runs[-1].stderr
                and x["posted"] <= world.x.told() <= x["posted"] + x["pending"] and len(set(world.x.posts())) == len(world.x.posts())):
            return check(False, name, "%s %s" % (runs[-1], status))
    return check(True, name)


def disk_full():
    for used_up in (0, 1, 2):
        with Mounted("size=192k") as world:
            world.append(20)
            world.deliver()
            time.sleep(1.1)
            world.append(10, 100)
            fill(world)
            # Writers go on until the last block of the segment is full, a record being torn where it ends.
            world.append(60, 200 + 7 * used_up, wait=False).communicate(timeout=60)
            if used_up == 0:
                bears_it(world, "disk full: what is sent is noted, in the room that was kept for it")
                check("full" in (world.status()["last_error"] or ""), "and status says that the disk is full",
                      str(world.status()))
            os.unlink(os.path.join(world.state, "filler"))
            world.append(10, 900)
            if not told_once(world, "disk full and mended (%d): told once" % used_up, unreadable=2):
                return


def full_while_sending():
    with Mounted("size=192k") as world:
        world.append(20)
        world.x.answer({"post": True, "late": .5})
        run = subprocess.Popen(world.command("deliver", "--now"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(.25)
        fill(world)
        error = run.communicate(timeout=60)[1]
        check(run.returncode == 1 and b"panicked" not in error and len(world.x.posts()) == 1,
              "disk full while X accepts: the pass says so", str(error))
        for _ in range(3):
            world.deliver()
        status, noted = world.status(), os.path.join(world.state, "receivers", "x.sent.jsonl")
        noted = world.sent() if os.path.exists(noted) else []
        check(balanced(status) and status["posted"] == sum(entry["failures"] for entry in noted),
              "nothing counts as posted that was not noted", "%s %s" % (status, noted))
        os.unlink(os.path.join(world.state, "filler"))
        told_once(world, "disk full while X accepted, and mended: told once")


def no_inodes():
    with Mounted("size=4m,nr_inodes=64") as world:
        world.append(20)
        world.deliver()
        time.sleep(1.1)
        spare = []
        try:
            while True:
                spare.append(os.path.join(world.state, "journal", "spare%d" % len(spare)))
                open(spare[-1], "w").close()
        except OSError:
            spare.pop()
        world.append(20, 100)
        for number in range(5):
            told_once(world, "no inodes: alerts go out all the same (%d)" % (number + 1))
            world.append(12, 200 + 20 * number)
        for path in spare:
            os.unlink(path)
        told_once(world, "no inodes, and mended: told once")


def read_only():
    with Mounted("size=4m") as world:
        mounted = Mounted("")
        mounted.world = world
        world.append(20)
        mounted.mount("-o", "remount,ro")
        refuses_quietly(world, "read-only: the pass says so, status works")
        mounted.mount("-o", "remount,rw")
        told_once(world, "read-only, and mended: told once")


DAY = 86400


def far():
    """To January 1970, and beyond 2038."""
    now = int(time.time())
    return 3 * DAY - now, (1 << 31) + 400 * DAY - now


def at(offset):
    """The environment of a program that sees the clock so many seconds off."""
    return dict(os.environ, LD_PRELOAD=FAKETIME, FAKETIME="%+ds" % offset, FAKETIME_DONT_RESET="1", NO_FAKE_STAT="1")


def clock_between():
    """The clock steps between a failure, the attempt of which nobody knows, and the retry; and while a limit is waited for."""
    if FAKETIME is None:
        check(True, "clock steps between the steps # skip libfaketime is not installed")
        return
    world = World(keep="36500d")
    past, future = far()

    def append(number, offset):
        subprocess.run([APPEND, world.state, os.path.join(world.base, "tally"), "5", str(number), "0"], check=True,
                       env=at(offset))

    def deliver(offset, *words):
        run = subprocess.run(world.command("deliver", *words), env=at(offset), capture_output=True, text=True, timeout=60)
        return run if run.returncode in (0, 1) and "panicked" not in run.stderr else check(False, "a pass", str(run))

    wrong, number = [], 0
    for recorded, tried, again in ((0, 3600, -3600), (0, -DAY, DAY), (DAY, 0, past), (past, future, 0), (future, past, future),
                                   (0, future, 0), (future, 0, -DAY), (0, past, 0)):
        number += 20
        append(number, recorded)
        world.x.answer({"post": number % 40 == 0, "close": "request"}, date_offset=tried)
        deliver(tried, "--now")
        waiting = world.status()["pending"]
        append(number + 10, again)
        world.x.answer(date_offset=again)
        for _ in range(20):
            deliver(again, "--now")
            if world.status()["pending"] == 0:
                break
            time.sleep(.15)
        status = world.status()
        if not (waiting and balanced(status) and status["pending"] == status["unreadable"] == 0
                and world.x.told() == world.journal()["posted"]):
            wrong.append((recorded, tried, again, waiting, status))
    check(not wrong, "the clock steps between failure, attempt and retry: told once", str(wrong))

    wrong = []
    for reset, least, most in ((-10 * 365 * DAY, 0, 900), (-1, 0, 900), (0, 0, 900), (600, 590, 606), (DAY, DAY - 10, DAY + 6),
                               (100 * 365 * DAY, 25 * 3600 - 10, 25 * 3600 + 6)):
        for tried, then in ((0, 3600), (-3600, 0), (DAY, -DAY), (past, 0), (0, past), (future, 0), (0, future)):
            number += 20
            append(number, tried)
            world.x.answer({"name": "too-many", "reset_in": reset}, date_offset=tried)
            deliver(tried, "--now")
            told, asked = world.status()["next_attempt_seconds"], world.x.world.requests
            world.x.answer(date_offset=then)
            deliver(then)
            status = world.status()
            # Still waited for, however late it seems to be, and no longer than before.
            held = world.x.world.requests == asked and status["next_attempt_seconds"] <= told
            # Until it is over: a person tries.
            deliver(then, "--now")
            status = world.status()
            if not (least <= told <= most and held and status["pending"] == 0 and balanced(status)
                    and world.x.told() == world.journal()["posted"]):
                wrong.append((reset, tried, then, told, held, status))
    check(not wrong, "a limit and steps of the clock: waited for by X's clock, 25 hours at most", "%d %s" % (len(wrong), wrong[:2]))
    world.close()


def clocks():
    # In 2039 everything is old.
    world = World(keep="36500d")
    if FAKETIME is None:
        check(True, "wall clock steps # skip libfaketime is not installed")
    else:
        number, skews = 0, []
        for offset in (0, -3600, 0, 3600, -3600, 3600, 0, DAY, -DAY, *far(), 0):
            environment = at(offset)
            number += 100
            subprocess.run([APPEND, world.state, os.path.join(world.base, "tally"), "20", str(number), "0"], check=True,
                           env=environment)
            if offset:
                # X's clock is right: it refuses, and the reason is told.
                run = subprocess.run(world.command("deliver", "--now"), env=environment, capture_output=True, text=True)
                if world.x.world.scenario.get("date_offset", 0) == 0:
                    skews.append(run.stderr)
                # Now X's clock is as wrong: it is sent.
            world.x.answer(date_offset=offset)
            for _ in range(20):
                time.sleep(.15)
                run = subprocess.run(world.command("deliver", "--now"), env=environment, capture_output=True, text=True)
                if run.returncode not in (0, 1) or "panicked" in run.stderr:
                    check(False, "a pass with the clock at %+d s" % offset, str(run))
                if world.status()["pending"] == 0:
                    break
            if not check(world.status()["pending"] == 0 and world.x.told() == world.journal()["posted"],
                         "clock at %+d s: told once" % offset, "%s %s" % (run, world.status())):
                break
            world.x.answer(date_offset=0)
        check(skews and all("clock" in line for line in skews), "a wrong clock is named when X refuses", str(skews[:1]))
    able = subprocess.run(["unshare", "--time", "--boottime", "3600", "true"], capture_output=True).returncode == 0
    if not able:
        check(True, "boot clock steps # skip unshare --time is not allowed here")
    else:
        for offset in (3600, 0, 7200, 0):
            world.append(20, 2000 + offset)
            for _ in range(30):
                run = subprocess.run(["unshare", "--time", "--boottime", str(offset), *world.command("deliver", "--now")],
                                     capture_output=True, text=True)
                time.sleep(.15)
                if world.status()["pending"] == 0:
                    break
            # After the clock went back an hour no time passes until it is where it was: the alert may wait for that
            # long, but not be lost or doubled.
            told = world.x.told() + world.status()["pending"]
            check(balanced(world.status()) and told == world.journal()["posted"] and run.returncode in (0, 1),
                  "boot clock at +%d s: nothing lost or doubled" % offset, "%s %s" % (run, world.status()))
        check(world.status()["pending"] == 0, "a boot clock that went back holds nothing up", str(world.status()))
    world.close()


def cap():
    world = World(max_size="64K")
    world.deliver()
    world.append(2000)
    recorded, dropped = world.tally()[1:]
    size = sum(os.path.getsize(os.path.join(world.state, "journal", n)) for n in os.listdir(world.state + "/journal")
               if n.endswith(".jsonl"))
    check(dropped > 0 and size <= 65536, "over the cap writers drop", "%d dropped, %d bytes" % (dropped, size))
    status = world.status()
    check(status["dropped"] == dropped and status["recorded"] == recorded and balanced(status),
          "status counts the dropped before any pass", str(status))
    told_once(world, "what found room is told once")
    texts = [t for t in world.x.posts() if "not recorded" in t]
    words = " %s more were not recorded" % format(dropped, ",")
    check(len(texts) == 1 and words in texts[0], "the count of the dropped is told in an alert, once", str(world.x.posts()))
    # Rotation: sealed segments go once they have settled, and there is room again.
    journal_before = world.journal()
    for round_number in range(12):
        for name in os.listdir(os.path.join(world.state, "journal")):
            if name != "current.jsonl":
                path = os.path.join(world.state, "journal", name)
                os.utime(path, (time.time() - 60, time.time() - 60))
        world.append(60, 10000 + round_number * 100, tally="later")
        if world.tally("later")[2]:
            check(False, "there is room again after rotation", "round %d: %s" % (round_number, world.tally("later")))
            break
        world.deliver()
    status = world.deliver_all()
    total = journal_before["posted"] + sum(1 if i % 10 != 7 else 3 for r in range(12) for i in range(60)
                                           if i % 10 not in (3, 5))
    check(status["posted"] == total == world.x.told() and status["dropped"] == dropped,
          "rotation and retention lose nothing", "%d %d %s" % (total, world.x.told(), status))
    files = os.listdir(os.path.join(world.state, "journal"))
    size = sum(os.path.getsize(os.path.join(world.state, "journal", n)) for n in files if n.endswith(".jsonl"))
    check(size <= 65536 and len(files) < 12, "the journal stays within its size", "%d bytes, %s" % (size, files))
    world.close()


def slow_writer():
    world = World(max_size="64K")
    world.deliver()
    world.append(110)
    path = os.path.join(world.state, "journal", "current.jsonl")
    with open(path, "rb") as file:
        line = file.read().splitlines(True)[-1]
    slow = os.open(path, os.O_WRONLY | os.O_APPEND)
    world.deliver_all()
    check(os.stat(path).st_ino != os.fstat(slow).st_ino, "the segment was sealed under a writer")
    before = world.status()
    os.write(slow, line)
    after = world.status()
    check(after["recorded"] == before["recorded"] + 1, "a record that comes after sealing is found", str(after))
    told_once(world, "and told once")
    os.write(slow, line)
    os.close(slow)
    world.append(50, 500)
    told_once(world, "and the next one too")
    world.close()


def two_passes():
    """The lock is deleted while a pass waits for X: whoever comes then may send the same, and is answered first."""
    world = World(timeout="5s")
    world.append(12)
    world.x.answer({"name": "duplicate", "late": 1})
    first = subprocess.Popen(world.command("deliver", "--now"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(.5)
    os.unlink(os.path.join(world.state, "receivers", "x.lock"))
    world.deliver()
    error = first.communicate(timeout=60)[1]
    check(first.returncode == 1 and "deleted" in error, "a pass whose lock was deleted changes nothing any more", error)
    told_once(world, "and what it sent is told once")
    world.close()


def stopped_pass():
    """A pass that stands still holds its receiver up until its lease is over. Then it is overtaken, and not ended."""
    world = World(timeout="5s")
    world.append(12)
    world.x.answer({"post": True, "hang": True})
    stopped = subprocess.Popen(world.command("deliver", "--now"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(.5)
    stopped.send_signal(signal.SIGSTOP)
    run = world.deliver()
    check(run.returncode == 0 and "x: another" in run.stdout and len(world.x.posts()) == 1,
          "while a pass is stopped others leave its receiver alone", str(run))
    told = sum(entry["failures"] for entry in world.timeline())
    check(balanced(world.status()) and world.status()["pending"] == told > 0, "the counters add up, and the timeline was told")
    with open(os.path.join(world.state, "receivers", "x.lock"), "r+") as file:
        # Its lease: in this boot, until one second after that began.
        lease = file.read()
        file.seek(0)
        file.write("%s %020d\n" % (lease.split(" ")[0], 1000))
    told_once(world, "a pass that stood still for too long is overtaken, and what it sent is told once")
    check(stopped.poll() is None, "nobody ended it", str(stopped.poll()))
    world.append(5, 100)
    world.deliver_all()
    stopped.send_signal(signal.SIGCONT)
    error = stopped.communicate(timeout=60)[1]
    check(stopped.returncode == 1 and "overtaken" in error, "when it goes on it finds that, and changes nothing", error)
    told_once(world, "and everything is told once")
    world.close()


def main():
    names = sys.argv[1:]
    assert os.path.exists(AUTHALERT) and count_in("h: 1,234 failed logins. ·a7") == 1234
    for scenario in (each_answer, cap, slow_writer, two_passes, stopped_pass, clocks, clock_between):
        if not names or scenario.__name__ in names:
            scenario()
    for scenario in (certificates, disk_full, full_while_sending, no_inodes, read_only):
        if names and scenario.__name__ not in names:
            continue
        if is_root() and subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0:
            scenario()
        else:
            check(True, "%s # skip mounting is not allowed here" % scenario.__name__)
    finish()


if __name__ == "__main__":
    main()
