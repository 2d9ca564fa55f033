#!/usr/bin/env python3
"""The figures of a report beside those of the scan, over logs as they lie in /var/log: rotated, compressed, of any user.

    totals.py AUTHALERT"""
import collections, datetime, gzip, itertools, json, lzma, os, pathlib, pty, re, shutil, subprocess, sys, tempfile, zoneinfo

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
    grepped = sum(len(re.findall("Failed password|FAILED SU", text(file))) for file in files)
    ok(grepped == report["failures"], "a search for their words counts the same", str(grepped))


def text(file):
    with {".gz": gzip.open, ".xz": lzma.open}.get(file.suffix, open)(file, "rt") as log:
        return log.read()


def orders(files):
    """In whatever order the parts are named, the report is the same."""
    made = [run("report", "--json", "--names", *order).stdout for order in itertools.permutations(files)]
    ok(len(set(made)) == 1 and len(made[0]) > 100, f"the report is the same in each of {len(made)} orders of the files", str(len(set(made))))


def spans(files):
    """--since and --until leave what the rows of the scan say, whatever moments they are."""
    rows = [json.loads(line) for line in run("scan", "--dry-run", "--json", *files).stdout.splitlines()]
    times = sorted(row["time"] for row in rows)
    for since, until in ((times[100], times[-100]), (times[5000], times[5000]), (times[-1], "2100-01-01T00:00:00Z"), ("1990-01-01T00:00:00Z", times[0])):
        report = json.loads(run("report", "--json", "--since", since, "--until", until, *files).stdout)
        expected = sum(row["count"] for row in rows if since <= row["time"] <= until)
        ok(report["failures"] == expected > 0 == report["failures"] - sum(row["failures"] for row in report["by_day"]),
           f"from {since} to {until} there are {expected}", str(report["failures"]))


def other_zone(root):
    """A log without years, over New Year and both changes of the clocks, on a machine in Berlin."""
    if os.geteuid() or not shutil.which("unshare") or not os.path.exists("/usr/share/zoneinfo/Europe/Berlin") or not os.path.exists("/etc/localtime"):
        return print("left out - another zone: needs root, and the zones of the world")
    berlin, log = zoneinfo.ZoneInfo("Europe/Berlin"), root / "zone.log"
    end = datetime.datetime.now(berlin).replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=3)
    count = 0
    with open(log, "w") as out:
        for hour in range(8500, 0, -1):
            at = (end.astimezone(datetime.timezone.utc) - datetime.timedelta(hours=hour)).astimezone(berlin)
            for i in range(hour % 3 + 1):
                count += 1
                out.write(f"{at:%b} {at.day:2} {at:%H:%M}:{i:02} srv sshd[{count}]: Failed password for root from 192.0.2.7 port {count % 60000 + 1} ssh2\n")
    inside = lambda *args: subprocess.run(["unshare", "--mount", "sh", "-c", 'mount --bind /usr/share/zoneinfo/Europe/Berlin /etc/localtime && exec "$@"', "sh",
                                           AUTHALERT, "--state", "/nonexistent", *args], capture_output=True, text=True, timeout=120)
    rows = [json.loads(line) for line in inside("scan", "--dry-run", "--json", log).stdout.splitlines()]
    report = json.loads(inside("report", "--json", log).stdout)
    ok(report["failures"] == sum(row["count"] for row in rows) == count, "without a year, over New Year and where the clocks change, none is missed", f"{report['failures']} of {count}")
    days, week = collections.Counter(), [[0] * 24 for _ in range(7)]
    for row in rows:
        at = datetime.datetime.fromisoformat(row["time"].replace("Z", "+00:00")).astimezone(berlin)
        days[str(at.date())] += row["count"]
        week[at.weekday()][at.hour] += row["count"]
    ok({row["day"]: row["failures"] for row in report["by_day"]} == days and len(days) > 350, "days are those of the machine's zone")
    ok(report["by_weekday"] == week and [row["failures"] for row in report["by_hour"]] == [sum(day[h] for day in week) for h in range(24)],
       "so are weekdays and hours")
    # What was written, hour by hour, by the clock on the wall: the clock that goes back has one hour twice.
    written = collections.Counter(re.findall(r"(?m)^(\w+ +\d+) ", log.read_text()))
    shown = collections.Counter({f"{datetime.date.fromisoformat(day):%b} {datetime.date.fromisoformat(day).day:2}": n for day, n in days.items()})
    ok(written == shown, "each day has what the log has under it", str((written - shown, shown - written)))


FORMATS = ("debian", "debian-iso", "rhel", "rfc5424", "journald")


