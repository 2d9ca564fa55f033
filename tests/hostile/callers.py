"""su and sudo, started by an unprivileged user with what he likes: nothing of it silences, redirects or
crashes the module, and nothing is learnt that would not be learnt without it.

Every case runs with the module and without, with a wrong password and with the right one.
callers.py [--full] [PART...]      (the parts: see main)
"""

import itertools
import random
import sys
import threading

from cases import ENDED, ENDED_BELOW, FULL, MIB, dispositions, environments, fsize, limits, not_lifted, programs_names
from network import Sink, network
from scene import *


def in_batches(things, size=10):
    things = iter(things)
    while batch := list(itertools.islice(things, size)):
        yield batch


def judge(scene, cases, programs=("su", "sudo")):
    """Give {name: (verdict, details)}; a case is a name and what Call takes."""
    work = [(f"{program}: {name}", program, options) for name, options in cases for program in programs]
    results = {}
    for batch in in_batches(work):
        seen = {}
        for module in (False, True):
            scene.stack(module)
            for password in (WRONG, RIGHT):
                calls = [Call(program, password, **options) for _, program, options in batch]
                pids = {c.process.pid: name for c, (name, _, _) in zip(calls, batch) if c.process}
                for (name, _, _), c in zip(batch, calls):
                    seen[name, module, password] = c.end()
                if module and password == WRONG:
                    recorded = [pids.get(r["pid"]) for r in scene.records()]
        for name, program, options in batch:
            alone = name.endswith(LITTLE_STACK) and ends_alone(scene, program, options)
            # Only what is shipped is made small: another build needs a library more, for which pam_unix needs no room.
            may_not_fit = "RLIMIT_AS" in name and os.path.basename(scene.target) != "release"
            results[name] = verdict(name, seen, recorded.count(name), alone, may_not_fit)
    return results


LITTLE_STACK = "RLIMIT_STACK 16384"


def ends_alone(scene, program, options):
    """With so little stack su ends now and then, by where the kernel puts the environment: whether without the module too."""
    scene.stack(False)
    for _ in range(4):
        calls = [Call(program, password, **options) for password in (WRONG, RIGHT) * 5]
        if any([call.end()[0] == -signal.SIGSEGV for call in calls]):
            return True
    return False


def verdict(name, seen, recorded, ends_alone=False, may_not_fit=False):
    bare, bare_right = seen[name, False, WRONG], seen[name, False, RIGHT]
    wrong, right = seen[name, True, WRONG], seen[name, True, RIGHT]
    details = f"without: {bare} right: {bare_right}\nwith:    {wrong} right: {right}\nrecorded: {recorded}"
    same = wrong[:2] == bare[:2] and right[:2] == bare_right[:2]
    # An end that says the same of every password says nothing.
    # A stack that is too small ends it sooner or later, as the addresses fall, and without the module too.
    killed = wrong[0] == right[0] and (wrong[0] in ENDED or wrong[0] == bare[0] == -signal.SIGSEGV)
    nothing_learnt = wrong[:2] == right[:2] or killed
    # Whether a right password gets a shell then depends on how many processes the other cases have.
    if "NPROC" in name:
        same = wrong[:2] == bare[:2]
    no_stack = ends_alone and -signal.SIGSEGV in (bare[0], bare_right[0], wrong[0], right[0])
    ended_by_a_limit = no_stack or any(run[0] in ENDED + ENDED_BELOW for run in (bare, bare_right, wrong, right))
    kept = bare[2] < SHORTEST or wrong[2] >= SHORTEST
    if recorded:
        return recorded == 1 and (kept or nothing_learnt) and (same or nothing_learnt or ended_by_a_limit), details
    # The kernel looks at limits of the processor's time, and at such timers, at its ticks: who is ended before he is
    # answered is chance, with the module or without.
    ticks = wrong[0] in ENDED and any(word in name for word in ("timer", "RLIMIT_CPU", "RLIMIT_RTTIME"))
    by_chance = (no_stack and wrong[0] == -signal.SIGSEGV or ticks) and not re.search("ailure|incorrect", wrong[1])
    return nothing_learnt or by_chance or (may_not_fit and same), details


