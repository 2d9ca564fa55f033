"""Logs that are written, rotated in every way and read at once, by scans that are killed."""

import collections
import os
import random
import shutil
import signal
import subprocess
import threading
import time

from report import test
from state import State, attempts, different

SECONDS = float(os.environ.get("STORM_SECONDS", "15"))
SEED = int(os.environ.get("STORM_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
# Processes that write in turn. As many as a long storm could begin would take longer to end than it lasted, and be
# silent for longer than a scan waits for them.
OPEN = 1000
# Rotated files that are kept.
KEPT = 6


class Log:
    """A log, its writer and what rotates it. One lock: a copy and a truncation belong together.

    Three things lose lines by their nature, whoever reads: what is written between copy and truncation, what nobody
    has read when a file is emptied, deleted or replaced. So the writer pauses in the first, and the others wait for a
    scan that began after the last line and came to its end.
    """

    def __init__(self, path, dice, appends=True):
        self.path, self.dice, self.appends = path, dice, appends
        self.lock = threading.RLock()
        self.number = 0
        self.newest = 0.0
        self.written = {}
        self.open()

    def open(self):
        flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if self.appends else 0)
        self.file = os.open(self.path, flags, 0o640)
        self.behind = 0
        if not self.appends:
            os.lseek(self.file, 0, os.SEEK_END)

    def write(self, text):
        data = text.encode()
        with self.lock:
            cut = self.dice.randrange(1, len(data)) if self.dice.random() < 0.1 else len(data)
            os.write(self.file, data[:cut])
            if cut < len(data):
                # A line without its end stands there for a moment.
                time.sleep(self.dice.random() * 0.01)
                os.write(self.file, data[cut:])
            self.written[os.fstat(self.file).st_ino] = self.newest = time.monotonic()
            if self.behind:
                self.behind -= 1
                if not self.behind:
                    self.hup()

    def hup(self):
        with self.lock:
            os.close(self.file)
            self.open()

    # What rotates. Each gives whether it did anything.

    def shift(self):
        """auth.log.1 becomes auth.log.2, and so on."""
        for number in range(KEPT, 0, -1):
            for suffix in ("", ".gz", ".xz", ".zst"):
                old = "%s.%d%s" % (self.path, number, suffix)
                if os.path.exists(old):
                    os.rename(old, "%s.%d%s" % (self.path, number + 1, suffix))

    def rename(self, late=0):
        with self.lock:
            if self.behind or not os.path.exists(self.path):
                return
            self.shift()
            os.rename(self.path, self.path + ".1")
            if self.dice.random() < 0.5:
                # logrotate's `create`; else there is none of that name until the daemon makes it.
                os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o640))
            if late:
                self.behind = late
            else:
                self.hup()

    def rename_and_write_on(self):
        self.rename(late=self.dice.randrange(1, 40))

    def dateext(self):
        with self.lock:
            if self.behind or not os.path.exists(self.path):
                return
            self.number += 1
            os.rename(self.path, "%s-20261125%06d" % (self.path, self.number))
            self.hup()

    def copytruncate(self):
        with self.lock:
            if self.behind or not os.path.exists(self.path):
                return
            self.shift()
            shutil.copyfile(self.path, self.path + ".1")
            self.written[os.stat(self.path + ".1").st_ino] = time.monotonic()
            time.sleep(self.dice.random() * 0.05)
            os.truncate(self.path, 0)

    def compress(self):
        """Whichever rotated file nobody writes to any more."""
        names = [name for name in self.rotated() if os.path.splitext(name)[1] not in (".gz", ".xz", ".zst")]
        with self.lock:
            writing = os.fstat(self.file).st_ino
            names = [name for name in names if os.path.exists(name) and os.stat(name).st_ino != writing]
            if not names:
                return
            name = self.dice.choice(names)
            if os.path.getsize(name) == 0:
                return
            tools = [t for t in (["gzip", "-f"], ["xz", "-f"], ["zstd", "-q", "-f", "--rm"]) if shutil.which(t[0])]
            process = subprocess.Popen([*self.dice.choice(tools), name], stderr=subprocess.DEVNULL)
            if self.dice.random() < 0.5:
                # A machine that is busy: the file is half there for a while.
                process.send_signal(signal.SIGSTOP)
                time.sleep(self.dice.random() * 0.05)
                process.send_signal(signal.SIGCONT)
            process.wait()

    def rotated(self):
        directory, name = os.path.split(self.path)
        return [os.path.join(directory, n) for n in os.listdir(directory)
                if n.startswith(name) and n != name and not n.endswith(".tmp")]

    def empty(self, was_read):
        with self.lock:
            if not self.behind and was_read(self.newest) and os.path.exists(self.path):
                os.truncate(self.path, 0)

    def replace(self, was_read):
        """Another file takes its place, as an editor or a restore does it."""
        with self.lock:
            if self.behind or not was_read(self.newest) or not os.path.exists(self.path):
                return
            with open(self.path + ".tmp", "w") as file:
                file.write("2026-01-05T00:00:00+00:00 srv cron[%d]: another file\n" % self.dice.randrange(10**9))
            os.rename(self.path + ".tmp", self.path)
            self.hup()

    def delete(self, was_read):
        with self.lock:
            writing = os.fstat(self.file).st_ino
            old = [name for name in self.rotated() if os.stat(name).st_ino != writing]
            old.sort(key=os.path.getmtime)
            for name in old[:-KEPT]:
                if was_read(max(self.newest, self.written.get(os.stat(name).st_ino, 0))):
                    os.unlink(name)


