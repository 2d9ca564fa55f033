"""sshd's own view: messages and timing are the same with the module and without, for an account that
exists and for a name that does not.

sshd.py [--full]
"""

import statistics
import sys

from scene import *

FULL = "--full" in sys.argv
METHODS = ("password", "keyboard-interactive")
# Names of one length: their timing may differ by what they are, not by how long they are.
NAMES = ("victim", "nosuch")


class Sshd:
    """A real sshd on loopback, in the scene's namespace, with the scene's stacks."""

    def __init__(self, scene):
        self.scene = scene
        host_key = os.path.join(scene.root, "hostkey")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host_key], check=True)
        self.port = 20000 + os.getpid() % 20000
        self.log = os.path.join(scene.root, "sshd.log")
        self.askpass = os.path.join(scene.root, "askpass")
        shutil.copy(os.environ["AUTHALERT_HOST"], self.askpass)
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
""")
        os.makedirs("/run/sshd", exist_ok=True)
        # From 9.8 on sshd shuts out an address that failed a few times: all of ours come from one.
        lenient = ["-o", "PerSourcePenalties=no"]
        known = subprocess.run(["/usr/sbin/sshd", "-t", "-f", config, *lenient], capture_output=True).returncode == 0
        self.process = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-f", config, "-E", self.log, *(lenient if known else [])])
        for _ in range(100):
            if subprocess.run(["ssh-keyscan", "-t", "ed25519", "-p", str(self.port), "127.0.0.1"], capture_output=True).stdout:
                return
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

    def close(self):
        self.process.terminate()
        self.process.wait()


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
    """Milliseconds from one prompt to the next, {(module, user): [...]}, taken in turn."""
    seen = {}
    for i in range(rounds):
        for module in (False, True):
            scene.stack(module, delay=0)
            for user in NAMES:
                stamps = os.path.join(scene.root, f"stamps-{i}-{module}-{user}")
                sshd.client(user, METHODS[i % 2], tries, stamps).communicate()
                with open(stamps) as file:
                    times = [int(line) for line in file]
                gaps = [(b - a) / 1e6 for a, b in zip(times, times[1:])]
                seen.setdefault((module, user), []).extend(gaps)
    median = {key: statistics.median(values) for key, values in seen.items()}
    shown = ", ".join(f"{user} {'with' if m else 'without'} {value:.2f} ms" for (m, user), value in median.items())
    print(f"# {len(seen[True, NAMES[0]])} tries each: {shown}")
    gap = [median[module, NAMES[0]] - median[module, NAMES[1]] for module in (False, True)]
    noise = max(statistics.quantiles(values, n=4)[2] - statistics.quantiles(values, n=4)[0] for values in seen.values())
    ok(abs(gap[1] - gap[0]) <= max(1.0, noise / 2),
       "the module adds no difference between users that exist and users that do not, as seen by ssh",
       f"gap without {gap[0]:.3f} ms, with {gap[1]:.3f} ms, quartiles {noise:.3f} ms apart")


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
    run = subprocess.run([os.environ["AUTHALERT_HOST"], "time", scene.pam, "other", str(tries), *names],
                         capture_output=True, text=True, check=True)
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
        sshd = Sshd(scene)
        messages(scene, sshd)
        timing(scene, sshd, 20 if FULL else 4, 26)
        same_work(scene, 5000 if FULL else 1000)
    finally:
        if sshd:
            sshd.close()
        scene.close()
    finish()


if __name__ == "__main__":
    main()
