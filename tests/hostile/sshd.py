"""sshd's own view: messages and timing are the same with the module and without, for an account that
exists and for a name that does not.

sshd.py [--full] [penalties]
"""

import glob
import statistics
import sys

from scene import *

FULL = "--full" in sys.argv
METHODS = ("password", "keyboard-interactive")
# Names of one length: their timing may differ by what they are, not by how long they are.
NAMES = ("victim", "nosuch")


class Sshd:
    """A real sshd on loopback, in the scene's namespace, with the scene's stacks.

    `root` is the root directory of another system that it is taken from."""

    def __init__(self, scene, more="", root=None):
        self.scene = scene
        if root:
            enter(scene, root)
        host_key = os.path.join(scene.root, "hostkey")
        for old in (host_key, host_key + ".pub"):
            if os.path.exists(old):
                os.remove(old)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host_key], check=True)
        self.port = 20000 + os.getpid() % 20000
        self.log = os.path.join(scene.root, "sshd.log")
        self.askpass = os.path.join(scene.root, "askpass")
        subprocess.run(["cc", "-O1", "-o", self.askpass, os.path.join(TESTS, "hostile", "askpass.c")], check=True)
        config = os.path.join(scene.root, "sshd_config")
        scene.write(config, f"""Port {self.port}
ListenAddress 127.0.0.1
HostKey {host_key}
UsePAM yes
PasswordAuthentication yes
KbdInteractiveAuthentication yes
MaxAuthTries 50
MaxStartups 200
LogLevel VERBOSE
PidFile none
StrictModes no
{more}""")
        os.makedirs("/run/sshd", exist_ok=True)
        sshd = [*(["chroot", root] if root else []), "/usr/sbin/sshd"]
        # From 9.8 on sshd shuts out an address that failed a few times: all of ours come from one.
        lenient = [] if "PerSourcePenalties" in more else ["-o", "PerSourcePenalties=no"]
        if subprocess.run([*sshd, "-t", "-f", config, *lenient], capture_output=True).returncode != 0:
            lenient = []
        self.process = subprocess.Popen([*sshd, "-D", "-f", config, "-E", self.log, *lenient])
        for _ in range(100):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                    if connection.recv(4) == b"SSH-":
                        return
            except OSError:
                pass
            time.sleep(0.1)
        raise RuntimeError("sshd does not answer")

    def client(self, user, method, tries, stamps="/dev/null"):
        """An ssh that fails `tries` times."""
        options = ["-F", "none", "-p", str(self.port), "-l", user]
        for option in (f"PreferredAuthentications={method}", f"NumberOfPasswordPrompts={tries}",
                       "PubkeyAuthentication=no", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null",
                       "GSSAPIAuthentication=no", "LogLevel=INFO"):
            options += ["-o", option]
        environment = {"PATH": "/usr/bin:/bin", "SSH_ASKPASS": self.askpass, "SSH_ASKPASS_REQUIRE": "force",
                       "DISPLAY": ":0", "AUTHALERT_STAMPS": stamps}
        return subprocess.Popen(["ssh", *options, "127.0.0.1", "true"], env=environment, start_new_session=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def log_since(self, offset):
        """Whole lines from `offset` on, without what differs from run to run; and where they end."""
        with open(self.log, "rb") as file:
            file.seek(offset)
            data = file.read()
        data = data[:data.rfind(b"\n") + 1]
        lines = data.decode(errors="replace").splitlines()
        return offset + len(data), sorted(re.sub(r"\b(port|PID|pid) \d+|\[\d+\]", "N", line) for line in lines)

    def serves(self):
        """Whether the listener has a child."""
        for path in glob.glob("/proc/[0-9]*/stat"):
            try:
                with open(path) as file:
                    if int(file.read().rpartition(")")[2].split()[1]) == self.process.pid:
                        return True
            except (FileNotFoundError, ProcessLookupError):
                pass
        return False

    def close(self):
        self.process.terminate()
        self.process.wait()


def enter(scene, root):
    """Show the scene inside `root`, once."""
    if os.path.exists(os.path.join(root, "proc/self")):
        return
    subprocess.run(["mount", "--bind", root, root], check=True)
    for path in ("/proc", "/dev", scene.root, scene.target, "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/pam.d"):
        inside = root + path
        if os.path.isdir(path):
            os.makedirs(inside, exist_ok=True)
        subprocess.run(["mount", "--rbind", path, inside], check=True)
    os.makedirs(os.path.join(root, "run/sshd"), exist_ok=True)


def version(root):
    """Of sshd, as (9, 2)."""
    chroot = ["chroot", root] if root else []
    run = subprocess.run([*chroot, "/usr/sbin/sshd", "-V"], capture_output=True, text=True)
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", run.stdout + run.stderr)
    return (int(found[1]), int(found[2])) if found else (0, 0)


CRASHES = """#include <stdlib.h>
int pam_sm_authenticate(void *h, int f, int c, char **v) { abort(); }
int pam_sm_setcred(void *h, int f, int c, char **v) { return 0; }
"""


PENALTY = "penalty: (?:failed authentication|caused crash)"


def penalties(scene, root):
    """sshd refuses an address for a while that failed often, and for longer where its child crashed: it is to refuse
    as soon with the module as without."""
    if version(root) < (9, 8):
        print(f"# penalties need OpenSSH 9.8, this is {version(root)}; AUTHALERT_SSHD_ROOT=DIRECTORY names another system")
        return
    # Penalties decay as time passes, so each is far longer than this takes: the count does not hang on the machine.
    more = "PerSourcePenalties authfail:100s crash:300s noauth:0s min:250s max:900s\n"
    crashing = os.path.join(scene.root, "crashes.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-o", crashing, "-"], input=CRASHES, text=True, check=True)
    tries = {}
    for name in ("without", "with", "crashing"):
        for method in METHODS:
            scene.stack(name == "with", delay=0, auth=f"auth required {crashing}\n" if name == "crashing" else None)
            sshd = Sshd(scene, more, root)
            count, log = 0, ""
            while count < 12 and "drop connection" not in log:
                sshd.client("victim", method, 1).communicate()
                count += 1
                # The listener notes it when it has reaped the child, before it takes another connection.
                until = time.monotonic() + 10
                while sshd.serves() and time.monotonic() < until:
                    time.sleep(0.02)
                with open(sshd.log) as file:
                    log = file.read()
            tries[name, method] = (count, sorted(set(re.findall(PENALTY, log))))
            sshd.close()
            os.remove(sshd.log)
    print("# " + ", ".join(f"{name} by {method}: {count} {why}" for (name, method), (count, why) in tries.items()))
    same = all(tries["without", m] == tries["with", m] for m in METHODS)
    sees = all(tries["crashing", m][0] < tries["without", m][0] for m in METHODS)
    ok(same, "OpenSSH's penalties come as soon with the module as without, and for the same", tries)
    ok(sees, "and this test would see a crash", tries)


