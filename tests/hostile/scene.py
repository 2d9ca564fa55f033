"""A private stage for hostile callers: users, PAM stacks, sudoers and login.defs of its own.

Everything is mounted over the machine's files in a private mount namespace, so nothing of it is
seen outside and nothing is left when the last process ends.
"""

import ctypes
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ATTACKER, VICTIM = 61001, 61002
RIGHT, WRONG = "the right one", "a wrong one"
DELAY = 0.4  # what the stack asks for; libpam makes it 0.2 to 0.6 s
SHORTEST = DELAY / 2

LIBC = ctypes.CDLL(None, use_errno=True)
passes = failures = 0


def ok(condition, name, *details):
    """One line for each claim; details only where it does not hold."""
    global passes, failures
    print(f"{'ok' if condition else 'not ok'} - {name}", flush=True)
    if condition:
        passes += 1
    else:
        failures += 1
        for detail in details:
            for line in str(detail).splitlines()[:12]:
                print(f"#   {line[:300]}", flush=True)
    return condition


def finish():
    """The last line of a part that came to its end."""
    print(f"{passes} passed, {failures} failed", flush=True)
    sys.exit(1 if failures else 0)


def left_out(why):
    """The whole part cannot be done here."""
    print(f"left out - {os.path.basename(sys.argv[0])}: {why}")
    finish()


def build_directory():
    """Where the three artifacts are: AUTHALERT_BUILD, else the release build beside the tests."""
    return os.path.abspath(os.environ.get("AUTHALERT_BUILD") or os.path.join(TESTS, "../target/release"))


def parsed(line):
    """The record of a line of the journal, behind what was torn before it; nothing where the record itself is."""
    line = os.fsencode(line)
    try:
        return json.loads(line[max(line.rfind(b'{"time"'), 0):])
    except ValueError:
        return None


