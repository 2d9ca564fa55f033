"""A state directory with logs in it, and what is recorded there."""

import collections
import datetime
import json
import os
import shutil
import subprocess
import tempfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("AUTHALERT_BUILD", os.path.join(TOP, "target", "release")))
COMMAND = os.path.join(BUILD, "authalert")
# Every pass syncs: memory, where there is a file system of it.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
FORMS = ("traditional", "rfc3339")


def change_checkpoint(directory, change):
    """What passes leave for the next one, changed."""
    path = os.path.join(directory, "scan.json")
    with open(path) as file:
        checkpoint = json.load(file)["state"]
    change(checkpoint)
    text = json.dumps(checkpoint, separators=(",", ":"))
    with open(path, "w") as file:
        file.write('{"crc":"%08x","state":%s}\n' % (zlib.crc32(text.encode()), text))


class State:
    """A state directory whose scan reads `logs`; alerts go to the timeline there."""

    def __init__(self, logs=("auth.log",), base=None, more=""):
        self.base = base or tempfile.mkdtemp(prefix="authalert-scan-", dir=MEMORY)
        self.state = os.path.join(self.base, "state")
        self.logs = [os.path.join(self.base, name) for name in logs]
        self.config = os.path.join(self.base, "config.toml")
        os.makedirs(os.path.join(self.state, "journal"), 0o700, exist_ok=True)
        with open(self.config, "w") as file:
            file.write('receiver = "timeline"\n[alerts]\nmax_per_day = 10000\nburst = 1000\n%s\n[scan]\nfiles = %s\n'
                       % (more, json.dumps(self.logs)))

    @property
    def log(self):
        return self.logs[0]

    def command(self, *words):
        return [COMMAND, "--state", self.state, "--config", self.config, *words]

    def scan(self, *words):
        """A pass that is left alone; gives its exit status and all that it said."""
        done = subprocess.run(self.command("scan", *words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=300)
        return done.returncode, done.stdout

    def passed(self, *words):
        """A pass that has to end well."""
        status, said = self.scan(*words)
        if status != 0:
            raise AssertionError("scan: exit status %d\n%s" % (status, said))
        return said

    def status(self):
        done = subprocess.run(self.command("status", "--json"), stdout=subprocess.PIPE, check=True, timeout=60)
        return json.loads(done.stdout)

    def records(self):
        """All records of the journal, sealed segments too."""
        found = []
        directory = os.path.join(self.state, "journal")
        for name in sorted(os.listdir(directory)):
            if name.endswith(".jsonl"):
                with open(os.path.join(directory, name)) as file:
                    for line in file:
                        # Half a record may stand before a whole one.
                        start = line.rfind('{"time"')
                        try:
                            found.append(json.loads(line[start:]) if start >= 0 else None)
                        except ValueError:
                            pass
        return [record for record in found if record]

    def counts(self):
        """Recorded attempts by process."""
        sums = collections.Counter()
        for record in self.records():
            sums[record.get("pid", 0)] += record.get("count", 1)
        return sums

    def balanced(self):
        status = self.status()
        return status["recorded"] == sum(status[key] for key in ("posted", "pending", "ignored", "aborted"))

    def remove(self):
        shutil.rmtree(self.base, ignore_errors=True)


def stamp(form="rfc3339", ago=15):
    """A time as rsyslog writes it."""
    when = datetime.datetime.now().astimezone() - datetime.timedelta(seconds=ago)
    return when.isoformat() if form == "rfc3339" else when.strftime("%b %e %H:%M:%S")


def attempts(pid, count=1, form="rfc3339", ago=15, user="root", rhost="192.0.2.7"):
    """The lines of an sshd that refused `count` passwords: PAM's, sshd's own, and PAM's sum at the end."""
    def line(text):
        return "%s srv sshd[%d]: %s\n" % (stamp(form, ago), pid, text)
    who = "logname= uid=0 euid=0 tty=ssh ruser= rhost=%s  user=%s" % (rhost, user)
    lines = [line("pam_unix(sshd:auth): authentication failure; " + who)]
    lines += [line("Failed password for %s from %s port %d ssh2" % (user, rhost, 1024 + pid % 60000))
              for _ in range(count)]
    if count > 1:
        lines.append(line("PAM %d more authentication failure%s; %s" % (count - 1, "s" * (count > 2), who)))
    return lines


def different(got, expected):
    """What is wrong between two counts by process, or nothing."""
    lost = {pid: n for pid, n in (expected - got).items()}
    twice = {pid: n for pid, n in (got - expected).items()}
    if not lost and not twice:
        return ""
    return "of %d attempts %d are lost, %d too many: lost %r, too many %r" % (
        sum(expected.values()), sum(lost.values()), sum(twice.values()), dict(list(lost.items())[:5]),
        dict(list(twice.items())[:5]))


def module_record(state, pid, user="root", rhost="192.0.2.7", service="sshd", ago=15.0, ppid=1, ruser="",
                  record_class="failure"):
    """Append what the module records of a failure."""
    when = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=ago)
    fields = {"time": when.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "route": "pam", "class": record_class, "service": service,
              "pid": pid, "ppid": ppid, "user": user, "rhost": rhost, "tty": "ssh", "ruser": ruser}
    text = json.dumps({key: value for key, value in fields.items() if value != ""}, separators=(",", ":"))[:-1].encode()
    with open(os.path.join(state.state, "journal", "current.jsonl"), "ab", buffering=0) as file:
        file.write(text + b',"crc":"%08x"}\n' % zlib.crc32(text))