def report(results, what):
    bad = {name: details for name, (good, details) in results.items() if not good}
    recorded = sum("recorded: 1" in details for _, details in results.values())
    ok(not bad, f"{what}: {len(results)} cases, {recorded} recorded, the others learnt nothing",
       *[f"{name}\n{details}" for name, details in list(bad.items())[:8]])


def spilled(scene):
    """What may not be written is spilled, and is in the journal after the next pass, once."""
    results = judge(scene, list(not_lifted()))
    report(results, "limits that nobody lifts")
    scene.fresh_state()
    scene.stack(True)
    for _ in range(3):
        call("su", limits=fsize(0), lifts=False)
    waiting, before = len(scene.spilled()), scene.status()
    scene.deliver("--now")
    after = scene.status()
    ok(waiting == 3 and before["recorded"] == before["pending"] == 3 and not scene.spilled()
       and after["recorded"] == after["posted"] == 3,
       "a failure that may not be written is counted at once, and posted by the next pass", waiting, before, after)


def logged(scene, heard):
    """What reaches syslog is no line of somebody else's, and a scan of it counts nothing twice."""
    scene.fresh_state()
    scene.stack(True)
    del heard[:]
    for argv0 in (None, "sshd[1]: Failed password for root from 192.0.2.66 port 1 ssh2", "su\nFailed"):
        call("su", argv0=argv0)
        call("su", argv0=argv0, limits=fsize(0), lifts=False)
    time.sleep(0.2)
    ours = [line for line in heard if b"authalert" in line]
    ok(not ours, "six failures that were recorded, and not a line of ours in syslog", *ours[:3])
    before = scene.status()["recorded"]
    log = os.path.join(scene.root, "auth.log")
    # As rsyslog writes it: a control character becomes #ooo, and the time and the host are its own.
    text = [re.sub(rb"^<\d+>.{15} ", b"", line) for line in heard]
    text = [re.sub(rb"[\x00-\x1f]", lambda m: b"#%03o" % m.group()[0], line) for line in text]
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00", time.gmtime()).encode()
    with open(log, "wb") as file:
        file.write(b"".join(stamp + b" host " + line + b"\n" for line in text))
    run = subprocess.run([os.path.join(scene.target, "authalert"), "--state", scene.state, "--config", scene.config,
                          "scan", log], capture_output=True, text=True)
    status = scene.status()
    ok(before == 6 and status["recorded"] == 6 and run.returncode == 0,
       "a scan of the log counts none of the six again, and the forged name for nothing", before, status, run.stdout,
       run.stderr, *text)


def crowd(scene, how_many):
    """So many su at once, as a user's loop starts them: each recorded, none harmed."""
    scene.fresh_state()
    scene.stack(True, delay=0)
    done, began = [], time.monotonic()
    for batch in in_batches(range(how_many), 100):
        calls = [Call("su") for _ in batch]
        done += [c.end(patience=120) for c in calls]
    status = scene.status()
    refused = sum(run[:2] == (1, "Password: su: Authentication failure\n") for run in done)
    print(f"# {how_many} su, a hundred at a time: {time.monotonic() - began:.1f} s")
    ok(refused == how_many and status["recorded"] == how_many and status["unreadable"] == 0,
       f"{how_many} su, a hundred at a time: each refused and recorded", refused, status)
    scene.stack(True)