def in_format(form, at, program, pid, message):
    """A line as a system's log daemon writes it."""
    stamp = f"{at:%b} {at.day:2} {at:%H:%M:%S}"
    return {"debian": f"{stamp} srv {program}[{pid}]: {message}",
            "debian-iso": f"{at.isoformat(timespec='microseconds')} srv {program}[{pid}]: {message}",
            "rhel": f"{stamp} srv {program}[{pid}]: {message}",
            "rfc5424": f"<38>1 {at.isoformat(timespec='milliseconds')} srv {program} {pid} - - {message}",
            "journald": json.dumps({"__CURSOR": f"s=1;i={pid}", "__REALTIME_TIMESTAMP": str(int(at.timestamp() * 1_000_000)), "_HOSTNAME": "srv", "_UID": "0",
                                    "SYSLOG_IDENTIFIER": program, "_COMM": program, "_EXE": f"/usr/sbin/{program}", "_PID": str(pid), "MESSAGE": message}),
            }[form]


def formats(root):
    """The same attempts as each system logs them: every total is what was written, what the scan has, and what grep counts."""
    reports = {}
    # Of all of them: an hour that ends meanwhile would have other failures in the next.
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    for form in FORMATS:
        begin, log, written, logins, out = now - datetime.timedelta(days=20), root / f"format-{form}", [], 0, []
        for i in range(3000):
            at = (begin + datetime.timedelta(minutes=9 * i)).astimezone()
            who, source, pid = ["root", "admin", "daemon", "böse"][i % 4], f"198.51.{i % 7}.{i % 90}" if i % 5 else f"2001:db8:{i % 3 + 1:x}::{i % 11 + 1:x}", 2000 + i
            say = lambda program, text, more=0: out.append(in_format(form, at, program, pid + more, text))
            # RHEL's sshd from 9 on is sshd-session as is that of OpenSSH 9.8 elsewhere; PAM logs the first line of each.
            sshd = "sshd-session" if form in ("rhel", "rfc5424") else "sshd"
            if i % 10 == 0:
                say("su", f"FAILED SU (to {who}) bob on pts/0")
                written.append(("su", who, "this machine", at))
            elif i % 10 == 1:
                logins += 1
                say(sshd, f"Accepted password for alice from 203.0.113.{i % 250} port {1024 + i} ssh2")
                say(sshd, "pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=0)")
            elif i % 10 == 2:
                say("CRON" if form != "rhel" else "crond", "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)")
            else:
                user = f"invalid user {who}" if who in ("admin", "böse") else who
                if who in ("root", "daemon"):
                    say(sshd, f"pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={source}  user={who}")
                say(sshd, f"Failed password for {user} from {source} port {1024 + i} ssh2")
                written.append(("sshd", who, source, at))
        log.write_text("\n".join(out) + "\n")
        rows = [json.loads(line) for line in run("scan", "--dry-run", "--json", log).stdout.splitlines()]
        report = json.loads(run("report", "--json", "--names", log).stdout)
        total = len(written)
        ok(report["failures"] == sum(row["count"] for row in rows) == total and report["logins"] == logins, f"{form}: failures and logins are those that were written",
           f"{report['failures']} and {report['logins']}, the scan {sum(row['count'] for row in rows)}; {total} and {logins}")
        for part, key, place in (("by_service", "service", 0), ("by_account", "user", 1), ("by_source", "rhost", 2)):
            truth, scanned = collections.Counter(row[place] for row in written), collections.Counter()
            for row in rows:
                scanned[row[key] or "this machine"] += row["count"]
            shown = {row["name"]: row["failures"] for row in report[part]}
            ok(shown == truth == scanned and all(row["may_be_more"] == 0 for row in report[part]), f"{form}: {part} is what was written, and what the scan has", str(shown)[:300])
        # The words, counted by a program that knows nothing of logs.
        grep = lambda *words: int(subprocess.run(["grep", "-cE", *words, log], capture_output=True, text=True).stdout)
        ok(report["failures"] == grep("Failed password for|FAILED SU"), f"{form}: grep counts as many")
        counts = {row["name"]: row["failures"] for row in report["by_source"]}
        ok(all(counts.get(source, 0) == grep(f"Failed password .* from {re.escape(source)} port") for source in {row[2] for row in written[:200]} - {"this machine"}),
           f"{form}: grep counts as many of each source")
        # In JSON a letter may be spelt in numbers.
        ok(all(row["failures"] == grep(f"Failed password for (invalid user )?{row['name']} |SU .to {row['name']}[)]") for row in report["by_account"] if row["name"].isascii()),
           f"{form}: grep counts as many of each account")
        days = collections.Counter(str(at.date()) for *_, at in written)
        hours = collections.Counter(at.hour for *_, at in written)
        ok({row["day"]: row["failures"] for row in report["by_day"]} == days and {row["hour"]: row["failures"] for row in report["by_hour"] if row["failures"]} == hours,
           f"{form}: days and hours are those that were written")
        ok(report["lines_forged"] == report["lines_not_understood"] == 0, f"{form}: each line was understood")
        reports[form] = {key: value for key, value in report.items() if key != "read"}
        reports[form]["since"] = reports[form]["until"] = None
        for row in reports[form]["by_source"] + reports[form]["findings"] + reports[form]["campaigns"]:
            for key in ("first", "last", "time"):
                row.pop(key, None)
    ok(all(report == reports["debian"] for report in reports.values()), "the report of the same attempts is the same in each format",
       str([form for form in FORMATS if reports[form] != reports["debian"]]))


