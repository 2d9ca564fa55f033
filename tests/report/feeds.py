#!/usr/bin/env python3
"""What other programs read: the metrics by promtool, the journal by fail2ban-regex and by a fail2ban of its own.

    feeds.py AUTHALERT

Prints ok or not ok for each; what is not installed is left out with a word."""
import os, pathlib, re, shutil, subprocess, sys, tempfile, time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import journal

AUTHALERT = pathlib.Path(sys.argv[1]).resolve()
PACKAGING = pathlib.Path(__file__).resolve().parents[2] / "packaging/fail2ban"
RECORDS = 10_000
passed = failed = 0


def ok(good, what, why=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(f"{'ok' if good else 'not ok'} - {what}" + (f" ({why})" if why and not good else ""), flush=True)


def authalert(state, *args):
    return subprocess.run([AUTHALERT, "--state", state, "--config", state / "config.toml", *args], capture_output=True, text=True, timeout=60)


def new_state(root, lines):
    state = root / "state"
    (state / "journal").mkdir(parents=True)
    (state / "config.toml").write_text("")
    (state / "journal/current.jsonl").write_text("".join(lines))
    return state


def records():
    """Lines, and the addresses that must be found in them, in order."""
    lines, addresses = [], []
    for i in range(RECORDS):
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - (RECORDS - i) / 100)) + ".123456Z"
        address = journal.address(i)
        named = i % 7 == 0
        lines.append(journal.line(now, "attacker.example.org" if named else address, journal.FORGED[i % len(journal.FORGED)],
                                  address=address if named else "", count=3 if i % 5 == 0 else 1, route="log" if i % 5 == 0 else "pam"))
        addresses.append(address)
    return lines, addresses


def metrics(state):
    page = authalert(state, "status", "--prometheus")
    ok(page.returncode == 0 and f"authalert_failures_total {RECORDS + 2 * (RECORDS // 5)}\n" in page.stdout, "the metrics count what the journal holds",
       page.stderr or page.stdout)
    file = state / "authalert.prom"
    written = authalert(state, "status", "--prometheus", "--output", file)
    ok(written.returncode == 0 and file.read_text().count("# HELP") == page.stdout.count("# HELP") and file.stat().st_mode & 0o777 == 0o644,
       "--output writes a file that everybody may read, and nothing beside it stays", written.stderr)
    if not shutil.which("promtool"):
        return print("left out - promtool: not installed (Debian: prometheus)")
    checked = subprocess.run(["promtool", "check", "metrics"], input=page.stdout, capture_output=True, text=True)
    ok(checked.returncode == 0 and not checked.stdout + checked.stderr, "promtool finds nothing", checked.stdout + checked.stderr)


def regex(state, addresses):
    file, rule = state / "journal/current.jsonl", PACKAGING / "filter.d/authalert.conf"
    run = ["fail2ban-regex", "--print-no-missed"]
    summary = subprocess.run([*run, file, rule], capture_output=True, text=True).stdout
    ok(f"{RECORDS} lines, 0 ignored, {RECORDS} matched, 0 missed" in summary, f"fail2ban-regex matches each of {RECORDS} records", summary[-300:])
    found = subprocess.run(["fail2ban-regex", "-o", "ip", file, rule], capture_output=True, text=True).stdout.split()
    ok(found == addresses, "the address of each is that of the record, whatever the names say",
       str([pair for pair in zip(found, addresses) if pair[0] != pair[1]][:3]) + f" {len(found)}")
    others = state / "others"
    now = "2026-01-05T12:00:00.000000Z"
    others.write_text("".join(journal.line(now, "192.0.2.1", user, cls) for cls in ("aborted", "login", "test") for user in journal.FORGED)
                      + journal.line(now, "192.0.2.1", host="web1") + journal.line(now, "", "192.0.2.1") + journal.line(now, "host.example.org"))
    summary = subprocess.run([*run, others, rule], capture_output=True, text=True).stdout
    ok(", 0 matched," in summary, "a login, an aborted one, a test, another machine's record and a name never match", summary[-300:])


def real(root):
    """fail2ban itself, with sockets and database in a directory of ours, and an action that writes a line."""
    state = new_state(root, [])
    etc, file = root / "fail2ban", state / "journal/current.jsonl"
    shutil.copytree("/etc/fail2ban", etc, symlinks=True)
    for part in ("filter.d", "jail.d"):
        shutil.copy(PACKAGING / part / "authalert.conf", etc / part)
    for old in [etc / "jail.local", *(etc / "jail.d").glob("defaults*"), *(etc / "jail.d").glob("*.local")]:
        old.unlink(missing_ok=True)
    banned = root / "banned"
    banned.touch()
    (etc / "action.d/note.conf").write_text(f"[Definition]\nactionban = echo <ip> >>{banned}\nactionunban =\n")
    (etc / "jail.d/authalert.local").write_text(
        f"[authalert]\nenabled = true\nlogpath = {file}\nmaxretry = 3\nignoreip =\nignoreself = false\nbanaction = note\naction = note\n")
    (etc / "fail2ban.local").write_text(
        f"[Definition]\nloglevel = INFO\nlogtarget = {root}/log\nsocket = {root}/socket\npidfile = {root}/pid\ndbfile = None\n")
    server = subprocess.Popen(["fail2ban-server", "-c", etc, "-s", root / "socket", "-p", root / "pid", "-f", "start"],
                              stdout=open(root / "out", "w"), stderr=subprocess.STDOUT)
    try:
        def wait(condition, seconds):
            begun = time.monotonic()
            while not condition() and time.monotonic() - begun < seconds:
                time.sleep(0.02)
            return time.monotonic() - begun
        wait(lambda: (root / "log").exists() and "Jail 'authalert' started" in (root / "log").read_text(), 20)
        time.sleep(0.5)

        def attack(what, rhost, user):
            with open(file, "a") as out:
                for _ in range(3):
                    stamp = time.time()
                    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(stamp)) + f".{int(stamp % 1 * 1e6):06}Z"
                    out.write(journal.line(now, rhost, user))
            took = wait(lambda: rhost in banned.read_text().split(), 10)
            ok(took <= 2, f"fail2ban bans {what} within 2 s", f"{took:.1f} s; {(root / 'log').read_text()[-400:]}")
        attack("an IPv4 address", "192.0.2.7", "root")
        attack("an IPv6 address", "2001:db8::7", "root")
        attack("the address of who forges names", "192.0.2.8", journal.FORGED[0])
        for n in range(2):
            os.rename(file, file.with_name(f"18b0c1d2e3f4051{n}-4711.jsonl"))
            file.write_text(f'{{"segment":"18b0c1d2e3f4052{n}-4711","limit":67108864,"crc":"00000000"}}\n')
            attack(f"on, in segment {n + 2} of the journal,", f"192.0.2.{20 + n}", "root")
        ok("198.51.100.99" not in banned.read_text(), "an address in a forged name is not banned")
    finally:
        server.terminate()
        server.wait(20)


def main():
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        lines, addresses = records()
        state = new_state(root, lines)
        shown = authalert(state, "failures", "--json").stdout
        ok(shown.count("\n") == RECORDS, "the records are those that authalert reads", str(shown.count("\n")))
        metrics(state)
        if not shutil.which("fail2ban-regex"):
            return print("left out - fail2ban: not installed")
        regex(state, addresses)
        (root / "f").mkdir()
        real(root / "f")


main()
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
