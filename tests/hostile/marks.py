"""The marks of failures under callers that mean it badly: no login changes, and none after a failure goes unrecorded.

marks.py [--full]
"""

import random
import struct
import sys

from scene import *

SIZE = 8192 + 4 * 32768
FULL = "--full" in sys.argv


def old_marks(scene):
    """As they are when nothing failed for days."""
    path = os.path.join(os.path.dirname(scene.journal), "marks")
    with open(path, "wb") as file:
        file.write(struct.pack("=4sII", b"AAM2", 1, 0xFFFFFFFE).ljust(SIZE, b"\0"))
    os.chmod(path, 0o600)
    return path


def logins(scene):
    return sum(record["class"] == "login" for record in scene.records())


IN = (0, "Password: in\n")
REFUSED = (1, "Password: su: Authentication failure\n")


def quiet(scene):
    """What the other claims stand on: without a failure a login leaves nothing."""
    scene.fresh_state()
    old_marks(scene)
    runs = [call("su", RIGHT), call("su", RIGHT)]
    ok([run[:2] for run in runs] == [IN] * 2 and not scene.records(), "logins without a failure before are not recorded",
       runs, scene.records())


def limits(scene):
    """Who cannot write a mark makes the file go, and then every login is recorded."""
    for name, limit in (("RLIMIT_FSIZE 0", (resource.RLIMIT_FSIZE, 0, 0)),
                        *((f"RLIMIT_NOFILE {n}", (resource.RLIMIT_NOFILE, n, n)) for n in (4, 5, 6))):
        for lifts in (True, False):
            scene.fresh_state()
            old_marks(scene)
            failed = call("su", limits=[limit], lifts=lifts)
            run = call("su", RIGHT)
            how = "" if lifts else ", not to be lifted"
            recorded = [record["class"] for record in scene.records()]
            # With too few descriptors su does not get as far as to ask.
            ok(run[:2] == IN and logins(scene) == recorded.count("failure") and (recorded or "NOFILE" in name),
               f"{name}{how}: the login after a failure is recorded", failed, run, recorded)
            scene.fresh_state()
            old_marks(scene)
            call("su")
            run = call("su", RIGHT, limits=[limit], lifts=lifts)
            ok(logins(scene) == 1 or not run[1].endswith("in\n"), f"{name}{how} at the login itself: it is recorded", run)


def full_disk(scene):
    """A disk without a free block: the login is recorded in what was kept, or counted."""
    disk = os.path.join(scene.root, "disk")
    image = disk + ".img"
    os.makedirs(disk, exist_ok=True)
    with open(image, "wb") as file:
        file.truncate(16 << 20)
    if subprocess.run(["mkfs.ext4", "-q", "-F", image], capture_output=True).returncode != 0 or \
            subprocess.run(["mount", "-o", "loop", image, disk], capture_output=True).returncode != 0:
        print("# no ext4 on a loop device here")
        return
    state, scene.state = scene.state, os.path.join(disk, "state")
    journal, scene.journal = scene.journal, os.path.join(disk, "state", "journal", "current.jsonl")
    try:
        for with_marks in (True, False):
            scene.fresh_state()
            scene.deliver("--now")
            marks = os.path.join(os.path.dirname(scene.journal), "marks")
            (os.path.exists(marks) or old_marks(scene)) if with_marks else os.remove(marks)
            scene.stack(True)
            fill(disk)
            failed, run = call("su"), call("su", RIGHT)
            ok(failed[:2] == REFUSED and run[:2] == IN and logins(scene) == 1,
               f"a full disk, marks {'made before' if with_marks else 'missing'}: the login after a failure is recorded",
               failed, run, scene.records())
            os.remove(os.path.join(disk, "ballast"))
        dropped(scene, disk, "a full disk")
    finally:
        scene.state, scene.journal = state, journal
        subprocess.run(["umount", "-l", disk], check=True)