def messages(scene, sshd):
    time.sleep(0.5)
    offset, seen = sshd.log_since(0)[0], {}
    for module in (False, True):
        scene.stack(module, delay=0)
        for user in NAMES:
            for method in METHODS:
                said = sshd.client(user, method, 3).communicate()[0]
                for _ in range(50):
                    end, log = sshd.log_since(offset)
                    if any("[preauth]" in line and "Connection" in line for line in log):
                        break
                    time.sleep(0.1)
                time.sleep(0.1)
                offset, log = sshd.log_since(offset)
                seen[module, user, method] = (re.sub(r":\d+", ":N", said), log)
    different = [key for key in seen if seen[key] != seen[not key[0], key[1], key[2]]]
    ok(not different, "what sshd says and logs is the same with the module, by both methods, known user or not",
       *[f"{key}\n{set(seen[key][1]) ^ set(seen[not key[0], key[1], key[2]][1])}" for key in different[:4]])
    ok(len(scene.records()) == 12, "and each of the attempts was recorded", len(scene.records()))


def timing(scene, sshd, rounds, tries):
    """What the module adds is there each time; what else the machine does is not."""
    seen = []
    for _ in range(4):
        middle, scatter = difference(scene, sshd, rounds, tries)
        seen.append(f"{middle:.3f} ms, give or take {scatter:.3f}")
        if abs(middle) <= max(1.0, 3 * scatter):
            break
    else:
        seen.append("four times")
    ok(seen[-1] != "four times",
       "the module adds no difference between users that exist and users that do not, as seen by ssh", "; ".join(seen))