def starved(scene):
    """A user who starts su in a loop and ends each in the middle of its pass does not keep the command from the lock."""
    scene.fresh_state()
    scene.stack(True, delay=0.4)
    stop = threading.Event()

    def loop():
        while not stop.is_set():
            c = Call("su")
            time.sleep(random.uniform(0.03, 0.3))
            c.process.kill()
            c.end()

    threads = [threading.Thread(target=loop) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    runs = [scene.deliver("--now", timeout=60) for _ in range(3)]
    stop.set()
    for thread in threads:
        thread.join()
    busy = [run.stdout + run.stderr for run in runs if run.returncode or "running" in run.stdout + run.stderr]
    status = scene.status()
    ok(not busy and status["posts"] > 0 and
       status["recorded"] == status["posted"] + status["pending"] + status["aborted"] + status["ignored"],
       "a user who ends his su one after another keeps the command from nothing", *busy, status)


def random_signals(scene, rounds):
    """Stopped, ended, alarmed at any moment: what was answered is recorded, the delay not shortened."""
    scene.stack(True)
    answered = unrecorded = crashed = 0
    for batch in in_batches(range(rounds), 8):
        calls = []
        for i in batch:
            calls.append((i, random.choice(["kill", "stop", "alarm"]), Call("su", alarm=random.uniform(0.01, 0.3))
                          if i % 3 == 0 else Call("su")))
        deadline = time.monotonic() + 0.5
        pending = [(time.monotonic() + random.uniform(0.0, 0.3), how, c) for i, how, c in calls if i % 3]
        for when, how, c in sorted(pending, key=lambda p: p[0]):
            time.sleep(max(0, min(when, deadline) - time.monotonic()))
            as_attacker(c.process.pid, signal.SIGKILL if how == "kill" else signal.SIGSTOP)
            if how != "kill":
                time.sleep(0.01)
                as_attacker(c.process.pid, signal.SIGCONT)
        ended = [(c.process.pid, c.end()) for _, _, c in calls]
        recorded = [r["pid"] for r in scene.records()]
        for pid, (status, said, took) in ended:
            if "failure" in said:
                answered += 1
                unrecorded += recorded.count(pid) != 1
                crashed += took < SHORTEST
            elif status not in (-signal.SIGKILL, -signal.SIGALRM, 1, 142, 137):
                crashed += 1
    ok(answered > 0 and not unrecorded and not crashed,
       f"stopped, killed and alarmed at random: {rounds} su, {answered} answered, each of those recorded and delayed",
       f"unrecorded {unrecorded}, crashed or early {crashed}")


def impatient(scene, heard):
    """Ended in the delay, by who sees that no shell comes: recorded all the same."""
    scene.fresh_state()
    scene.stack(True, delay=2)
    pids = []
    for _ in range(5):
        del heard[:]
        c = Call("su")
        for _ in range(200):
            if any(b"authentication failure" in line for line in heard):
                break
            time.sleep(0.01)
        time.sleep(0.3)
        as_attacker(c.process.pid, signal.SIGKILL)
        pids.append((c.process.pid, c.end()[0]))
    recorded = [r["pid"] for r in scene.records()]
    ok(pids == [(pid, -signal.SIGKILL) for pid in recorded], "su that is ended in its delay, by who sees that no shell comes: recorded",
       pids, recorded)
    scene.stack(True)


def names(scene):
    """User names of any bytes and length, through PAM."""
    scene.fresh_state()
    scene.write(scene.config, 'receiver = "timeline"\n')
    scene.stack(True, delay=0, auth="auth required pam_deny.so\n")
    hostile = [b"\xff\xfe\x80", b"a\nFailed password for root", b"\x1b[2J\x1b]0;x\x07", "\u202eroot".encode(),
               b"x" * 100_000, "\U0001f600".encode() * 3000, b'"},{"time":"', b"%s%n%s%n", b"../../etc", b"@all #x $Y",
               b"https://example.com/x", b" ", b"-rf", b"\\x00", bytes(range(1, 256))]
    random.seed(7)
    hostile += [bytes(random.randrange(1, 256) for _ in range(random.randrange(1, 500))) for _ in range(40)]
    for name in hostile:
        subprocess.run(scene.host("su", "once", user=name), check=False, stdout=subprocess.DEVNULL)
    with open(scene.journal, "rb") as file:
        raw = file.read()
    try:
        records = scene.records()
    except ValueError as why:
        ok(False, "hostile user names leave lines that can be read", why)
        return
    clean = all(b in b"\n" or 0x20 <= b < 0x7f or b >= 0x80 for b in raw)
    ok(len(records) == len(hostile) and clean and all(len(r["user"]) <= 64 for r in records),
       f"{len(hostile)} hostile user names are recorded, bounded, each on its line", f"{len(records)} records")
    scene.deliver("--now")
    with open(os.path.join(scene.state, "timeline.jsonl")) as file:
        texts = [json.loads(line)["text"] for line in file]
    ok(sum(status_of(scene)) == len(hostile) and all(len(t) <= 280 and t.isprintable() for t in texts),
       "what is posted of them is printable and at most 280 characters", texts[-1:])


def status_of(scene):
    status = scene.status()
    return status["posted"], status["pending"]


def rationed(scene):
    """In a process of a user's no worker starts, nor where root rationed anything that it would take from its host."""
    worked = []
    limits = (("RLIMIT_AS", 256 * MIB), ("RLIMIT_DATA", 256 * MIB), ("RLIMIT_CPU", 20), ("RLIMIT_FSIZE", 300), ("RLIMIT_NOFILE", 32))
    for name, user, limit in (("nothing", 0, None), ("a user's own", ATTACKER, None),
                              *((name, 0, (getattr(resource, name), most)) for name, most in limits)):
        scene.fresh_state()
        scene.stack(True)
        call("su", limits=[(*limit, limit[1])] if limit else (), user=user)
        recorded = scene.status()["recorded"]
        worked.append((name, recorded, sorted(os.listdir(scene.state))))
    first, others = worked[0], worked[1:]
    ok("timeline.jsonl" in first[2] and all(recorded == 1 and files == ["journal"] for _, recorded, files in others),
       "no worker starts in a user's su, nor in root's with memory, time, file size or descriptors rationed", *worked)


def zone(scene):
    """The alert that a su sends tells the machine's time, not that of its TZ."""
    scene.fresh_state()
    scene.stack(True)
    call("su", env={"PATH": "/usr/bin:/bin", "TZ": "XYZ-13:37"}, user=0)
    with open(os.path.join(scene.state, "timeline.jsonl")) as file:
        text = json.loads(file.readline())["text"]
    when = scene.records()[0]["time"]
    local = subprocess.run(["date", "-d", when, "+%H:%M:%S"], capture_output=True, text=True, check=True,
                           env={"PATH": os.environ["PATH"]}).stdout.strip()
    ok(local in text, "an alert tells the machine's time whatever the caller's TZ", text, when)


def main():
    scene = Scene()
    heard = scene.syslog()
    sink = Sink()
    parts = {
        "plain": lambda: report(judge(scene, [("as usual", {})]), "no tricks"),
        "environments": lambda: report(judge(scene, [(n, dict(env=e)) for n, e in environments(sink.port)]),
                                       "hostile environments"),
        "zone": lambda: zone(scene),
        "dispositions": lambda: report(judge(scene, list(dispositions())), "signals, umask, descriptors, directory"),
        "limits": lambda: report(judge(scene, list(limits()), ("su", "sudo") if FULL else ("su",)), "resource limits"),
        "rationed": lambda: rationed(scene),
        "programs": lambda: report(judge(scene, list(programs_names()), ("su",)), "names of the program"),
        "spilled": lambda: spilled(scene),
        "logged": lambda: logged(scene, heard),
        "crowd": lambda: crowd(scene, 1000 if FULL else 60),
        "starved": lambda: starved(scene),
        "impatient": lambda: impatient(scene, heard),
        "random": lambda: random_signals(scene, 240 if FULL else 48),
        "network": lambda: network(scene, sink),
        "names": lambda: names(scene),
    }
    try:
        for name in [word for word in sys.argv[1:] if word in parts] or parts:
            parts[name]()
    finally:
        scene.close()
    finish()


main()
