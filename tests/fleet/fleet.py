"""What every scenario of the fleet needs: an engine, a hub, members, their journals, and what the hub recorded."""

import fcntl
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("AUTHALERT_BUILD", os.path.join(TOP, "target", "quick"))
COMMAND = os.path.join(BUILD, "authalert-fleet")
AUTHALERT = os.path.join(BUILD, "authalert")
ENGINE = os.environ.get("AUTHALERT_ENGINE") or shutil.which("nats-server", path=os.environ["PATH"] + ":/usr/sbin")

failed = []
# A scenario that is ended ends what it started.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def check(right, name, detail=""):
    """One line of the report."""
    print("%s - %s%s" % ("ok" if right else "not ok", name, "" if right or not detail else ": " + str(detail)), flush=True)
    if not right:
        failed.append(name)
    return right


def finish():
    sys.exit(1 if failed else 0)


def wait_for(what, seconds, every=0.05):
    """Whether `what()` becomes true in that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(every)
    return bool(what())


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Process:
    """A process of ours, which can be killed and comes back."""

    def __init__(self, arguments, log):
        self.arguments, self.log, self.process = arguments, log, None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        return self

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self, how=signal.SIGKILL):
        if self.is_running():
            self.process.send_signal(how)
            self.process.wait(20)

    def keep(self):
        """Start it where it ended by itself."""
        if not self.is_running():
            self.start()


def journal_of(state):
    directory = os.path.join(state, "journal")
    os.makedirs(directory, mode=0o700, exist_ok=True)
    return directory


def line(user, number=0, service="sshd", rhost="192.0.2.7", klass="failure", pid=4711, route="pam", uid=0, extra=""):
    """One record, as the module writes it."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + ".%06dZ" % int(now % 1 * 1e6)
    body = '{"time":"%s","route":"%s","class":"%s","service":"%s","pid":%d,"user":%s%s,"tty":"ssh"%s%s' % (
        stamp, route, klass, service, pid, json.dumps(user), ',"rhost":"%s"' % rhost if rhost else "",
        ',"uid":%d' % uid if uid else "", extra)
    return (body + ',"crc":"%08x"}\n' % zlib.crc32(body.encode())).encode()


def append(state, lines):
    """Append records, each in one write, under the lock that a writer takes."""
    path = os.path.join(journal_of(state), "current.jsonl")
    for text in lines:
        while True:
            fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_SH)
                if os.fstat(fd).st_nlink == 0:
                    continue
                os.write(fd, text)
                break
            finally:
                os.close(fd)


def segments(state):
    """The files of a journal, open: also where one is given another name meanwhile."""
    paths = lambda: sorted(glob.glob(os.path.join(state, "journal", "*.jsonl")))
    while True:
        found = paths()
        try:
            files = [open(path, "rb") for path in found]
        except FileNotFoundError:
            continue
        if paths() == found and len({os.fstat(file.fileno()).st_ino for file in files}) == len(files):
            return files


def recorded(state):
    """Every record of members in the journal of the hub: (member, user, origin)."""
    found = []
    for file in segments(state):
        for text in file:
            if b'"host"' not in text:
                continue
            try:
                record = json.loads(text)
            except ValueError:
                continue
            if record.get("class") == "failure":
                found.append((record["host"], record.get("user", ""), record.get("origin", "")))
    return found


def count_recorded(state, needle=b'"class":"failure","host":'):
    """How many records of members the journal of the hub has."""
    return sum(text.count(needle) for file in segments(state) for text in file)