def difference(scene, sshd, rounds, tries):
    """Milliseconds from one prompt to the next, for both users, without the module and with it, taken in turn. The
    machine has other work too: so each round gives one difference, and these have to scatter around none."""
    shown, differences = {}, []
    for i in range(rounds):
        quick = {}
        for module in (False, True) if i % 2 else (True, False):
            scene.stack(module, delay=0)
            for user in NAMES:
                stamps = os.path.join(scene.root, f"stamps-{i}-{module}-{user}")
                sshd.client(user, METHODS[i // 2 % 2], tries, stamps).communicate()
                with open(stamps) as file:
                    times = [int(line) for line in file]
                # What else the machine does only ever adds.
                quick[module, user] = statistics.quantiles([(b - a) / 1e6 for a, b in zip(times, times[1:])], n=4)[0]
                shown.setdefault((module, user), []).append(quick[module, user])
        gap = {module: quick[module, NAMES[0]] - quick[module, NAMES[1]] for module in (False, True)}
        differences.append(gap[True] - gap[False])
    print(f"# {rounds} rounds of {tries} tries: " + ", ".join(
        f"{user} {'with' if m else 'without'} {statistics.median(values):.2f} ms" for (m, user), values in shown.items()))
    middle = statistics.median(differences)
    scatter = statistics.stdev(differences) / rounds ** 0.5
    return middle, scatter


def rank_test(a, b):
    """Mann-Whitney: how many standard deviations the rank sum of `a` is from what chance gives."""
    ranked = sorted([(value, 0) for value in a] + [(value, 1) for value in b])
    ranks, i = [0.0] * len(ranked), 0
    while i < len(ranked):
        j = i
        while j < len(ranked) and ranked[j][0] == ranked[i][0]:
            j += 1
        for k in range(i, j):
            ranks[k] = (i + j + 1) / 2
        i = j
    total = sum(rank for rank, (_, which) in zip(ranks, ranked) if which == 0)
    mean = len(a) * (len(ranked) + 1) / 2
    deviation = (len(a) * len(b) * (len(ranked) + 1) / 12) ** 0.5
    return (total - mean) / deviation


def same_work(scene, tries):
    """Inside one process and with a stack of constant work: the module alone."""
    scene.stack(True, delay=0, auth="auth required pam_deny.so\n")
    names = ("victim", "nosuch", "victim")
    run = subprocess.run(scene.host("other", f"time={tries},{','.join(names)}"), capture_output=True, text=True, check=True)
    times = [[], [], []]
    for line in run.stdout.splitlines():
        index, nanoseconds = line.split()
        times[int(index)].append(int(nanoseconds) / 1000)
    median = [statistics.median(t) for t in times]
    z = rank_test(times[0], times[1])
    # Where a name stands in its turn matters more than what it is: the third one shows by how much.
    position = abs(rank_test(times[0], times[2]))
    ok(abs(z) < max(4, 2 * position) or abs(median[0] - median[1]) < 2,
       f"the module does the same work for both: medians {median[0]:.1f} and {median[1]:.1f} us, z {z:.1f}, {tries} tries",
       f"the same name in another place: {median[2]:.1f} us, z {position:.1f}")


def main():
    scene = Scene()
    sshd = None
    try:
        if "penalties" in sys.argv:
            return penalties(scene, os.environ.get("AUTHALERT_SSHD_ROOT"))
        sshd = Sshd(scene)
        messages(scene, sshd)
        timing(scene, sshd, 40 if FULL else 12, 10)
        same_work(scene, 5000 if FULL else 1000)
        sshd.close()
        penalties(scene, os.environ.get("AUTHALERT_SSHD_ROOT"))
    finally:
        if sshd:
            sshd.close()
        scene.close()
    finish()


if __name__ == "__main__":
    main()
