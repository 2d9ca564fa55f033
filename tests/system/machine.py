"""A machine within the machine: private copies of whatever a login reads or writes, in a mount namespace of its own.

Accounts, stacks, /dev, /run and /var/log are copies or empty; sshd listens on loopback with keys of its own. All of it
ends with the namespace, so that nothing has to be cleaned up, however the run ends.
"""

import atexit
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("AUTHALERT_BUILD", os.path.join(TOP, "target", "release")))
MODULE = os.path.join(BUILD, "libpam_authalert.so")
COMMAND = os.path.join(BUILD, "authalert")

ROOM = None
STACKS = "/etc/pam.d"
SERVICES = ("sshd", "su", "sudo", "login")
USERS = {"alice": (64101, "alices-pass word"), "bob": (64102, "bobs!password"), "carol": (64103, "carols"),
         "dave": (64104, "daves"), "erin": (64105, "erins")}
PLAIN = {}


def enter():
    """Run this very script again in a mount namespace; returns inside it only."""
    if os.geteuid() != 0:
        sys.exit("the ring of the system needs root")
    if "--inside" not in sys.argv:
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv, "--inside"])
    sys.argv.remove("--inside")
    missing = [path for path in (MODULE, COMMAND) if not os.path.exists(path)]
    missing += [path for path in ("/usr/sbin/sshd", "/usr/bin/sudo", "/bin/su", "/bin/login") if not os.path.exists(path)]
    if missing:
        sys.exit("missing: " + ", ".join(missing))
    global ROOM
    ROOM = tempfile.mkdtemp(prefix="authalert-system-")
    os.chmod(ROOM, 0o755)
    atexit.register(shutil.rmtree, ROOM, True)
    private_dev()
    private_etc()
    for place in ("/run", "/var/log"):
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", place)
    os.mkdir("/run/sshd", 0o755)
    for name in ("/run/utmp", "/var/log/wtmp", "/var/log/btmp", "/var/log/lastlog"):
        open(name, "w").close()
        os.chmod(name, 0o660)
    accounts()
    stacks()
    listen()


def mount(*words):
    subprocess.run(["mount", *words], check=True, timeout=10)


def private_etc():
    """A copy as a whole: of a single file, a mount ends when somebody replaces the machine's own (useradd does)."""
    copy = os.path.join(ROOM, "etc")
    subprocess.run(["cp", "-a", "/etc", copy], check=True, timeout=30)
    mount("--bind", copy, "/etc")


def private_dev():
    """The same devices, and room for a /dev/log of our own."""
    new = os.path.join(ROOM, "dev")
    os.mkdir(new)
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", new)
    for name in os.listdir("/dev"):
        old, own = os.path.join("/dev", name), os.path.join(new, name)
        if name == "log":
            continue
        if name == "ptmx":
            # It looks for its pts beside itself.
            os.symlink("pts/ptmx", own)
            continue
        if os.path.islink(old):
            os.symlink(os.readlink(old), own)
        elif os.path.isdir(old):
            os.mkdir(own)
            mount("--rbind", old, own)
        else:
            open(own, "w").close()
            mount("--bind", old, own)
    mount("--move", new, "/dev")


def accounts():
    for path in ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"):
        if os.path.exists(path):
            without_users(path)
    for name, (uid, password) in USERS.items():
        home = os.path.join(ROOM, "home-" + name)
        os.mkdir(home, 0o700)
        os.chown(home, uid, uid)
        crypted = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password, stdout=subprocess.PIPE,
                                 text=True, check=True, timeout=10).stdout.strip()
        append("/etc/passwd", "%s:x:%d:%d::%s:/bin/sh" % (name, uid, uid, home))
        append("/etc/group", "%s:x:%d:" % (name, uid))
        append("/etc/shadow", "%s:%s:19000:0:99999:7:::" % (name, crypted))
    append("/etc/sudoers", "Defaults timestamp_timeout=0, lecture=never, !mailerpath\nbob ALL=(ALL:ALL) ALL")


def without_users(path):
    """This machine may have people of the same names."""
    with open(path, "r+", encoding="utf-8", errors="surrogateescape") as file:
        lines = [line for line in file if line.split(":")[0] not in USERS]
        file.seek(0)
        file.truncate()
        file.writelines(lines)


