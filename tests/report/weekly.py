#!/usr/bin/env python3
"""The weekly summary with a clock that is put on: each Monday morning, by mail with its page and in three lines, over the
change of the clocks and after weeks without the machine; every failure in exactly one.

    weekly.py AUTHALERT"""
import datetime, email, email.policy, json, os, pathlib, re, shutil, subprocess, sys, tempfile, threading, zoneinfo

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import journal

AUTHALERT = pathlib.Path(sys.argv[1]).resolve()
STANDIN = pathlib.Path(__file__).resolve().parents[1] / "standin/smtp.py"
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
ZONE = "/usr/share/zoneinfo/Europe/Berlin"
passed = failed = 0


def ok(good, what, why=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(f"{'ok' if good else 'not ok'} - {what}" + (f" ({why})" if why and not good else ""), flush=True)


class Machine:
    def __init__(self, root, port):
        self.root, self.state, self.config = root, root / "state", root / "config.toml"
        (self.state / "journal").mkdir(parents=True)
        self.texts = root / "texts"
        self.texts.touch()
        self.config.write_text(f'''[[receiver]]
kind = "mail"
to = "admin@example.org"
from = "authalert@example.org"
server = "127.0.0.1"
port = {port}
tls = "none"
tell = ["summary"]
[[receiver]]
kind = "command"
argv = ["/usr/bin/tee", "-a", "{self.texts}"]
tell = ["summary"]
''')

    def fail(self, *times):
        with open(self.state / "journal/current.jsonl", "a") as out:
            for i, at in enumerate(times):
                out.write(journal.line(utc(at).strftime("%Y-%m-%dT%H:%M:%S.000000Z"), f"192.0.2.{7 + i % 2}", "root"))

    def deliver(self, at):
        now = utc(at).strftime("%Y-%m-%d %H:%M:%S")
        # faketime names what it shares by its number, and cannot begin where one that was killed left such a name.
        alone = f'mount --bind {ZONE} /etc/localtime && mount -t tmpfs tmpfs /dev/shm && exec "$@"'
        run = ["unshare", "--mount", "sh", "-c", alone, "sh",
               "env", "TZ=UTC0", "faketime", "-f", f"@{now}", AUTHALERT, "--state", self.state, "--config", self.config, "deliver"]
        done = subprocess.run(run, capture_output=True, text=True, timeout=60)
        if done.returncode:
            print(f"# deliver at {at}: {done.stderr.strip()}", flush=True)


def utc(at):
    return datetime.datetime.fromisoformat(at).replace(tzinfo=BERLIN).astimezone(datetime.timezone.utc)


def plain(letter):
    return letter.get_body(("plain",)).get_content()


def main():
    needs = [what for what in ("faketime", "unshare") if not shutil.which(what)] + [ZONE] * (not os.path.exists(ZONE))
    if os.geteuid() or needs:
        return print(f"left out - the weekly summary: needs root, and {', '.join(needs) or 'nothing else'}")
    with tempfile.TemporaryDirectory() as directory:
        server = subprocess.Popen([sys.executable, STANDIN, json.dumps({"tls": "none"})], stdout=subprocess.PIPE, text=True)
        letters = []
        try:
            machine = Machine(pathlib.Path(directory), int(server.stdout.readline()))
            reader = threading.Thread(target=lambda: letters.extend(map(json.loads, server.stdout)), daemon=True)
            reader.start()
            weeks(machine, letters)
        finally:
            server.terminate()
            server.wait(20)


def weeks(machine, letters):
    def expect(at, failures, since, what):
        before, texts = len(letters), machine.texts.read_text()
        machine.deliver(at)
        for _ in range(2):  # nothing comes twice
            machine.deliver((datetime.datetime.fromisoformat(at) + datetime.timedelta(minutes=20)).isoformat())
        told = machine.texts.read_text()[len(texts):]
        if failures is None:
            return ok(len(letters) == before and not told, what, f"{len(letters) - before} letters: {told}")
        found = [email.message_from_string(letter["letter"], policy=email.policy.default) for letter in letters[before:]]
        # Zero failures are said in words.
        said = re.findall(r"since ([^:]+ [0-9:]{5}): (\d+|no) failed login", "".join(map(plain, found)) + told)
        right = [(since, str(failures))] * 2
        ok(len(found) == 1 and said == right, what, f"{len(found)} letters: {said} instead of {right}")
        return found[0] if found else None

    machine.deliver("2027-03-17T12:00:00")
    machine.fail("2027-03-18T10:00:00", "2027-03-18T10:00:01", "2027-03-21T23:59:59", "2027-03-22T07:59:00")
    expect("2027-03-22T07:30:00", None, None, "nothing comes before Monday, 08:00")
    letter = expect("2027-03-22T08:00:30", 4, "Mar 15 08:00", "on Monday morning the week's four failures come")
    html = letter and letter.get_body(("html",))
    ok(letter and letter.get_content_type() == "multipart/alternative" and html is not None, "the letter has a text and a page")
    page = html.get_content() if html else ""
    ok("<svg" in page and "192.0.2.7" in page and "<script" not in page and "Failed logins on" in page, "the page is the report", page[:300])
    text = machine.texts.read_text().strip()
    ok(text.count("\n") == 2 and "Tried: root" in text and "From" in text, "others get three lines", text)
    machine.fail("2027-03-22T08:10:45", "2027-03-28T01:59:59", "2027-03-28T03:00:01")
    expect("2027-03-29T07:30:00", None, None, "nor where the clocks were put forward the night before")
    expect("2027-03-29T08:00:30", 3, "Mar 22 08:00", "a failure between two summaries is in the later one alone")
    machine.fail("2027-03-30T10:00:00", "2027-04-14T10:00:00", "2027-04-14T10:00:01")
    expect("2027-04-15T10:00:00", 3, "Mar 29 08:00", "two Mondays that were missed are made up by one summary")
    machine.fail("2027-04-16T10:00:00")
    expect("2027-04-19T08:00:30", 1, "Apr 15 10:00", "and the next Monday goes on from there")
    # The bucket of requests goes by the time since boot, which nobody puts on: six summaries are in it.
    for day, since in (("2027-10-25", "Apr 19 08:00"), ("2027-11-01", "Oct 25 08:00")):
        machine.fail(f"{day}T07:00:00")
        expect(f"{day}T08:00:30", 1, since, f"on {day} too")


main()
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
