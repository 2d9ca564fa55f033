"""Stacks in a directory of their own (`pam_start_confdir`), an application that drives them, and what was recorded."""

import atexit
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

from place import Place
from report import LeftOut

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("AUTHALERT_BUILD", os.path.join(TOP, "target", "release")))
MODULE = os.path.join(BUILD, "libpam_authalert.so")
SENDER = os.path.join(BUILD, "libauthalert_sender.so")
COMMAND = os.path.join(BUILD, "authalert")

SUCCESS, AUTH_ERR, IGNORE = 0, 7, 25
# By qemu-user, which has a thread of its own in each process and takes no filters of system calls.
EMULATED = "AUTHALERT_EMULATED" in os.environ
ROOM = tempfile.mkdtemp(prefix="authalert-module-")
HOST = os.path.join(ROOM, "host")
DOOR = os.path.join(ROOM, "door.so")
KEYS = 'api_key = "key-1"\napi_secret = "secret-2"\naccess_token = "6253282-token-3"\naccess_token_secret = "secret-4"\n'


def roots_own():
    """A worker runs only in processes of root's."""
    if os.getuid() != 0:
        raise LeftOut("no worker runs in a process that is not root's own")


def prepare():
    """Compile what drives the module. Says what is missing, and ends, where that cannot be done."""
    atexit.register(shutil.rmtree, ROOM, True)
    missing = [path for path in (MODULE, SENDER, COMMAND) if not os.path.exists(path)]
    if missing:
        sys.exit("missing: %s; run: cargo build --release --locked" % ", ".join(missing))
    try:
        subprocess.run([os.path.join(TOP, "tests/pam/build.sh"), ROOM, "host", "door.so"], check=True, timeout=120)
    except (OSError, subprocess.SubprocessError) as why:
        sys.exit("cannot compile the test's host: %s; the packages gcc and libpam0g-dev are needed" % why)


class Stage(Place):
    """One state directory, one configuration, and services whose stacks are written by the test."""

    program = COMMAND

    def __init__(self, config="[deliver]\nin_process = false\n"):
        self.path = tempfile.mkdtemp(prefix="stage-", dir=ROOM)
        self.state = os.path.join(self.path, "state")
        self.confdir = os.path.join(self.path, "pam.d")
        self.config = os.path.join(self.path, "config.toml")
        os.mkdir(self.confdir)
        os.makedirs(os.path.join(self.state, "journal"))
        self.configure(config)
        self.service("other", "required pam_deny.so")

    def configure(self, text):
        with open(self.config, "w") as file:
            file.write(text)

    def credentials(self, text=KEYS, mode=0o600):
        path = os.path.join(self.path, "credentials.toml")
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def ours(self, control="optional", arguments="", module=MODULE):
        return "%s %s state=%s config=%s %s" % (control, module, self.state, self.config, arguments)

    def service(self, name, *auth, account=("required pam_permit.so",), password=("required pam_permit.so",),
                session=("required pam_permit.so",)):
        """Write a stack; "DOOR" in a line stands for the module that answers."""
        lines = []
        for kind, each in (("auth", auth), ("account", account), ("password", password), ("session", session)):
            lines += [line if line.startswith("@") else kind + " " + line for line in each]
        with open(os.path.join(self.confdir, name), "w") as file:
            file.write("\n".join(lines).replace("DOOR", DOOR) + "\n")

    def host(self, service, *commands, user="alice", before=(), environment=None, timeout=30):
        """Run the application; gives what it told, one dict a line."""
        done = subprocess.run([*before, HOST, self.confdir, service, user, *commands], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=timeout, env=environment, errors="replace")
        if done.returncode != 0 or done.stderr:
            raise AssertionError("the host ended with %d: %s %s" % (done.returncode, done.stdout, done.stderr))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def outcome(self, service, *commands, **others):
        """What it told, without what may differ from run to run."""
        told = self.host(service, *commands, **others)
        return [{key: value for key, value in line.items() if key not in ("ms", "us")} for line in told]


class Silence:
    """A receiver on loopback that takes every connection and never says a word."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.connections = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        try:
            while True:
                self.connections.append(self.listener.accept()[0])
        except OSError:
            pass

    def config(self, timeout="4s"):
        return 'receiver = "x"\n[x]\napi_url = "http://127.0.0.1:%d"\ntimeout = "%s"\n' % (
            self.listener.getsockname()[1], timeout)

    def close(self):
        for each in [self.listener, *self.connections]:
            each.close()