def full_memory(scene):
    """A small tmpfs keeps hardly any room; where there is none the count takes none."""
    disk = os.path.join(scene.root, "memory")
    os.mkdir(disk)
    state, scene.state = scene.state, os.path.join(disk, "state")
    journal, scene.journal = scene.journal, os.path.join(disk, "state", "journal", "current.jsonl")
    try:
        for size in ("256k", "1m"):
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", disk], check=True)
            dropped(scene, disk, f"a full tmpfs of {size}")
            subprocess.run(["umount", "-l", disk], check=True)
    finally:
        scene.state, scene.journal = state, journal


def dropped(scene, disk, where):
    """More failures than the disk has room for: each is recorded or counted."""
    scene.fresh_state()
    scene.deliver("--now")
    scene.write(scene.config, "[deliver]\nin_process = false\n")
    scene.stack(True, delay=0, auth="auth required pam_deny.so\n")
    fill(disk)
    failures = 10_010
    subprocess.run(scene.host("hostile-test", f"threads=2,{failures // 2}"), check=True, timeout=240,
                   stdout=subprocess.DEVNULL)
    os.remove(os.path.join(disk, "ballast"))
    scene.deliver("--now")
    status = scene.status()
    ok(status["recorded"] + status["dropped"] == failures and status["dropped"] > 0,
       f"{where} and {failures} failures: {status['recorded']} recorded, {status['dropped']} counted as dropped", status)
    scene.write(scene.config, 'receiver = "timeline"\n')
    scene.stack(True)


def spilled(scene):
    """Records that can be neither written nor spilled are counted."""
    scene.fresh_state()
    journal = os.path.dirname(scene.journal)
    for n in range(1000):
        os.symlink("taken", os.path.join(journal, f"spill-{n:03}"))
    scene.stack(True, delay=0)
    limit, count = (resource.RLIMIT_FSIZE, 0, 0), 60
    runs = [call.end() for batch in range(0, count, 20) for call in [Call("su", limits=[limit], lifts=False) for _ in range(20)]]
    for n in range(1000):
        os.remove(os.path.join(journal, f"spill-{n:03}"))
    names = sum(name.startswith("dropped-") for name in os.listdir(journal))
    scene.deliver("--now")
    status, left = scene.status(), [name for name in os.listdir(journal) if name.startswith("dropped-")]
    ok(all(run[:2] == REFUSED for run in runs) and names == count and status["dropped"] == count and not left,
       f"{count} failures that may not be written, and no room to spill them: each is counted", names, status["dropped"], left)
    scene.stack(True)


def crowd(scene, how_many):
    """So many processes that mark, look, and make the file anew, all at once."""
    scene.fresh_state()
    scene.stack(True, delay=0)
    path = old_marks(scene)
    call("su")
    stop = threading.Event()

    def spoil():
        while not stop.is_set():
            try:
                random.choice([os.remove, lambda p: os.truncate(p, random.randrange(SIZE))])(path)
            except OSError:
                pass
            time.sleep(0.01)

    spoiler = threading.Thread(target=spoil)
    spoiler.start()
    done = []
    for _ in range(0, how_many, 100):
        calls = [Call("su", RIGHT if n % 2 else WRONG) for n in range(100)]
        done += [(c.process.pid, n % 2, c.end(patience=120)) for n, c in enumerate(calls)]
    stop.set()
    spoiler.join()
    recorded = {record["pid"]: record["class"] for record in scene.records()}
    wrong = [run for pid, right, run in done
             if run[:2] != (IN if right else REFUSED) or recorded.get(pid) != ("login" if right else "failure")]
    ok(not wrong, f"{how_many} su, a hundred at a time, while the marks are cut and removed: each recorded", wrong[:3])
    scene.stack(True)


def main():
    scene = Scene()
    try:
        quiet(scene)
        limits(scene)
        spilled(scene)
        full_disk(scene)
        full_memory(scene)
        crowd(scene, 2000 if FULL else 400)
    finally:
        scene.close()
    finish()


main()