def fill(disk):
    """No byte is left on it, not even of those that are kept for root."""
    with open(os.path.join(disk, "ballast"), "wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                pass


class Scene:
    def __init__(self, config='receiver = "timeline"\n'):
        if os.geteuid() != 0:
            left_out("it needs root, for a mount namespace of its own")
        if LIBC.unshare(0x20000) != 0:  # CLONE_NEWNS
            left_out("a mount namespace of its own is refused here")
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        for installed in ("/usr/lib/authalert", "/usr/local/lib/authalert"):  # what is tested is what was built
            if os.path.isdir(installed):
                subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", installed], check=True)
        self.root = tempfile.mkdtemp(prefix="authalert-hostile-")
        os.chmod(self.root, 0o755)
        self.state = os.path.join(self.root, "state")
        self.journal = os.path.join(self.state, "journal", "current.jsonl")
        self.config = os.path.join(self.root, "config.toml")
        self.target = build_directory()
        self.module = os.path.join(self.target, "libpam_authalert.so")
        for needed in ("libpam_authalert.so", "libauthalert_sender.so", "authalert"):
            if not os.path.exists(os.path.join(self.target, needed)):
                print(f"# {needed} is not in {self.target}: run cargo build first", file=sys.stderr)
                sys.exit(2)
        subprocess.run([os.path.join(TESTS, "pam", "build.sh"), self.root, "host"], check=True)
        self.fresh_state()
        self.write(self.config, config)
        self._mount()
        self.stack(True)

    def host(self, service, word, user="-"):
        """The command that has the application of tests/pam do `word` with a stack of this scene's."""
        return [os.path.join(self.root, "host"), self.pam, service, user, word]

    # -- files ---------------------------------------------------------------------------------

    def write(self, path, text, mode=0o644):
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)

    def fresh_state(self):
        shutil.rmtree(self.state, ignore_errors=True)
        os.makedirs(os.path.join(self.state, "journal"), mode=0o700)
        os.chmod(self.state, 0o700)

    def _mount(self):
        digest = subprocess.run(["openssl", "passwd", "-6", "-salt", "authalert", RIGHT],
                                capture_output=True, text=True, check=True).stdout.strip()
        with open("/etc/passwd") as file:
            passwd = file.read()
        with open("/etc/shadow") as file:
            shadow = file.read()
        with open("/etc/group") as file:
            group = file.read()
        for name, uid in (("mallory", ATTACKER), ("victim", VICTIM)):
            passwd += f"{name}:x:{uid}:{uid}::/nonexistent:/bin/sh\n"
            shadow += f"{name}:{digest}:19000:0:99999:7:::\n"
            group += f"{name}:x:{uid}:\n"
        # A copy as a whole: of a single file, a mount ends when somebody replaces the machine's own (useradd does).
        etc = os.path.join(self.root, "etc")
        subprocess.run(["cp", "-a", "/etc", etc], check=True)
        over = {
            "passwd": (passwd, 0o644),
            "shadow": (shadow, 0o600),
            "group": (group, 0o644),
            "login.defs": ("FAIL_DELAY 0\nENV_PATH PATH=/usr/bin:/bin\nENV_SUPATH PATH=/usr/sbin:/usr/bin:/sbin:/bin\n", 0o644),
            "sudoers": ("Defaults passwd_tries=1,!lecture,!use_pty,timestamp_timeout=0\n"
                        "mallory ALL=(ALL) ALL\n", 0o440),
        }
        for name, (text, mode) in over.items():
            if name == "sudoers" and not os.path.exists("/etc/sudoers"):
                continue
            self.write(os.path.join(etc, name), text, mode)
        self.pam = os.path.join(etc, "pam.d")
        shutil.rmtree(self.pam)
        os.mkdir(self.pam, 0o755)
        subprocess.run(["mount", "--bind", etc, "/etc"], check=True)
        # What sudo writes to root about its troubles no mail server of this machine tells on its terminal.
        if os.path.exists("/usr/sbin/sendmail"):
            subprocess.run(["mount", "--bind", "/bin/true", "/usr/sbin/sendmail"], check=True)

    def syslog(self):
        """A /dev of the scene's own, with a syslog daemon in it; gives the list of what it hears.

        glibc keeps the connection: it is a descriptor more that pam_unix has open when it has logged."""
        dev = os.path.join(self.root, "dev")
        os.mkdir(dev)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", dev], check=True)
        for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx"):
            self.write(os.path.join(dev, name), "")
            subprocess.run(["mount", "--bind", f"/dev/{name}", os.path.join(dev, name)], check=True)
        for name in ("pts", "shm"):
            os.mkdir(os.path.join(dev, name))
            subprocess.run(["mount", "--rbind", f"/dev/{name}", os.path.join(dev, name)], check=True)
        os.symlink("/proc/self/fd", os.path.join(dev, "fd"))
        listener, heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), []
        listener.bind(os.path.join(dev, "log"))
        os.chmod(os.path.join(dev, "log"), 0o666)
        subprocess.run(["mount", "--rbind", dev, "/dev"], check=True)

        def listen():
            while True:
                heard.append(listener.recv(65536))

        threading.Thread(target=listen, daemon=True).start()
        return heard

    def stack(self, module, arguments="", delay=DELAY, auth=None):
        """Lay su, sudo and hostile-test with the module or without it; all else is the same."""
        line = f"auth optional {self.module} state={self.state} config={self.config} {arguments}\n" if module else ""
        wait = f"auth optional pam_faildelay.so delay={int(delay * 1e6)}\n" if delay else ""
        rest = auth or ("auth [success=1 default=ignore] pam_unix.so nodelay\n"
                        "auth requisite pam_deny.so\nauth required pam_permit.so\n")
        text = line + wait + rest + "account required pam_permit.so\nsession required pam_permit.so\n"
        for service in ("su", "sudo", "sshd", "hostile-test", "other"):
            self.write(os.path.join(self.pam, service), text)

    def records(self):
        """All records of the current segment, and those that were spilled."""
        try:
            with open(self.journal, "rb") as file:
                lines = file.read().splitlines()
        except FileNotFoundError:
            lines = []
        lines += [os.readlink(os.fsencode(path)) for path in self.spilled()]
        return [record for record in map(parsed, lines) if record and "segment" not in record]

    def spilled(self):
        directory = os.path.dirname(self.journal)
        return [os.path.join(directory, name) for name in sorted(os.listdir(directory)) if name.startswith("spill-")]

    def status(self):
        return json.loads(self.status_run().stdout)

    def status_run(self, **options):
        return subprocess.run([os.path.join(self.target, "authalert"), "--state", self.state, "--config",
                               self.config, "status", "--json"], capture_output=True, text=True, **options)

    def timeline(self):
        with open(os.path.join(self.state, "timeline.jsonl")) as file:
            return [entry for entry in map(parsed, file) if entry]

    def deliver(self, *more, **options):
        return subprocess.run([os.path.join(self.target, "authalert"), "--state", self.state, "--config",
                               self.config, "deliver", *more], capture_output=True, text=True, **options)

    def close(self):
        # The mounts go with the namespace.
        if os.path.exists(os.path.join(self.root, "dev")):
            subprocess.run(["umount", "-l", "/dev"])
            subprocess.run(["umount", "-l", os.path.join(self.root, "dev")])
        subprocess.run(["umount", "-l", "/etc"], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.root, ignore_errors=True)


