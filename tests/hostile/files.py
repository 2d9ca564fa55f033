"""Files: owners, modes, and games with links in directories that are not root's alone.

files.py [--sample]

--sample: of the things that may lie in the place of a file a third for each file, another third for the next.
"""

import stat
import struct
import sys

from scene import *

ROOT_FILE = "keep me as I am\n"
# The receiver's, below the state directory.
STATE, LOCK = "receivers/timeline.json", "receivers/timeline.lock"


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def refused(scene, what, undo):
    """The module writes nothing, the login is as it was, the pass says what to run."""
    before = tree(scene)
    run = call("su")
    untouched = tree(scene) == before
    said = scene.deliver("--now")
    told = said.returncode != 0 and "go-w" in said.stdout + said.stderr
    undo()
    ok(untouched and run[:2] == (1, "Password: su: Authentication failure\n") and run[2] >= SHORTEST and told,
       f"{what}: nothing is written there, the login is as ever, the pass says what to run",
       run, said.stdout, said.stderr, tree(scene))


def survives(scene, path, what, lay):
    """Whatever lies at `path`: the login is as ever and nothing hangs or crashes; a pass goes on, or names the path. Once that
    is away, what was recorded is told once."""
    scene.fresh_state()
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    kept = path + ".kept" if os.path.lexists(path) else None
    if kept:
        os.rename(path, kept)
    lay(path)
    runs = [call("su")]
    said = []
    try:
        said = [scene.deliver("--now", timeout=20), scene.deliver("--now", timeout=20)]
        shown = scene.status_run(timeout=20)
        runs.append(call("su"))
        waits = False
    except subprocess.TimeoutExpired:
        waits = True
    name = os.path.relpath(path, scene.state)
    ok(all(run[:2] == (1, "Password: su: Authentication failure\n") and SHORTEST <= run[2] < 3 for run in runs) and not waits,
       f"{what} in the place of {name}: the login is as ever, nothing waits for it", runs, said)
    clear = all(run.returncode in (0, 1) and "panicked" not in run.stderr
                and (run.returncode == 0 or scene.state in run.stderr) for run in [*said, *([] if waits else [shown])])
    ok(clear, f"{what} in the place of {name}: a pass and status go on, or say where", said, "" if waits else shown)
    # Put away by whoever was told.
    if os.path.lexists(path):
        shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.remove(path)
    if kept:
        if os.path.lexists(path):
            shutil.rmtree(path)
        os.rename(kept, path)
    call("su")
    scene.deliver("--now", timeout=20)
    status = scene.status()
    # What was in a timeline that was put away is not in the next.
    least = status["posts"] if not path.endswith("timeline.jsonl") else 1
    ok(status["recorded"] >= 1 and status["posted"] == status["recorded"] and least <= len(scene.timeline()) <= status["posts"],
       f"{what} in the place of {name}, put away: failures are recorded and told", status, scene.timeline())


def tree(scene):
    found = {}
    for directory, _, files in os.walk(scene.state):
        for name in files:
            path = os.path.join(directory, name)
            found[path] = (os.lstat(path).st_size, os.lstat(path).st_mode)
    return found


