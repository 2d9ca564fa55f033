#!/usr/bin/env python3
"""The figures of a report beside those of the scan, over logs as they lie in /var/log: rotated, compressed, of any user.

    totals.py AUTHALERT"""
import collections, gzip, json, os, pathlib, pty, subprocess, sys, tempfile

AUTHALERT = pathlib.Path(sys.argv[1]).resolve()
passed = failed = 0


def ok(good, what, why=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(f"{'ok' if good else 'not ok'} - {what}" + (f" ({why})" if why and not good else ""), flush=True)


def run(*args, **more):
    return subprocess.run([AUTHALERT, "--state", "/nonexistent", *args], capture_output=True, text=True, timeout=120, **more)


def lines(first, n):
    for i in range(first, first + n):
        day, hour, minute = i // 400 + 1, i // 17 % 24, i % 60
        who = ["root", "invalid user admin", "invalid user hunter2", "daemon"][i % 4]
        stamp = f"Oct {day:2} {hour:02}:{minute:02}:{i % 59:02} srv sshd[{2000 + i}]:"
        yield f"{stamp} Failed password for {who} from 198.51.{i % 40}.{i % 200} port {1024 + i} ssh2\n"
        if i % 100 == 0:
            yield f"{stamp.replace('sshd', 'su')} FAILED SU (to root) bob on pts/0\n"


def compare(files):
    rows = [json.loads(line) for line in run("scan", "--dry-run", "--json", *files).stdout.splitlines()]
    made = run("report", "--json", "--names", *files)
    report = json.loads(made.stdout)

    def counts(key):
        found = collections.Counter()
        for row in rows:
            found[key(row)] += row["count"]
        return found
    ok(report["failures"] == sum(row["count"] for row in rows) > 0, "failures are as many as scan --json has", str(report["failures"]))
    named = lambda part: {row["name"]: row["failures"] for row in report[part]}
    ok(named("by_source") == counts(lambda r: r["rhost"] or "this machine"), "sources are counted as scan --json has them")
    ok(named("by_account") == counts(lambda r: r["user"]), "accounts are counted as scan --json has them")
    ok(named("by_service") == counts(lambda r: r["service"]), "services are counted as scan --json has them")
    for part in ("by_kind", "by_hour", "by_day"):
        ok(sum(row["failures"] for row in report[part]) == report["failures"], f"{part} adds up to the total")
    ok(sum(map(sum, report["by_weekday"])) == report["failures"], "by_weekday adds up to the total")
    grepped = int(subprocess.run(f"zgrep -hcE 'Failed password|FAILED SU' {' '.join(map(str, files))} | paste -sd+ | bc || true",
                                 shell=True, capture_output=True, text=True).stdout or report["failures"])
    ok(grepped == report["failures"], "grep counts the same", str(grepped))


def at_terminal(*args, columns=80, env=None):
    """What is written to a terminal of so many columns."""
    leader, follower = pty.openpty()
    import fcntl, struct, termios
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen([AUTHALERT, "--state", "/nonexistent", *map(str, args)], stdout=follower, stderr=subprocess.DEVNULL,
                               env={**os.environ, **(env or {})})
    os.close(follower)
    text = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:
            break
        if not part:
            break
        text += part
    process.wait(60)
    os.close(leader)
    return text.decode().replace("\r\n", "\n")


def main():
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        os.chmod(root, 0o755)
        log = root / "auth.log"
        with gzip.open(root / "auth.log.2.gz", "wt") as old:
            old.writelines(lines(0, 3000))
        (root / "auth.log.1").write_text("".join(lines(3000, 3000)))
        log.write_text("".join(lines(6000, 2000)) + "Oct 21 00:00:00 srv sshd[9]: Accepted password for root from 198.51.0.0 port 1 ssh2\n")
        files = sorted(root.glob("auth.log*"))
        compare(files)
        # Only what happened since: both count the same.
        since = ["--since", json.loads(run("report", "--json", *files).stdout)["by_day"][9]["day"] + "T12:00:00Z"]
        rows = [json.loads(line) for line in run("scan", "--dry-run", "--json", *since, *files).stdout.splitlines()]
        report = json.loads(run("report", "--json", *since, *files).stdout)
        ok(report["failures"] == sum(row["count"] for row in rows) > 0, "--since leaves what scan --since leaves")
        ok("hunter2" not in run("report", "--json", *files).stdout + run("report", *files).stdout, "a name that may be a password goes into no pipe")
        shown = at_terminal("report", *files)
        ok("hunter2" in shown and "\x1b[" in shown, "at a terminal it is shown, in colour")
        plain = at_terminal("report", *files, columns=60, env={"NO_COLOR": "1"})
        ok("\x1b" not in plain and max(map(len, plain.splitlines())) <= 60, "NO_COLOR is heeded, and the width of the terminal",
           str(max(map(len, plain.splitlines()))))
        ok(run("report", "--plain", *files).stdout.isascii(), "--plain is words alone")
        missing = run("report", log, root / "none.log")
        ok(missing.returncode == 1 and "failed logins" in missing.stdout and "none.log" in missing.stderr, "a log that is missing is named, and the others are shown")
        for file in files:
            os.chmod(file, 0o644)
        if os.geteuid() == 0:
            made = run("report", *files, user=65534, group=65534, extra_groups=[])
            ok(made.returncode == 0 and "By weekday and hour" in made.stdout, "whoever may read the logs gets the report, where nothing is installed", made.stderr)


main()
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
