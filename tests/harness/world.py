"""What every scenario of the harness needs: a state directory, a stand-in for X, the command, the count of what was told."""

import atexit
import json
import os
import re
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests", "standin"))
import standin  # noqa: E402

BUILD = os.environ.get("AUTHALERT_BUILD", os.path.join(TOP, "target", "quick"))
AUTHALERT = os.path.join(BUILD, "authalert")
APPEND = os.path.join(BUILD, "examples", "append")
MODULE = os.path.join(BUILD, "libpam_authalert.so")

failed = []


def check(right, name, detail=""):
    """One line of the report."""
    print("%s - %s%s" % ("ok" if right else "not ok", name, "" if right or not detail else ": " + detail), flush=True)
    if not right:
        failed.append(name)
    return right


def scratch(name):
    """A directory that ends with this run."""
    path = tempfile.mkdtemp(prefix="authalert-%s-" % name)
    atexit.register(shutil.rmtree, path, True)
    return path


def finish():
    sys.exit(1 if failed else 0)


def count_in(text):
    """How many failures a text covers, by the rule of src/alert/text.rs."""
    match = re.match(r"^(.*) ·a[0-9]*$", text, re.S)
    end = match.group(1) if match else text
    if end.endswith(" failed)") and " (" in end:
        number = end[:-len(" failed)")].rsplit(" (", 1)[1].replace(",", "")
        if number.isdigit():
            return int(number)
    if ": " in text and " failed" in text.split(": ", 1)[1]:
        number = text.split(": ", 1)[1].split(" failed", 1)[0].replace(",", "")
        if number.isdigit():
            return int(number)
    return 1