def acl(user):
    """The extended attribute of an access list that lets `user` do everything."""
    entries = [(0x01, 7, 0xffffffff), (0x02, 7, user), (0x04, 0, 0xffffffff), (0x10, 7, 0xffffffff), (0x20, 0, 0xffffffff)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def unlisted(path):
    os.removexattr(path, "system.posix_acl_access")
    os.chmod(path, 0o700)


def main():
    scene = Scene()
    journal = os.path.dirname(scene.journal)
    victim = os.path.join(scene.root, "root-file")
    try:
        for umask in (0, 0o777):
            scene.fresh_state()
            call("su", umask=umask)
            scene.deliver("--now")
            modes = {os.path.relpath(path, scene.state): oct(mode(path)) for path in tree(scene)}
            ok({"journal/current.jsonl", STATE, "timeline.jsonl"} <= set(modes)
               and all(m == "0o600" for name, m in modes.items() if name != "lock") and int(modes["lock"], 8) & 0o177 == 0,
               f"with umask {umask:03o} every file is root's alone", modes)

        # The state directory is not root's alone.
        for path, name in ((scene.state, "state directory"), (journal, "journal")):
            scene.fresh_state()
            os.chown(path, ATTACKER, ATTACKER)
            refused(scene, f"a {name} of another user", lambda: os.chown(path, 0, 0))
            os.chmod(path, 0o777)
            refused(scene, f"a {name} that everybody can write", lambda: os.chmod(path, 0o700))
            os.chmod(path, 0o770)
            refused(scene, f"a {name} that a group can write", lambda: os.chmod(path, 0o700))

            try:
                os.setxattr(path, "system.posix_acl_access", acl(ATTACKER))
            except OSError as why:
                print(f"# no access lists here: {why}")
                continue
            refused(scene, f"a {name} that an access list lets a user write", lambda: unlisted(path))
        above = os.path.dirname(scene.state)
        os.chmod(above, 0o777)
        recorded_before = len(scene.records())
        said = scene.deliver("--now")
        os.chmod(above, 0o755)
        ok(said.returncode != 0 and f"go-w {above}" in said.stdout + said.stderr and len(scene.records()) == recorded_before,
           "a directory above in which others can replace it: the pass says what to run", said.stdout, said.stderr)

        # Lists that new files inherit, and files that nobody may change.
        scene.fresh_state()
        try:
            for path in (scene.state, journal):
                os.setxattr(path, "system.posix_acl_default", acl(ATTACKER))
            call("su", umask=0)
            scene.deliver("--now")
            modes = {os.path.relpath(path, scene.state): oct(mode(path)) for path in tree(scene)}
            ok({"journal/current.jsonl", STATE, "timeline.jsonl"} <= set(modes)
               and all(int(m, 8) & 0o077 == 0 for m in modes.values()),
               "where new files inherit an access list every file is root's alone all the same", modes)
        except OSError as why:
            print(f"# no access lists here: {why}")
        for flag, name in (("i", "that nobody may change"), ("a", "to which one may only append")):
            scene.fresh_state()
            call("su")
            if subprocess.run(["chattr", "+" + flag, scene.journal], capture_output=True).returncode:
                print("# no such flags here")
                break
            run = call("su")
            waiting = scene.status()["recorded"]
            subprocess.run(["chattr", "-" + flag, scene.journal], check=True)
            scene.deliver("--now")
            ok(run[0] == 1 and waiting == 2 and scene.status()["posted"] == 2,
               f"a journal {name}: the failure is kept, and posted later", run, waiting, scene.status())

        # A user fills the disk up. tmpfs has no part that is root's alone, as ext4 has.
        scene.fresh_state()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", scene.state], check=True)
        os.mkdir(journal, 0o700)
        call("su")
        scene.deliver("--now")
        fill(scene.state)
        scene.stack(True, delay=0, auth="auth required pam_deny.so\n")
        for i in range(100):
            subprocess.run(scene.host("su", "once", user=f"user{i}"), check=False, stdout=subprocess.DEVNULL)
        recorded = len(scene.records())
        scene.stack(True)
        os.remove(os.path.join(scene.state, "ballast"))
        scene.deliver("--now")
        status = scene.status()
        ok(recorded >= 100 and status["recorded"] == 101 == status["posted"] + status["pending"]
           and status["unreadable"] == 0, "a disk that a user has filled: there is room for what he does then", recorded, status)
        subprocess.run(["umount", "-l", scene.state], check=True)

        # What stood there before it was root's alone.
        for name, lay in (("a symbolic link", lambda: os.symlink(victim, scene.journal)),
                          ("a dangling link", lambda: os.symlink(victim + "-not-there", scene.journal)),
                          ("a pipe", lambda: os.mkfifo(scene.journal)),
                          ("a directory", lambda: os.mkdir(scene.journal)),
                          ("a device", lambda: os.mknod(scene.journal, 0o600 | stat.S_IFCHR, os.makedev(1, 7)))):
            scene.fresh_state()
            scene.write(victim, ROOT_FILE)
            lay()
            run = call("su")
            with open(victim) as file:
                same = file.read() == ROOT_FILE
            ok(same and not os.path.exists(victim + "-not-there") and run[0] == 1 and SHORTEST <= run[2] < 3,
               f"{name} in the journal's place is not followed, waited for or written to", run)
        for name in (STATE, STATE + ".bak", STATE + ".next", LOCK, "state.json", "timeline.jsonl", "lock", "unreadable.log"):
            scene.fresh_state()
            os.mkdir(os.path.join(scene.state, os.path.dirname(STATE)), 0o700)
            scene.write(victim, ROOT_FILE)
            os.utime(victim, (1, 1))
            os.symlink(victim, os.path.join(scene.state, name))
            with open(scene.journal, "w") as file:
                file.write("rubbish\n")
            os.chmod(scene.journal, 0o600)
            call("su")
            scene.deliver("--now", timeout=20)
            with open(victim) as file:
                ok(file.read() == ROOT_FILE and os.stat(victim).st_mtime == 1, f"a link named {name} is not followed")
        for name in (STATE, STATE + ".bak", LOCK, "state.json", "timeline.jsonl"):
            scene.fresh_state()
            os.mkdir(os.path.join(scene.state, os.path.dirname(STATE)), 0o700)
            os.mkfifo(os.path.join(scene.state, name))
            try:
                scene.deliver("--now", timeout=10)
                waits = False
            except subprocess.TimeoutExpired:
                waits = True
            ok(not waits, f"a pipe named {name} is not waited for")

        # Anything in the place of anything.
        elsewhere = os.path.join(scene.root, "elsewhere")

        def link_elsewhere(path):
            shutil.rmtree(elsewhere, ignore_errors=True)
            os.makedirs(os.path.join(elsewhere, "journal"), 0o700)
            os.chown(elsewhere, ATTACKER, ATTACKER)
            os.symlink(elsewhere, path)

        def owned(path, owner, bits):
            with open(path, "w") as file:
                file.write("rubbish\n")
            os.chmod(path, bits)
            os.chown(path, owner, owner)

        def full(path):
            os.mkdir(path)
            open(os.path.join(path, "something"), "w").close()

        things = (("a pipe", os.mkfifo), ("a directory", full), ("a socket", lambda path: os.mknod(path, 0o600 | stat.S_IFSOCK)),
                  ("a device", lambda path: os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 7))),
                  ("a dangling link", lambda path: os.symlink(victim + "-not-there", path)),
                  ("a link to itself", lambda path: os.symlink(path, path)),
                  ("a link to a directory of another user", link_elsewhere),
                  ("a file of another user", lambda path: owned(path, ATTACKER, 0o600)),
                  ("a file that a group can write", lambda path: owned(path, 0, 0o660)))
        places = (scene.state, journal, scene.journal, *(os.path.join(scene.state, name) for name in (
            STATE, STATE + ".bak", STATE + ".next", STATE + ".new", LOCK, "timeline.jsonl", "lock", "unreadable.log",
            "journal/dropped", "journal/spill-000", "journal/marks", "journal/0123-1.jsonl")))
        for number, path in enumerate(places):
            for what, lay in things[number % 3::3] if "--sample" in sys.argv else things:
                if not (what == "a directory" and path in (scene.state, journal)):
                    survives(scene, path, what, lay)
        ok(not os.path.exists(victim + "-not-there") and sorted(os.listdir(elsewhere)) == ["journal"]
           and not os.listdir(os.path.join(elsewhere, "journal")), "nothing was made where a link points to")

        # Configuration and credentials.
        scene.fresh_state()
        call("su")
        for path, make, words in (
                (scene.config, lambda: os.chmod(scene.config, 0o666), "go-w"),
                (scene.config, lambda: os.chown(scene.config, ATTACKER, 0), "go-w")):
            make()
            run = scene.deliver("--now")
            ok(run.returncode != 0 and words in run.stdout + run.stderr,
               "a configuration that others can write is refused with what to do", run.stdout, run.stderr)
            os.chmod(path, 0o644)
            os.chown(path, 0, 0)
        scene.write(scene.config, 'receiver = "x"\n')
        credentials = os.path.join(scene.root, "credentials.toml")
        secret = "s3cr3ts3cr3t"
        text = "".join(f'{key} = "{secret}{i}"\n' for i, key in
                       enumerate(("api_key", "api_secret", "access_token", "access_token_secret")))
        scene.write(credentials, text, 0o644)
        call("su")
        said = scene.deliver("--now")
        ok("chmod 600" in said.stdout + said.stderr and secret not in said.stdout + said.stderr,
           "credentials that others can read are refused, and not shown", said.stdout, said.stderr)
        os.rename(credentials, credentials + ".real")
        os.chmod(credentials + ".real", 0o600)
        os.symlink(credentials + ".real", credentials)
        said = scene.deliver("--now")
        ok("plain file" in said.stdout + said.stderr, "credentials behind a link are refused", said.stdout, said.stderr)
        ok(scene.status()["recorded"] == scene.status()["pending"] + scene.status()["posted"],
           "and the failures wait meanwhile", scene.status())

        # The worker's library.
        copies = os.path.join(scene.root, "lib")
        os.mkdir(copies)
        shutil.copy(scene.module, copies)
        library = os.path.join(copies, "libauthalert_sender.so")
        shutil.copy(os.path.join(scene.target, "libauthalert_sender.so"), library)
        original = scene.module
        scene.module = os.path.join(copies, "libpam_authalert.so")
        scene.write(scene.config, 'receiver = "timeline"\n')
        for writable, expected in ((0o644, 1), (0o666, 0)):
            scene.fresh_state()
            os.chmod(library, writable)
            scene.stack(True)
            call("su", user=0)
            sent = os.path.exists(os.path.join(scene.state, "timeline.jsonl"))
            ok(sent == bool(expected), f"a sender library of mode {writable:o} is {'loaded' if expected else 'not loaded'}")
        scene.module = original
    finally:
        scene.close()
    finish()


main()
