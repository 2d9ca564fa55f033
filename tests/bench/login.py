"""See login.sh.

The bounds: a good login adds at most 1.25 times what pam_deny adds; a failed one at most what pam_faillock adds; a good one
after failures at most what "bare" adds. They are held against what the processor worked on the login's thread: what else a
machine does is not in it. What went by on the clock stands beside it.

Without a mark the module added 0.95 to 1.2 times what pam_deny adds, the more the less of it was in the processor's caches;
nearly all of that is loading it: it is mapped in fewer pieces, and looks up more functions. A failed login added 0.87 to
0.9 times what pam_faillock adds.

A login after failures does not add at most 1.25 times what pam_deny adds, and cannot as long as its record is on disk before
it goes on, in a file that nobody else can write to, that is not going away and that has room, whatever limit the caller set.
"bare" makes the system calls for that and does nothing else, and added 1.5 to 1.7 times what pam_deny adds; the module added
as much as "bare", within 4 %. With those calls made in assembler, so that no function is looked up, it was 1.26 to 1.31. Each
function that is looked up costs about 0.6 % of what pam_deny adds, the lock 4 %, the two looks at directories 5 %, the write
8 %.
"""

import json
import os
import random
import statistics
import struct
import subprocess
import sys
import time

WORK, ROUNDS, POSTS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
TARGET = os.path.abspath("target/release")
MODULE = f"{TARGET}/libpam_authalert.so"


def confdir(state, config):
    directory = f"{WORK}/pam.d"
    os.makedirs(directory, exist_ok=True)
    ours = f"{MODULE} state={state} config={config}"
    faillock = f"pam_faillock.so authfail nodelay dir={WORK}/faillock"
    journal = f"{state}/journal"
    modules = {
        "nothing": None,
        "pam_deny": "auth optional pam_deny.so",
        "pam_authalert": f"auth optional {ours}",
        "pam_faillock": f"auth [default=ignore] {faillock}",
        "bare": f"auth optional {WORK}/bare.so {state} {journal} {journal}/marks {journal}/bare",
        "pam_exec": "auth [default=ignore] pam_exec.so quiet /bin/true",
    }
    for name, line in modules.items():
        for outcome, end in ("good", "auth required pam_permit.so"), ("failed", "auth required pam_deny.so"):
            with open(f"{directory}/{outcome}-{name}", "w") as file:
                file.write(f"{line}\n{end}\n" if line else f"{end}\n")
    # No file `other`: libpam would load its pam_deny for every service.
    with open(f"{directory}/delayed", "w") as file:
        file.write(f"auth optional {ours}\nauth required pam_unix.so\n")
    return directory, list(modules)


def once(directory, service):
    """Microseconds by the clock, and of the processor."""
    done = subprocess.run([f"{WORK}/host", directory, service, "daemon", "once"], capture_output=True, text=True, check=True)
    took = json.loads(done.stdout)
    return took["clock"] / 1000, took["processor"] / 1000


def state_directory(name):
    os.makedirs(f"{WORK}/{name}/journal", mode=0o700)
    return f"{WORK}/{name}"


def logins(marked):
    """A good login without a mark, or with one: then it is recorded. A failed one marks, each time."""
    os.makedirs(f"{WORK}/faillock", exist_ok=True)
    state = state_directory("marked" if marked else "state")
    with open(f"{WORK}/timeline.toml", "w") as file:
        file.write('receiver = "timeline"\n')
    directory, names = confdir(state, f"{WORK}/timeline.toml")
    if marked:
        once(directory, "failed-pam_authalert")
    else:
        old_marks(state)
    for outcome in ("good",) if marked else ("good", "failed"):
        times = {name: [] for name in names}
        for _ in range(ROUNDS):
            # Whoever follows pam_exec finds cold caches: a new order each round.
            for name in random.sample(names, len(names)):
                times[name].append(once(directory, f"{outcome}-{name}"))
        took, worked = ({name: statistics.median(of[which] for of in times[name]) for name in names} for which in (0, 1))
        after = " after failures" if marked else ""
        print(f"\na {outcome} login{after}, {ROUNDS} fresh processes each, medians from pam_start to pam_end:")
        for name in names:
            print(f"  {name:14} processor {worked[name]:8.1f} us   adds {worked[name] - worked['nothing']:7.1f} us"
                  f"   clock {took[name]:8.1f} us   adds {took[name] - took['nothing']:7.1f} us")
        peers = ["pam_deny"] if outcome == "good" else ["pam_faillock"]
        for peer in peers + ["bare"] * marked:
            ratio = [(of["pam_authalert"] - of["nothing"]) / (of[peer] - of["nothing"]) for of in (worked, took)]
            print(f"  what pam_authalert adds / what {peer} adds: {ratio[0]:.2f} of the processor, {ratio[1]:.2f} by the clock")
        print(f"  the login with pam_authalert / with {peers[0]}: {worked['pam_authalert'] / worked[peers[0]]:.2f}")


def old_marks(state):
    """The file as it is when nothing failed for a day."""
    with open(os.open(f"{state}/journal/marks", os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
        file.write((struct.pack("=4sII", b"AAM2", 0, 0xFFFFFFFF)).ljust(8192 + 4 * 32768, b"\0"))


def posts():
    state = state_directory("posting")
    subprocess.run(["sh", "tests/standin/certificates.sh", f"{WORK}/tls"], check=True, capture_output=True)
    os.makedirs(f"{WORK}/x")
    standin = subprocess.Popen(
        [sys.executable, "tests/standin/standin.py", "--dir", f"{WORK}/x", "--port", "0", "--tls",
         f"{WORK}/tls/server.pem", "--ready-file", f"{WORK}/ready", "--max-seconds", "600"],
        stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            if os.path.exists(f"{WORK}/ready"):
                break
            time.sleep(0.05)
        port = json.load(open(f"{WORK}/ready"))["port"]
        with open(f"{WORK}/x.toml", "w") as file:
            file.write(f'[x]\napi_url = "https://127.0.0.1:{port}"\nca_file = "{WORK}/tls/ca.pem"\n'
                       '[alerts]\ngroup_interval = "1s"\nmax_interval = "1s"\nburst = 1000\nmax_per_day = 10000\n')
        keys = {"api_key": "standin-key-1", "api_secret": "standin-secret-2",
                "access_token": "6253282-standin-token-3", "access_token_secret": "standin-secret-4"}
        with open(os.open(f"{WORK}/credentials.toml", os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.writelines(f'{key} = "{value}"\n' for key, value in keys.items())
        directory, _ = confdir(state, f"{WORK}/x.toml")
        took = []
        for i in range(POSTS):
            once(directory, "delayed")
            verdict = json.loads(open(f"{state}/journal/current.jsonl").read().splitlines()[-1])["time"]
            accepted = open(f"{WORK}/x/posts.jsonl").read().splitlines()
            if len(accepted) <= i:
                print("  a post was not there when the login ended")
                continue
            took.append(1000 * (json.loads(accepted[i])["time"] - stamp(verdict)))
            time.sleep(1)
        print(f"\nfrom the verdict to the post accepted by a TLS stand-in on loopback, {len(took)} logins of "
              f"{POSTS}, all while the login still sleeps:")
        print(f"  median {statistics.median(took):.1f} ms, slowest {max(took):.1f} ms")
    finally:
        standin.terminate()


def stamp(text):
    from datetime import datetime
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


logins(False)
logins(True)
posts()