def not_understood(root):
    """Lines that tell of attempts and are no log lines are counted, and count for nothing."""
    log = root / "broken.log"
    good = "Oct  1 05:00:00 srv sshd[7]: Failed password for root from 192.0.2.7 port 4711 ssh2\n"
    broken = "root: authentication failure; rhost=192.0.2.7\n", "### authentication failure; rhost=192.0.2.7  user=root\n"
    for lines, words in ((1, "1 line was not understood"), (3, "3 lines were not understood")):
        log.write_text(good + "".join(broken[i % 2] for i in range(lines)) + "nothing of interest\n")
        report = json.loads(run("report", "--json", log).stdout)
        ok((report["failures"], report["lines_not_understood"], report["lines_forged"]) == (1, lines, 0), f"{lines} that are no log lines are counted apart", str(report["notes"]))
        for args in (("report",), ("report", "--plain"), ("report", "--html", "-"), ("scan", "--dry-run")):
            ok(words in " ".join(run(*args, log).stdout.split()), f"{' '.join(args)} says so: {words}")
    forged = {"SYSLOG_IDENTIFIER": "sshd", "_UID": "1000", "_EXE": "/usr/bin/logger", "_COMM": "logger", "_PID": "7",
              "MESSAGE": "Failed password for root from 192.0.2.7 port 4711 ssh2", "__REALTIME_TIMESTAMP": "1793696701000000"}
    log.write_text(json.dumps(forged) + "\n" + json.dumps({**forged, "_UID": "0", "_EXE": "/usr/sbin/sshd", "_COMM": "sshd"}) + "\n{\"MESSAGE\": \n\n")
    report = json.loads(run("report", "--json", log).stdout)
    ok((report["failures"], report["lines_forged"], report["lines_not_understood"]) == (1, 1, 1), "in a journal those that are forged are counted apart", str(report["notes"]))
    ended = {"SYSLOG_IDENTIFIER": "sudo", "_UID": "1000", "_PID": "8", "__REALTIME_TIMESTAMP": "1793696701000000",
             "MESSAGE": "   bob : PWD=/ ; USER=root ; COMMAND=/usr/bin/true"}
    log.write_text("".join(json.dumps(entry) + "\n" for entry in (forged, ended, ended)))
    report = json.loads(run("report", "--json", log).stdout)
    ok((report["failures"], report["lines_forged"], report["lines_unattributed"]) == (0, 1, 2), "and those of a program that had ended", str(report["notes"]))
    for args in (("report",), ("scan", "--dry-run")):
        shown = " ".join(run(*args, log).stdout.split())
        ok("1 line is forged" in shown and "2 lines are not counted" in shown, f"{' '.join(args)} tells both apart", shown[-300:])


def no_logs(root):
    """What is no log is named, and nothing is made up; what is empty is a log in which nothing happened."""
    (root / "empty.log").touch()
    made = run("report", root / "empty.log")
    ok(made.returncode == 0 and made.stdout.startswith("0 failed logins"), "an empty log has no failure", made.stderr)
    (root / "letter").write_text("Dear Sir,\nno log is this.\n")
    (root / "program").write_bytes(AUTHALERT.read_bytes()[:9000])
    (root / "folder").mkdir()
    for name, words in (("letter", "no line of it begins"), ("program", "no line of it begins"), ("folder", "is a directory"), ("none", "No such file")):
        made = run("report", root / name)
        ok(made.returncode == 1 and not made.stdout and words in made.stderr and name in made.stderr and made.stderr.count("\n") == 1,
           f"a {name} is not a log: one line says so, and the status is 1", made.stderr or made.stdout)
    if os.geteuid() == 0:
        os.chmod(root / "empty.log", 0o600)
        made = run("report", root / "empty.log", user=65534, group=65534, extra_groups=[])
        ok(made.returncode == 1 and "Permission denied" in made.stderr and "run this as root" in made.stderr, "whoever may not read a log is told what to do", made.stderr)


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
        with lzma.open(root / "auth.log.3.xz", "wt") as old:
            old.writelines(lines(8000, 500))
        files = sorted(root.glob("auth.log*"))
        compare(files)
        orders(files)
        spans(files)
        formats(root)
        not_understood(root)
        other_zone(root)
        no_logs(root)
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
