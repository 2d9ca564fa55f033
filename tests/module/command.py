"""The command when something is wrong: what it says, how it ends, and that nothing is lost over it."""

import os
import subprocess

from report import equal, test
from stage import COMMAND, KEYS, Stage

ONE = ["[success=1 default=ignore] DOOR prompt", "requisite pam_deny.so", "required pam_permit.so"]


def with_failures(number=2):
    stage = Stage()
    stage.service("door", stage.ours(), *ONE)
    stage.host("door", "start", *["auth"] * number, "end")
    stage.configure("receiver = \"timeline\"\n")
    return stage


def holds(text, *words):
    for word in words:
        if word not in text:
            raise AssertionError("%r is not in:\n%s" % (word, text))


def without_timeline(out):
    """What was delivered to another receiver than the timeline, which takes everything at once."""
    return [line for line in out.splitlines() if not line.startswith("timeline: ")]


@test("wrong words on the command line are told with the right ones, on stderr, and end in 2")
def usage():
    stage = with_failures()
    for words, told in ((["delver"], ["delver", "deliver"]), (["deliver", "--nw"], ["--nw", "Usage"]), ([], ["Usage"]),
                        (["status", "extra"], ["extra"]), (["timeline", "-n", "many"], ["many"]),
                        (["test", "--user", "root"], ["--pam"]), (["--config"], ["--config"]),
                        (["deliver", "--state"], ["--state"])):
        done = subprocess.run([COMMAND, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=10)
        equal((done.returncode, done.stdout), (2, ""), repr(words))
        holds(done.stderr, *told)
    equal(stage.status()["pending"], 2)


@test("a service without a stack is told apart from one whose stack records nothing")
def no_stack():
    stage = with_failures()
    code, out, err = stage.command("test", "--pam", "no-such-service")
    equal((code, out), (1, ""))
    holds(err, "/etc/pam.d/no-such-service is missing")
    equal(stage.status()["tests"], 0)


@test("timeline -n 0 shows nothing, and not that there is nothing")
def no_lines():
    stage = with_failures()
    equal(stage.command("timeline", "-n", "0"), (0, "no alert was sent yet\n", ""))
    equal(stage.command("deliver")[0], 0)
    equal(stage.command("timeline", "-n", "0"), (0, "", ""))
    equal(len(stage.command("timeline", "-n", "1")[1].splitlines()), 1)


@test("--help and --version go to stdout and end in 0; the help names every command and the exit status")
def help_texts():
    stage = Stage()
    code, out, err = stage.command("--help", config=False)
    equal((code, err), (0, ""))
    holds(out, "authorize", "deliver", "test", "status", "timeline", "--config", "--state", "0 done, 1 could not, 2 wrong usage")
    code, out, err = stage.command("--version", config=False)
    equal((code, err), (0, ""))
    holds(out, "authalert 0.")


WRONG_FILES = [
    ("receiver = \"timeline\"\n[alerts\n", ["line 2"]),
    ("receiver = \"pigeon\"\n", ["line 1", "\"x\"", "\"timeline\""]),
    ("[alerts]\nburts = 3\n", ["line 2", "burts", "burst", "group_interval"]),
    ("[allerts]\n", ["line 1", "allerts", "alerts"]),
    ("[alerts]\ngroup_interval = \"soon\"\n", ["line 2", "group_interval", "10m"]),
    ("[alerts]\ngroup_interval = -1\n", ["line 2", "group_interval", "10m"]),
    ("[alerts]\n\nmax_per_day = \"many\"\n", ["line 3", "max_per_day must be a whole number from 1 to 10000"]),
    ("[alerts]\nmax_per_day = 0\n", ["line 2", "max_per_day must be a whole number from 1 to 10000"]),
    ("[alerts]\nburst = 100000\n", ["line 2", "burst must be a whole number from 1 to 1000"]),
    ("[alerts]\nmax_interval = \"1s\"\n", ["alerts.max_interval", "group_interval"]),
    ("[alerts]\ntext = \"{nonsense}\"\n", ["alerts.text", "nonsense", "{count}"]),
    ("[alerts]\npost_unknown_users = \"yes\"\n", ["line 2", "post_unknown_users", "true or false"]),
    ("[x]\napi_url = \"https://api.x.com/2/tweets\"\n", ["x.api_url", "without a path"]),
    ("[x]\napi_url = \"ftp://api.x.com\"\n", ["x.api_url", "https://"]),
    ("[x]\napi_url = \"http://192.0.2.1\"\n", ["x.api_url", "loopback"]),
    ("[x]\nproxy = \"socks5://192.0.2.1\"\n", ["x.proxy", "http://HOST:PORT"]),
    ("[logins]\nbreak_in_after = 0\n", ["line 2", "break_in_after must be a whole number from 2 to 1000"]),
    ("[x]\ntimeout = \"1h\"\n", ["x.timeout", "5m"]),
    ("[ignore]\nnetworks = [\"192.0.2.0/99\"]\n", ["line 2", "192.0.2.0/99", "2001:db8::/32"]),
    ("[ignore]\nusers = \"root\"\n", ["line 2", "users must be a list"]),
    ("[journal]\nmax_size = \"64Q\"\n", ["line 2", "max_size", "64M"]),
    ("[journal]\nmax_size = \"1K\"\n", ["journal.max_size", "64K"]),
    ("receiver = \"x\"\nreceiver = \"timeline\"\n", ["line 2", "\"receiver\" is here twice, in line 1 and line 2"]),
]


@test("a wrong configuration is told with file, line and what is accepted, silences nobody, and loses nothing")
def configuration():
    for text, words in WRONG_FILES:
        stage = with_failures()
        stage.configure(text)
        stage.command("deliver")
        # What is right is used: the timeline has them.
        timeline = [r for r in stage.status()["receivers"] if r["name"] == "timeline"]
        equal((timeline[0]["recorded"], timeline[0]["posted"]), (2, 2), text)
        code, out, err = stage.command("status")
        equal((code, err), (0, ""), text)
        holds(out, stage.config, *words)
        code, out, err = stage.command("check", "--offline")
        equal(code, 1, text)
        holds(out, stage.config, *words)
        assert any(words[0] in line for line in stage.status()["mistakes"]), text


# What stands in the table of "two", what is typed in its place, and whether it is still known which receiver that is.
MISTAKES = [
    ("name = \"two\"", "name = \"two\"\n" + wrong, True) for wrong in (
        "tell = urgent", "tell = \"urgent\"", "tell = [\"brake-in\"]", "max_interval = \"soon\"", "colour = 3", "burst = 0",
        "tell = [", "kind = 5", "timeout = \"6m\"", "argv", "plain_http = 1", "\"", "text = \"\"\"a")
] + [
    ("name = \"two\"", "name = two", False), ("name = \"two\"", "name = 2", False),
    ("name = \"two\"", "name = \"My two\"", False), ("name = \"two\"", "name = \"one\"", False),
    ("# the second\n[[receiver]]", "[receiver]", True), ("# the second\n[[receiver]]", "[[receiver", True),
    ("# the second\n[[receiver]]", "[[reciever]]", False),
]


@test("a mistake in one receiver concerns that one: the others get all, it gets all once it is put right")
def one_receiver():
    for old, new, known in MISTAKES:
        stage = with_failures()
        script = os.path.join(stage.path, "send")
        with open(script, "w") as file:
            file.write("#!/bin/sh\ncat >>%s/$1\n" % stage.path)
        os.chmod(script, 0o755)
        right = "# the second\n".join("[[receiver]]\nkind = \"command\"\nname = \"%s\"\nargv = [\"%s\", \"%s\"]\n" % (
            name, script, name) for name in ("one", "two"))
        stage.configure(right)
        equal(stage.command("deliver")[0], 0)
        stage.host("door", "start", "auth", "auth", "end")
        assert old in right
        stage.configure(right.replace(old, new))
        code, out, err = stage.command("deliver", "--now")
        equal(code, 1 if known else 0, (new, err))
        shown = stage.command("status")[1]
        holds(err if known else shown, stage.config, "line ")
        found = {r["name"]: r for r in stage.status()["receivers"]}
        equal("two" in found, known, new)
        for r in found.values():
            equal(r["recorded"], r["posted"] + r["pending"] + r["ignored"] + r["aborted"] + r["left_out"], (new, r))
            equal((r["recorded"], r["posted"]), (4, 2 if r["name"] == "two" else 4), (new, r))
        stage.configure(right)
        equal(stage.command("deliver", "--now")[0], 0, new)
        equal([(r["name"], r["recorded"], r["posted"]) for r in stage.status()["receivers"]],
              [("one", 4, 4), ("two", 4, 4), ("timeline", 4, 4)], new)


@test("credentials that cannot be used concern those who need a secret, and nobody else")
def others_credentials():
    for text, mode in (("[two]\ntoken = hush\n", 0o600), ("[two]\ntoken = \"hush\"\n", 0o644), ("[two]\ntoken = 5\n", 0o600)):
        stage = with_failures()
        stage.configure("[[receiver]]\nkind = \"ntfy\"\nname = \"two\"\ntopic = \"a\"\n[[receiver]]\nkind = \"command\"\n"
                        "argv = [\"/bin/true\"]\n")
        stage.credentials(text, mode)
        code, out, err = stage.command("deliver")
        equal(code, 1, text)
        holds(err, "two: ", "credentials.toml")
        shown = stage.command("status")[1] + stage.command("check", "--offline")[1]
        assert "hush" not in out + err + shown, out + err + shown
        equal([(r["name"], r["recorded"], r["posted"], r["pending"]) for r in stage.status()["receivers"]],
              [("two", 2, 0, 2), ("command", 2, 2, 0), ("timeline", 2, 2, 0)], text)


@test("a configuration that is named and missing, a directory, unreadable bytes or empty is told apart")
def odd_files():
    stage = with_failures()
    os.remove(stage.config)
    code, out, err = stage.command("deliver")
    equal((code, out), (1, ""))
    holds(err, stage.config, "No such file")
    os.mkdir(stage.config)
    code, out, err = stage.command("deliver")
    equal((code, out), (1, ""))
    holds(err, stage.config, "not a file")
    os.rmdir(stage.config)
    with open(stage.config, "wb") as file:
        file.write(b"receiver = \"\xff\xfe\"\n")
    equal(stage.status()["pending"], 2)
    holds(stage.command("status")[1], stage.config, "line 1", "UTF-8")
    # Without a word and without credentials beside it: the timeline.
    stage.configure("")
    equal(stage.command("deliver")[0], 0)
    equal(stage.status()["posted"], 2)


@test("credentials that cannot be used are told with the way to mend them, are never shown, and lose nothing")
def credentials():
    stage = with_failures()
    stage.configure("receiver = \"x\"\n[x]\napi_url = \"http://127.0.0.1:9\"\n")
    cases = [
        (None, 0o600, ["authalert authorize"]),
        (KEYS, 0o644, ["credentials.toml", "open to others", "chmod 600"]),
        (KEYS, 0o660, ["credentials.toml", "open to others", "chmod 600"]),
        ("api_key = \"key-1\"\n", 0o600, ["api_secret is missing", "authalert authorize"]),
        (KEYS.replace("key-1", "<your key>"), 0o600, ["api_key"]),
        (KEYS + "colour = \"red\"\n", 0o600, ["the keys are", "access_token_secret"]),
        (KEYS.replace("\"", ""), 0o600, ["line 1"]),
        ("#" * 70000, 0o600, ["longer than"]),
    ]
    for text, mode, words in cases:
        path = os.path.join(stage.path, "credentials.toml")
        if text is not None:
            path = stage.credentials(text, mode)
        code, out, err = stage.command("deliver")
        equal((code, without_timeline(out)), (1, []), repr(text))
        holds(err, *words)
        _, shown, _ = stage.command("status")
        holds(shown, "2 pending", *words)
        for secret in ("key-1", "secret-2", "token-3", "secret-4"):
            assert secret not in err + shown, err + shown
        if os.path.exists(path):
            os.chmod(path, 0o600)
    stage.configure("receiver = \"timeline\"\n")
    equal(stage.command("deliver")[0], 0)
    equal(stage.status()["posted"], 2)


@test("a state directory that is missing is told by status and made by deliver; a file in its place is an error")
def state():
    stage = with_failures()
    away = stage.state + ".away"
    os.rename(stage.state, away)
    code, out, err = stage.command("status")
    equal((code, err), (0, ""))
    holds(out, stage.state, "missing", "authalert deliver")
    assert not os.path.exists(stage.state), "looking must not make it"
    equal(stage.command("deliver")[0], 0)
    equal(os.stat(stage.state).st_mode & 0o7777, 0o700)
    subprocess.run(["rm", "-r", stage.state], check=True)
    with open(stage.state, "w") as file:
        file.write("not a directory")
    code, out, err = stage.command("deliver")
    equal((code, out), (1, ""))
    holds(err, stage.state)
    os.remove(stage.state)
    os.rename(away, stage.state)
    equal(stage.command("deliver")[0], 0)
    equal(stage.status()["posted"], 2)


@test("a reader that goes away is no error, and a full disk behind stdout is one")
def output():
    stage = with_failures()
    place = ["--state", stage.state, "--config", stage.config]
    read, write = os.pipe()
    os.close(read)
    code = subprocess.run([COMMAND, *place, "status"], stdout=write, stderr=subprocess.PIPE, timeout=10)
    os.close(write)
    equal((code.returncode, code.stderr), (0, b""))
    with open("/dev/full", "w") as full:
        done = subprocess.run([COMMAND, *place, "status"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=10)
    equal(done.returncode, 1)
    holds(done.stderr, "cannot write the output", "No space left")


@test("a receiver that is not there, or says no, is one line on stderr and in status, and ends in 1; the failures wait")
def unreachable():
    stage = with_failures()
    stage.credentials()
    stage.configure("receiver = \"x\"\n[x]\napi_url = \"http://127.0.0.1:9\"\ntimeout = \"2s\"\n")
    code, out, err = stage.command("deliver", "--now")
    equal((code, without_timeline(out)), (1, []))
    equal(len(err.splitlines()), 1, err)
    holds(err, "127.0.0.1", "next attempt in")
    status = stage.status()
    equal((status["pending"], status["posted"]), (2, 0))
    assert status["last_error"] and status["next_attempt_seconds"] is not None, status
    code, out, err = stage.command("test")
    equal((code, out), (1, ""))
    holds(err, "127.0.0.1")