class X:
    """The stand-in in this process, of which a fresh one can take the place at any time."""

    def __init__(self, directory, tls=None):
        self.directory = directory
        self.number = 0
        self.scheme = "https" if tls else "http"
        self.server = standin.Server(None, 0, tls, control=False)
        self.fresh()
        threading.Thread(target=self.server.serve, daemon=True).start()

    def fresh(self, texts=()):
        """A new X that has `texts` already."""
        self.number += 1
        directory = os.path.join(self.directory, "x%d" % self.number)
        os.makedirs(directory)
        self.world = standin.World(directory, self.scheme)
        for text in texts:
            self.world.publish(text, 0)
        self.server.world = self.world

    def certificate(self, path):
        """From the next connection on."""
        context = standin.ssl.SSLContext(standin.ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        self.server.context = context

    def answer(self, *queue, **scenario):
        self.world.control(dict({"queue": list(queue), "random": None, "default": None}, **scenario))

    def posts(self):
        """The texts that exist."""
        with open(self.world.posts_file.name) as file:
            return [json.loads(line)["text"] for line in file]

    def told(self):
        """Failures that were told of; a break-in covers none of its own."""
        return sum(count_in(text) for text in self.posts() if not text.startswith("BREAK-IN?"))

    def break_ins(self):
        return sum(text.startswith("BREAK-IN?") for text in self.posts())


class World:
    """One machine: a directory with configuration, credentials and state."""

    CONFIG = """receiver = "x"
[x]
api_url = "%(scheme)s://127.0.0.1:%(port)d"
timeout = "%(timeout)s"
%(more)s
[alerts]
group_interval = "1s"
max_interval = "2s"
max_per_day = 10000
burst = 1000
[ignore]
users = ["ignored"]
[deliver]
in_process = %(in_process)s
[journal]
max_size = "%(max_size)s"
keep = "%(keep)s"
"""

    def __init__(self, x=None, base=None, max_size="64M", keep="30d", in_process="true", timeout="1s", more=""):
        self.base = base or tempfile.mkdtemp(prefix="authalert-harness-")
        self.own = base is None
        self.x = x or X(os.path.join(self.base, "x"))
        self.state = os.path.join(self.base, "state")
        os.makedirs(os.path.join(self.state, "journal"), mode=0o700, exist_ok=True)
        self.config = os.path.join(self.base, "config.toml")
        self.configure(max_size=max_size, keep=keep, in_process=in_process, timeout=timeout, more=more)
        credentials = os.path.join(self.base, "credentials.toml")
        with open(os.open(credentials, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.writelines('%s = "%s"\n' % pair for pair in standin.KEYS.items())

    def configure(self, **settings):
        self.settings = dict(getattr(self, "settings", {}), **settings)
        with open(self.config, "w") as file:
            file.write(self.CONFIG % dict(self.settings, port=self.x.server.port, scheme=self.x.scheme))

    def close(self):
        if self.own:
            shutil.rmtree(self.base, ignore_errors=True)

    def command(self, *words, state=None):
        return [AUTHALERT, "--config", self.config, "--state", state or self.state, *words]

    def deliver(self, *words, **options):
        return subprocess.run(self.command("deliver", *(words or ["--now"]), **options), capture_output=True,
                              text=True, timeout=120)

    def status(self, state=None):
        run = subprocess.run(self.command("status", "--json", state=state), capture_output=True, text=True, timeout=120)
        if run.returncode != 0:
            raise RuntimeError("status: " + run.stderr)
        return json.loads(run.stdout)

    def append(self, records, first=0, pause=0, tally="tally", wait=True, source=None):
        run = subprocess.Popen([APPEND, self.state, os.path.join(self.base, tally), str(records), str(first), str(pause),
                                *([source] if source else [])],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if wait:
            error = run.communicate(timeout=300)[1]
            assert run.returncode == 0, error
        return run

    def tally(self, name="tally"):
        """Attempts begun, attempts recorded, records dropped, so far."""
        try:
            with open(os.path.join(self.base, name), "rb") as file:
                data = file.read(24).ljust(24, b"\0")
        except FileNotFoundError:
            data = bytes(24)
        return struct.unpack("=QQQ", data)

    def deliver_all(self, passes=60):
        """Passes until nothing waits; the status after them."""
        status = None
        for _ in range(passes):
            self.last = self.deliver()
            status = self.status()
            if all(r["pending"] == 0 and r["next_attempt_seconds"] is None for r in status["receivers"]):
                break
            time.sleep(0.1)
        return status

    def journal(self, state=None):
        """Attempts in the journal as this program reads it, by what has to become of them."""
        sums = {"posted": 0, "ignored": 0, "aborted": 0}
        directory = os.path.join(state or self.state, "journal")
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            if name.startswith("aside-"):
                lines = [os.readlink(path.encode())]
            elif name.endswith(".jsonl"):
                with open(path, "rb") as file:
                    lines = file.read().splitlines(True)
            else:
                continue
            for line in lines:
                try:
                    record = json.loads(line)
                except ValueError:
                    # Half a record, with a whole one behind it or not.
                    try:
                        record = json.loads(line[line.rfind(b'{"time":"'):])
                    except ValueError:
                        continue
                if "segment" in record or record["class"] == "login":
                    continue
                kind = ("aborted" if record["class"] == "aborted"
                        else "ignored" if record.get("user") == "ignored" else "posted")
                sums[kind] += record.get("count", 1)
        return sums

    def timeline(self):
        with open(os.path.join(self.state, "timeline.jsonl")) as file:
            return [json.loads(line) for line in file]

    def sent(self, name="x"):
        """What a receiver accepted, as it is remembered."""
        with open(os.path.join(self.state, "receivers", name + ".sent.jsonl")) as file:
            return [json.loads(line) for line in file]


class Syslog:
    """What a command says in the log: a /dev of its own, with a log in it."""

    def __init__(self, base):
        self.dev = os.path.join(base, "dev")
        os.mkdir(self.dev)
        for name, number in (("null", 3), ("urandom", 9)):
            os.mknod(os.path.join(self.dev, name), 0o666 | stat.S_IFCHR, os.makedev(1, number))
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(os.path.join(self.dev, "log"))
        self.socket.setblocking(False)

    def around(self, command):
        """The command in there."""
        return ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /dev && exec "$@"', self.dev, *command]

    def lines(self):
        """What was said since it was last asked."""
        found = []
        while True:
            try:
                found.append(self.socket.recv(65536).decode())
            except BlockingIOError:
                return found


def balanced(status):
    """Whether the equation holds, for each receiver and for what stands at the top."""
    return all(r["recorded"] == r["posted"] + r["pending"] + r["ignored"] + r["aborted"] + r.get("left_out", 0)
               for r in [status, *status.get("receivers", [])])


def told_once(world, name, unreadable=0):
    status, journal = world.deliver_all(), world.journal()
    detail = "told %d, %s, %s, %s" % (world.x.told(), status, journal, world.last.stderr)
    return check(status["pending"] == 0 and world.x.told() == journal["posted"] and balanced(status)
                 and all(status[kind] == journal[kind] for kind in journal) and status["unreadable"] <= unreadable,
                 name, detail)


def expected(records, first=0):
    """What `append` with these arguments records, by what has to become of it."""
    sums = {"posted": 0, "ignored": 0, "aborted": 0}
    for i in range(first, first + records):
        kind = "aborted" if i % 10 == 3 else "ignored" if i % 10 == 5 else "posted"
        sums[kind] += 3 if i % 10 == 7 else 1
    return sums


def is_root():
    return os.geteuid() == 0


__all__ = ["X", "World", "Syslog", "check", "finish", "scratch", "count_in", "balanced", "told_once", "expected", "is_root",
           "standin"]