class Fleet:
    """An engine, a hub and members in a directory of their own."""

    def __init__(self, members=(), names="shown", engine=ENGINE, cluster=False):
        self.directory = tempfile.mkdtemp(prefix="authalert-fleet-")
        self.port, self.program = free_port(), engine
        self.hub_state = self.path("hub/state")
        for name in ("hub/state", "hub/fleet", "engine", "store"):
            os.makedirs(self.path(name), mode=0o700)
        journal_of(self.hub_state)
        self.config = self.path("hub/config.toml")
        with open(self.config, "w") as file:
            file.write("[journal]\nmax_size = \"1G\"\n")
        os.chmod(self.config, 0o600)
        self.cluster = ["127.0.0.%d" % n for n in (1, 2, 3)] if cluster else []
        if cluster:
            self.engines = [self.engine_of(*one) for one in enumerate(self.cluster, 1)]
        else:
            self.engines = [Process([self.program, "-c", self.path("engine/engine.conf")], self.path("engine.log"))]
        self.engine = self.engines[0]
        self.hub = Process(self.hub_command("gather"), self.path("hub.log"))
        self.members = {}
        self.failures = 0
        self.names = names
        where = [word for host in self.cluster for word in ("--address", host)] + ["--cluster"] if cluster else ["--address", "127.0.0.1"]
        done = self.run_hub("init-hub", *where, "--port", str(self.port), "--listen", "127.0.0.1:%d" % self.port, "--store",
                            self.path("store"), "--no-start")
        assert done.returncode == 0, done.stderr
        conf = open(self.path("engine/engine.conf")).read()
        self.syncs = "sync_interval" in conf
        for name in members:
            self.add(name)

    def path(self, name):
        return os.path.join(self.directory, name)

    def hub_command(self, *words):
        return [COMMAND, "--state", self.hub_state, "--fleet", self.path("hub/fleet"), "--engine", self.path("engine"),
                "--config", self.config, *words]

    def engine_of(self, number, host):
        """An engine of the cluster: on a machine of its own, which here is an address of its own."""
        name = "engine%d" % number
        self.monitors = getattr(self, "monitors", {})
        self.monitors[name] = free_port()
        return Process([self.program, "-c", self.path(name + "/engine.conf"), "--name", name, "--addr", host, "--http_port",
                        str(self.monitors[name])], self.path(name + ".log"))

    def carry(self):
        """What an administrator carries to the other engines; here each has its own address and its own disk."""
        for number, host in enumerate(self.cluster, 1):
            directory = self.path("engine%d" % number)
            os.makedirs(directory, mode=0o700, exist_ok=True)
            for name in ("engine.conf", "cluster.conf"):
                text = open(self.path("engine/" + name)).read().replace("0.0.0.0", host).replace(self.path("store"), self.path("store%d" % number))
                with open(os.path.join(directory, name), "w") as file:
                    file.write(text)

    def leader(self, stream="AAF"):
        """The engine that leads the stream, as each engine that runs says."""
        for name, engine in zip(sorted(self.monitors), self.engines):
            host = engine.arguments[engine.arguments.index("--addr") + 1]
            try:
                with urllib.request.urlopen("http://%s:%d/jsz?accounts=true&streams=true&config=false" % (host, self.monitors[name]), timeout=2) as answer:
                    found = json.load(answer)
            except OSError:
                continue
            for account in found.get("account_details", []):
                for detail in account.get("stream_detail", []):
                    leader = detail["name"] == stream and detail.get("cluster", {}).get("leader")
                    if leader:
                        return self.engines[sorted(self.monitors).index(leader)]
        return None

    def run_hub(self, *words):
        # The version of the engine under test decides what its configuration may say.
        done = subprocess.run(self.hub_command(*words), capture_output=True, text=True, timeout=60)
        self.fit_to_engine()
        return done

    def fit_to_engine(self):
        path = self.path("engine/engine.conf")
        if not os.path.exists(path):
            return
        version = subprocess.run([self.program, "--version"], capture_output=True, text=True).stdout
        knows = tuple(int(n) for n in re.findall(r"v(\d+)\.(\d+)", version)[0]) >= (2, 10)
        text = open(path).read().replace(", sync_interval: always", "")
        if knows:
            text = text.replace("max_file: 8GB", "max_file: 8GB, sync_interval: always")
        with open(path, "w") as file:
            file.write(text)
        self.carry()

    def member_command(self, name, *words):
        return [COMMAND, "--state", self.path(name + "/state"), "--fleet", self.path(name + "/fleet"), *words]

    def run_member(self, name, *words, timeout=60):
        return subprocess.run(self.member_command(name, *words), capture_output=True, text=True, timeout=timeout)

    def add(self, name):
        """Let a member in; it has its file, and has not joined."""
        for part in ("state", "fleet"):
            os.makedirs(self.path("%s/%s" % (name, part)), mode=0o700, exist_ok=True)
        journal_of(self.path(name + "/state"))
        done = self.run_hub("add-member", name, "--out", self.path(name + "/file"))
        assert done.returncode == 0, done.stderr
        if self.names == "shown":
            text = open(self.path(name + "/file")).read().replace('names = "hidden"', 'names = "shown"')
            with open(self.path(name + "/file"), "w") as file:
                file.write(text)
        self.members[name] = Process(self.member_command(name, "uplink"), self.path(name + ".log"))
        self.reload()

    def reload(self):
        # Twice, as authalert-fleet does: an account that is new reaches nobody before the second.
        for _ in range(2):
            running = [engine for engine in self.engines if engine.is_running()]
            for engine in running:
                engine.process.send_signal(signal.SIGHUP)
            time.sleep(0.3 if running else 0)

    def start(self):
        for engine in self.engines:
            engine.start()
        wait_for(self.is_engine_up, 20)
        self.hub.start()
        return self

    def is_engine_up(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as s:
                return s.recv(4) == b"INFO"
        except OSError:
            return False

    def join(self, name):
        return self.run_member(name, "join", "--no-start", self.path(name + "/file"))

    def state(self, name):
        return self.path(name + "/state")

    def fail(self, name, times, apart=0.0):
        """As many failures on a member, each by a user and in a write of its own; `failures` counts them."""
        for _ in range(times):
            self.failures += 1
            append(self.state(name), [line("user%d" % self.failures, pid=self.failures)])
            time.sleep(apart)

    def empty_engine(self):
        """The engine loses everything."""
        self.engine.kill()
        shutil.rmtree(self.path("store"))
        os.makedirs(self.path("store"), mode=0o700)
        self.engine.start()

    def prepare_hub(self):
        """A machine on which nothing was recorded yet."""
        os.makedirs(self.hub_state, mode=0o700, exist_ok=True)
        journal_of(self.hub_state)

    def move_hub(self, name):
        """The hub's disk in another machine."""
        state = self.path(name + "/state")
        shutil.copytree(self.hub_state, state)
        self.hub_state = state
        self.hub = Process(self.hub_command("gather"), self.path(name + ".log"))
        return self.hub

    def cut_connections(self):
        """Each connection to the engine is reset, as by a router that forgets it."""
        done = subprocess.run(["ss", "-K", "-t", "dst", "127.0.0.1", "dport", "=", ":%d" % self.port], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def deliver(self, *words):
        """A delivery pass on the hub."""
        done = subprocess.run([AUTHALERT, "--state", self.hub_state, "--config", self.config, "deliver", *words],
                              capture_output=True, text=True, timeout=120)
        return done.returncode == 0

    def receiver(self, name):
        """What the hub counts for one of its receivers."""
        done = subprocess.run([AUTHALERT, "--state", self.hub_state, "--config", self.config, "status", "--json"],
                              capture_output=True, text=True, timeout=60)
        return next(one for one in json.loads(done.stdout)["receivers"] if one["name"] == name)

    def status(self):
        return json.loads(self.run_hub("status", "--json").stdout)["hub"]

    def end(self):
        for process in [*self.members.values(), self.hub, *self.engines]:
            process.kill()
        if failed and os.environ.get("KEEP"):
            print("# kept: " + self.directory)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


def each_once(fleet, expected):
    """(missing, twice) of what the hub recorded."""
    from collections import Counter
    counted = Counter((host, user) for host, user, _ in recorded(fleet.hub_state))
    missing = [key for key in expected if counted[key] == 0]
    twice = [key for key, n in counted.items() if n > 1]
    return missing, twice
