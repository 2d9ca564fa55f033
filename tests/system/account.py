"""The receiver's side: the stand-in for X over TLS, the configuration that reaches it, and what stands there."""

import atexit
import http.client
import json
import os
import re
import subprocess
import sys

import machine
import place
from report import within

STANDIN = os.path.join(machine.TOP, "tests", "standin")


class Account:
    """The stand-in, until this run ends."""

    def __init__(self):
        self.path = os.path.join(machine.ROOM, "x")
        os.mkdir(self.path, 0o700)
        subprocess.run(["sh", os.path.join(STANDIN, "certificates.sh"), self.path], check=True, timeout=60)
        ready = os.path.join(self.path, "ready.json")
        process = subprocess.Popen(
            [sys.executable, "-B", os.path.join(STANDIN, "standin.py"), "--dir", self.path, "--tls",
             os.path.join(self.path, "server.pem"), "--ready-file", ready, "--max-seconds", "900"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        atexit.register(process.kill)
        within(20, lambda: os.path.exists(ready), "the stand-in is ready")
        with open(ready) as file:
            told = json.load(file)
        self.port, self.control, self.keys = told["port"], told["control"], told["keys"]

    def behave(self, **scenario):
        """How it answers from now on; nothing: in good health."""
        connection = http.client.HTTPConnection("127.0.0.1", self.control, timeout=10)
        body = json.dumps({"queue": [], "default": None, **scenario})
        connection.request("POST", "/_control", body, {"content-type": "application/json"})
        connection.getresponse().read()
        connection.close()

    def posts(self):
        """Every post there is, oldest first."""
        with open(os.path.join(self.path, "posts.jsonl")) as file:
            return [json.loads(line) for line in file]

    def refused(self):
        """What it found wrong with requests."""
        with open(os.path.join(self.path, "requests.jsonl")) as file:
            return [line for line in map(json.loads, file) if line["wrong"]]


class Place(place.Place):
    """A state directory and a configuration."""

    program = machine.COMMAND

    def __init__(self, account, name):
        self.account = account
        self.path = os.path.join(machine.ROOM, "place-" + name)
        self.state = os.path.join(self.path, "state")
        self.config = os.path.join(self.path, "config.toml")
        self.credentials = os.path.join(self.path, "credentials.toml")
        os.makedirs(os.path.join(self.state, "journal"), 0o700)
        os.chmod(self.path, 0o700)
        self.configure()

    def configure(self, url=None, timeout="5s", pace="group_interval = \"1s\"\nmax_interval = \"1s\"\n", more=""):
        with open(self.config, "w") as file:
            file.write("receiver = \"x\"\n[x]\napi_url = \"%s\"\nca_file = \"%s\"\ntimeout = \"%s\"\n"
                       "[alerts]\nmax_per_day = 10000\nburst = 1000\n%s%s" % (
                           url or "https://127.0.0.1:%d" % self.account.port,
                           os.path.join(self.account.path, "ca.pem"), timeout, pace, more))
        with open(self.credentials, "w") as file:
            file.write("".join("%s = \"%s\"\n" % pair for pair in self.account.keys.items()))
        os.chmod(self.credentials, 0o600)

    def line(self, module=machine.MODULE):
        """Our line in a stack."""
        return "optional %s state=%s config=%s" % (module, self.state, self.config)

    def delivered(self, seconds=30):
        """Deliver until nothing is pending; gives the status."""
        def settled():
            self.command("deliver", "--now")
            status = self.status()
            return status if status["pending"] == 0 else None
        return within(seconds, settled, "everything is posted")


def told(text):
    """How many failures a text tells of, read as a person reads it."""
    several = re.match(r"[^:]*: ([0-9,]+) failed logins?\b", text)
    return int(several.group(1).replace(",", "")) if several else 1