class Scans:
    """Two scans at a time, some of them killed."""

    def __init__(self, state, seed):
        self.state, self.stop = state, False
        self.ended = self.killed = 0
        self.last_complete = 0.0
        self.wrong = []
        self.threads = [threading.Thread(target=self.loop, args=(random.Random(seed + n),)) for n in range(2)]
        for thread in self.threads:
            thread.start()

    def loop(self, dice):
        while not self.stop:
            begun = time.monotonic()
            process = subprocess.Popen(self.state.command("scan"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True)
            if dice.random() < 0.5:
                time.sleep(dice.random() ** 2 * 0.4)
                process.kill()
            said = process.communicate()[0]
            if process.returncode == 0:
                self.ended += 1
                if "waiting for the next pass" in said:
                    self.last_complete = max(self.last_complete, begun)
            elif process.returncode == -signal.SIGKILL:
                self.killed += 1
            else:
                self.wrong.append(said)
            time.sleep(dice.random() * 0.05)

    def was_read(self, moment):
        return self.last_complete > moment

    def end(self):
        self.stop = True
        for thread in self.threads:
            thread.join()


def weather(state, logs, scans, dice, seconds):
    """Write and rotate for a while; gives the attempts by process."""
    expected = collections.Counter()
    over = threading.Event()

    def rotate():
        ways = collections.Counter()
        while not over.is_set():
            log = dice.choice(logs)
            way = dice.choice(["rename", "rename_and_write_on", "dateext", "copytruncate", "compress", "compress",
                               "empty", "replace", "delete", "delete"])
            needs = way in ("empty", "replace", "delete")
            getattr(log, way)(*([scans.was_read] if needs else []))
            ways[way] += 1
            time.sleep(dice.random() ** 3 * 0.25)
        weather.ways = ways

    rotator = threading.Thread(target=rotate)
    rotator.start()
    end, pid, open_lines = time.monotonic() + seconds, 1000, []
    try:
        while time.monotonic() < end or open_lines:
            if time.monotonic() < end and len(open_lines) < OPEN:
                pid += 1
                count = dice.choice([1, 1, 1, 2, 3])
                expected[pid] = count
                open_lines.append(attempts(pid, count))
            # Lines of several processes in turn: some end after a rotation, and in a later pass.
            lines = dice.choice(open_lines)
            line = lines.pop(0)
            if not lines:
                open_lines.remove(lines)
            for log in logs:
                log.write(line)
            time.sleep(dice.random() ** 2 * 0.02)
    finally:
        over.set()
        rotator.join()
    return expected


def storm(names, seconds, appends=True):
    state = State(names)
    dice = random.Random(SEED)
    logs = [Log(path, dice, appends) for path in state.logs]
    state.passed()
    scans = Scans(state, SEED)
    try:
        expected = weather(state, logs, scans, dice, seconds)
    finally:
        scans.end()
    for log in logs:
        log.hup()
    state.passed()
    state.passed()
    wrong = different(state.counts(), expected)
    print("    seed %d: %d attempts, %d passes ended, %d killed, %s" % (
        SEED, sum(expected.values()), scans.ended, scans.killed,
        ", ".join("%s %d" % way for way in sorted(weather.ways.items()))), flush=True)
    assert not wrong, "%s\nkept in %s" % (wrong, state.base)
    assert not scans.wrong, "a scan failed: %s\nkept in %s" % (scans.wrong[0], state.base)
    assert scans.killed > seconds / 2 and scans.ended > seconds / 2, "too few scans"
    assert state.balanced(), state.status()
    state.remove()


@test("a storm of rotations, scans two at once and killed at random: every attempt is recorded once",
      seconds=int(SECONDS) + 120)
def renamed_copied_compressed():
    storm(["auth.log"], SECONDS)


@test("the same with a writer that does not append, so that a truncated log begins with a hole",
      seconds=int(SECONDS) + 120)
def holes():
    storm(["auth.log"], SECONDS, appends=False)


@test("the same with two logs that tell of the same attempts and are rotated each for itself: once, not twice",
      seconds=int(SECONDS) + 120)
def twins():
    storm(["auth.log", "syslog"], SECONDS)