def append(path, line):
    with open(path, "a") as file:
        file.write(line + "\n")


def stacks():
    """What needs the kernel's audit, or a message bus, is taken out."""
    for name in os.listdir(STACKS):
        path = os.path.join(STACKS, name)
        with open(path) as file:
            text = file.read()
        text = re.sub(r"(?m)^.*(pam_loginuid|pam_systemd|pam_motd|pam_authalert)\.so.*\n", "", text)
        with open(path, "w") as file:
            file.write(text)
        PLAIN[name] = text
    for service in SERVICES:
        if service not in PLAIN:
            sys.exit("%s/%s is missing" % (STACKS, service))


def stack_lines(line=None, delay=True, session=False):
    """Put `line` on top of every service's stack, and below its sessions; without `delay`, failures take no time but the
    program's own."""
    for service in SERVICES:
        with open(os.path.join(STACKS, service), "w") as file:
            file.write(("auth %s\n" % line if line else "") + PLAIN[service]
                       + ("\nsession %s\n" % line if session else ""))
    with open(os.path.join(STACKS, "common-auth"), "w") as file:
        text = PLAIN["common-auth"]
        file.write(text if delay else re.sub(r"(?m)^(auth.*pam_unix\.so.*)$", r"\1 nodelay", text))


# Syslog.

LOG = []


def listen():
    """A syslog of our own, behind /dev/log."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind("/dev/log")
    os.chmod("/dev/log", 0o666)

    def receive():
        while True:
            LOG.append(listener.recv(8192).decode("utf-8", "replace").rstrip("\n\0"))
    threading.Thread(target=receive, daemon=True).start()


def logged(*words):
    """The lines of syslog that hold all of `words`."""
    return [line for line in LOG if all(word in line for word in words)]


# sshd.

class Sshd:
    """sshd on a port of loopback."""

    def __init__(self):
        directory = os.path.join(ROOM, "sshd")
        os.mkdir(directory, 0o700)
        key = os.path.join(directory, "key")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True, timeout=20)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        config = os.path.join(directory, "config")
        with open(config, "w") as file:
            file.write("Port %d\nListenAddress 127.0.0.1\nHostKey %s\nPidFile none\nUsePAM yes\n"
                       "PasswordAuthentication yes\nKbdInteractiveAuthentication yes\nPermitRootLogin no\n"
                       "UseDNS no\nStrictModes no\nLoginGraceTime 30\nMaxAuthTries 6\nPrintMotd no\n"
                       "MaxStartups 100\nAuthorizedKeysFile %s.pub\n" % (self.port, key, key))
        # Readable by every user who looks for his keys there; all log in with sshd's own.
        os.chmod(directory, 0o755)
        self.key = key
        command = ["/usr/sbin/sshd", "-f", config]
        # From 9.8 on sshd shuts out an address that failed a few times: all of ours come from one.
        lenient = ["-o", "PerSourcePenalties=no"]
        known = subprocess.run([*command, *lenient, "-t"], capture_output=True, timeout=20).returncode == 0
        self.process = subprocess.Popen([*command, *(lenient if known else []), "-D"], stdin=subprocess.DEVNULL)
        atexit.register(self.end)
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                threading.Event().wait(0.02)
        sys.exit("sshd does not listen")

    def end(self):
        self.process.terminate()
        self.process.wait(10)

    def client(self, user, method, prompts=3, source="127.0.0.1"):
        """The words of a client that logs in as `user`, from an address of loopback."""
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "GlobalKnownHostsFile=/dev/null",
                   "LogLevel=ERROR", "IdentityFile=" + self.key, "BindAddress=" + source,
                   "PubkeyAuthentication=" + ("yes" if method == "publickey" else "no"),
                   "PreferredAuthentications=" + method,
                   "NumberOfPasswordPrompts=%d" % prompts, "IdentityAgent=none", "ConnectTimeout=10"]
        words = ["ssh", "-F", "/dev/null", "-p", str(self.port)]
        for option in options:
            words += ["-o", option]
        return words + ["%s@127.0.0.1" % user, "echo logged-in"]