# -- callers -----------------------------------------------------------------------------------------

class Call:
    """One su or sudo that the attacker starts, or `user`, with whatever he prepared before."""

    def __init__(self, program="su", password=WRONG, env=None, limits=(), closed=(), ignored=(), blocked=(),
                 umask=None, cwd=None, alarm=None, prepare=None, argv0=None, lifts=True, user=ATTACKER):
        argv = {"su": ["su", "victim", "-c", "echo in"],
                "sudo": ["sudo", "-S", "-k", "-p", "Password: ", "-u", "victim", "echo", "in"]}[program]

        path = shutil.which(argv[0])
        if argv0 is not None:
            argv[0] = argv0

        def before_exec():
            if umask is not None:
                os.umask(umask)
            if cwd == "gone":
                gone = tempfile.mkdtemp()
                os.chdir(gone)
                os.rmdir(gone)
            for number in ignored:
                signal.signal(number, signal.SIG_IGN)
            if blocked:
                signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
            if alarm:
                signal.setitimer(signal.ITIMER_REAL, alarm)
            if prepare:
                prepare()
            for number in closed:
                os.close(number)
            for which, soft, hard in limits:
                resource.setrlimit(which, (soft, hard))

        if not lifts:
            # As in many containers: set-user-id root does not bring CAP_SYS_RESOURCE back.
            argv, path = ["setpriv", "--bounding-set=-sys_resource", f"--reuid={ATTACKER}", f"--regid={ATTACKER}",
                          "--clear-groups", "bash", "-c", 'exec -a "$0" "$@"', argv[0], path, *argv[1:]], shutil.which("setpriv")
        self.began = time.monotonic()
        self.process = None
        try:
            self.process = subprocess.Popen(
                argv, executable=path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                env={"PATH": "/usr/bin:/bin:/usr/sbin"} if env is None else env,
                start_new_session=True, **(dict(user=user, group=user, extra_groups=[]) if lifts else {}), cwd="/" if cwd != "gone" else None,
                preexec_fn=before_exec, restore_signals=False)
            self.process.stdin.write(password.encode() + b"\n")
            self.process.stdin.flush()
        except (OSError, subprocess.SubprocessError) as error:
            self.error = str(error)
            if self.process is None:
                return
        self.error = None

    def end(self, patience=30):
        """Exit status (negative: the signal), what was said, seconds it took."""
        if self.process is None:
            return ("not started", "", 0.0)
        try:
            self.process.stdin.close()
        except OSError:
            pass
        self.process.stdin = None
        try:
            said, _ = self.process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return ("hangs", "", time.monotonic() - self.began)
        said = re.sub(r"/\S*/", "", said.decode(errors="replace"))
        return (self.process.returncode, said, time.monotonic() - self.began)


def call(*args, **options):
    return Call(*args, **options).end()


def as_attacker(pid, number):
    """kill(2) with the attacker's rights: what he may not do is not done for him."""
    child = os.fork()
    if child == 0:
        os.setresuid(ATTACKER, ATTACKER, ATTACKER)
        try:
            os.kill(pid, number)
        except OSError:
            pass
        os._exit(0)
    os.waitpid(child, 0)
