"""What is recorded: each failed attempt once, an aborted prompt as such, a good login not at all."""

import json
import os

from report import equal, test
from stage import AUTH_ERR, EMULATED, MODULE, SENDER, SUCCESS, Stage, roots_own

DEBIAN = ["[success=1 default=ignore] DOOR prompt", "requisite pam_deny.so", "required pam_permit.so"]


def recorded(stage):
    return [record["class"] for record in stage.records()]


def stage_with(*auth, config=None):
    stage = Stage(config) if config is not None else Stage()
    stage.service("door", *[stage.ours() if line == "OURS" else line for line in auth])
    return stage


@test("a wrong answer is a failure, once; an empty answer too")
def wrong():
    for answer in ("wrong", "", " ", "righ", "rightt"):
        stage = stage_with("OURS", *DEBIAN)
        stage.host("door", "start", "answer=" + answer, "auth", "end")
        equal(recorded(stage), ["failure"], repr(answer))


@test("a right answer leaves nothing: no record, no file, no thread, no sender")
def right():
    stage = stage_with("OURS", *DEBIAN, config="")
    told = stage.host("door", "start", "answer=right", "auth", "setcred", "acct", "open", "close", "tasks", "mapped", "end")
    equal(stage.records(), [])
    equal(os.listdir(os.path.join(stage.state, "journal")), [])
    equal(os.listdir(stage.state), ["journal"])
    equal(told[-3], {"tasks": 1 + EMULATED})
    equal(told[-2], {"module": 1, "sender": 0})


@test("prompts that nobody answered are recorded as aborted, however the application says so")
def aborted():
    for answer in ("@err", "@null", "@none"):
        stage = stage_with("OURS", *DEBIAN)
        told = stage.host("door", "start", "answer=" + answer, "auth", "end")
        equal(told[-2]["code"], AUTH_ERR)
        equal(recorded(stage), ["aborted"], answer)


@test("login's question for a name is no answer to the password prompt that is then aborted")
def name_then_aborted():
    stage = stage_with("OURS", "[success=1 default=ignore] DOOR user prompt", *DEBIAN[1:])
    stage.host("door", "start", "answer=@err", "auth", "end", user="-")
    equal([(r["class"], r["user"]) for r in stage.records()], [("aborted", "alice")])
    stage.host("door", "start", "auth", "end", user="-")
    equal(recorded(stage), ["aborted", "failure"])


@test("who has one prompt's answer tried and leaves the next one had a failure, whatever the stack calls it")
def first_of_two():
    stage = stage_with("OURS", "sufficient DOOR prompt", "required DOOR prompt strict")
    told = stage.host("door", "start", "answer=@once", "auth", "answer=@err", "auth", "end")
    equal([line["code"] for line in told if line.get("do") == "auth"], [19, 19])
    equal(recorded(stage), ["failure", "aborted"])


@test("a code that shows as it is typed is an answer like a password: whoever gave one had a failure, whatever is left then")
def codes():
    # The host answers what shows with a name, so with a wrong code; what is hidden it leaves.
    password = "required DOOR prompt"
    for stack, answer, expected in (
        (("optional DOOR shown", password), "@err", "failure"),
        ((password, "optional DOOR shown"), "@err", "failure"),
        (("required DOOR shown",), "@err", "failure"),
        (("optional DOOR shown", password), "wrong", "failure"),
        ((password,), "", "failure"),
        ((password,), "@err", "aborted"),
    ):
        stage = stage_with("OURS", *stack, "requisite pam_deny.so")
        stage.host("door", "start", "answer=" + answer, "auth", "end")
        equal(recorded(stage), [expected], (stack, answer))


@test("a refusal without a question is a failure")
def no_prompt():
    stage = stage_with("OURS", "required DOOR return=10")
    stage.host("door", "start", "auth", "end")
    equal(recorded(stage), ["failure"])


@test("three tries on one handle are three records; a right one after them is a login")
def three():
    stage = stage_with("OURS", *DEBIAN)
    stage.host("door", "start", "auth", "answer=@err", "auth", "answer=right", "auth", "answer=wrong", "auth", "end")
    equal(recorded(stage), ["failure", "aborted", "login", "failure"])
    equal(len({r["pid"] for r in stage.records()}), 1)


@test("every status but success and a password to be changed is recorded, whatever the refusal is called")
def every_status():
    for code in range(1, 31):
        stage = stage_with("OURS", "required DOOR return=%d" % code)
        told = stage.host("door", "start", "auth", "end")
        ended = told[-2]["code"]
        expected = {SUCCESS: [], 12: [], 19: ["aborted"]}.get(ended, ["failure"])
        equal(recorded(stage), expected, "return %d, the stack ended in %d" % (code, ended))
        if code not in (12, 25):
            equal(ended, code)


@test("an attempt that is resumed (PAM_INCOMPLETE) is one record when it is over, and none before")
def incomplete():
    stage = stage_with("OURS", *DEBIAN)
    told = stage.host("door", "start", "answer=@again", "auth", "answer=wrong", "auth", "items", "end")
    equal([line["code"] for line in told if line.get("do") == "auth"], [31, AUTH_ERR])
    equal(recorded(stage), ["failure"])
    equal(told[-2]["items"], [1, 1, 0], "the items are given back")
    stage.host("door", "start", "answer=@again", "auth", "answer=right", "auth", "end")
    equal(recorded(stage), ["failure", "login"])
    # Given up, then others on new handles: what was left behind disturbs nobody.
    stage.host("door", "start", "answer=@again", "auth", "end", "start", "answer=wrong", "auth", "end",
               "start", "auth", "end")
    equal(recorded(stage), ["failure", "login", "failure", "failure"])


@test("two of our lines in one stack record once, wherever they stand")
def two_lines():
    for lines in (["OURS", "OURS", *DEBIAN], ["OURS", DEBIAN[0].replace("=1", "=2"), "OURS", *DEBIAN[1:]]):
        stage = stage_with(*lines)
        told = stage.host("door", "start", "auth", "items", "auth", "answer=right", "auth", "end")
        equal(recorded(stage), ["failure", "failure", "login"], repr(lines))
        equal([line["items"] for line in told if "items" in line], [[1, 1, 0]])


@test("authfail alone in the failure branch records a failure once, and nothing after a right answer")
def authfail():
    stage = Stage()
    stage.service("door", "[success=2 default=ignore] DOOR prompt", stage.ours("[default=ignore]", "authfail"),
                  "requisite pam_deny.so", "required pam_permit.so")
    told = stage.host("door", "start", "auth", "items", "auth", "answer=right", "auth", "end")
    equal(recorded(stage), ["failure"] * 2)
    equal([line["items"] for line in told if "items" in line], [[1, 1, 0]])


@test("a first line and an authfail line together record once, and tell an aborted prompt from a wrong answer")
def both():
    stage = Stage()
    stage.service("door", stage.ours(), "[success=2 default=ignore] DOOR prompt",
                  stage.ours("[default=ignore]", "authfail"), "requisite pam_deny.so", "required pam_permit.so")
    stage.host("door", "start", "auth", "answer=@err", "auth", "answer=right", "auth", "end")
    equal(recorded(stage), ["failure", "aborted", "login"])


@test("pam_chauthtok, pam_acct_mgmt and the sessions record nothing, even after a failed attempt")
def others():
    stage = Stage()
    stage.service("door", stage.ours(), "required DOOR prompt", account=["required DOOR acct=7"],
                  password=[stage.ours(), "required DOOR chauthtok=20"], session=["required DOOR open=14 close=14"])
    others = ["chauthtok", "acct", "open", "close", "setcred"]
    stage.host("door", "start", *others, "end")
    equal(recorded(stage), [])
    stage.host("door", "start", "auth", *others, "end")
    equal(recorded(stage), ["failure"])


@test("items written by an attacker arrive bounded, on one line, without control, bidi or invisible characters")
def hostile():
    item = {"service": 1, "user": 2, "tty": 3, "rhost": 4, "ruser": 8}
    values = {
        "\n{\"time\":\"2030-01-01T00:00:00Z\",\"crc\":\"00000000\"}": "a forged line",
        "a\u202eb\u2066c\u200bd\ufeffe\u00ade": "direction and invisible characters",
        "\x1b[2Jroot\x07\x00": "terminal codes",
        "x" * 60000: "60,000 characters",
        "\U0001f600" * 9000: "wide ones",
        "\"\\/'`$(reboot);%s%n": "quotes and formats",
        " root ": "blanks at the ends",
        "": "nothing",
    }
    raw = [(text.encode().replace(b"\0", b""), about) for text, about in values.items()]
    raw += [(bytes(range(1, 256)) * 3, "every byte"), (b"\xff\xfe\xc0\xaf\xed\xa0\x80", "invalid UTF-8")]
    for value, about in raw:
        stage = stage_with("OURS", *DEBIAN)
        items = ["item=%d:%s" % (item[key], value.hex()) for key in ("user", "tty", "rhost", "ruser")]
        stage.host("door", "start", *items, "auth", "end")
        records = stage.records()
        equal(len(records), 1, about)
        for key in ("user", "tty", "rhost", "ruser"):
            got = records[0].get(key, "")
            if len(got) > 64 or not got.isprintable() or any(c in got for c in "\u202e\u2066\u200b\ufeff\u00ad"):
                raise AssertionError("%s: %s is %r" % (about, key, got))
            if about == "quotes and formats" and "reboot" not in got:
                raise AssertionError("%s is %r: more was changed than needed" % (key, got))
        status = stage.status()
        equal((status["recorded"], status["unreadable"]), (1, 0), about)


@test("a record says who, whence, where, by whom and when, and the answer is nowhere")
def fields():
    stage = stage_with("OURS", *DEBIAN, config="")
    words = {3: "/dev/pts/7", 4: "192.0.2.7", 8: "bob"}
    told = stage.host("door", "start", *["item=%d:%s" % (n, w.encode().hex()) for n, w in words.items()],
                      "answer=tiger-in-the-tank", "auth", "sleep=300", "end", user="root")
    equal(told[-2]["code"], AUTH_ERR)
    record = stage.records()[0]
    expected = {"route": "pam", "class": "failure", "service": "door", "user": "root", "rhost": "192.0.2.7",
                "tty": "/dev/pts/7", "ruser": "bob", "ppid": os.getpid()}
    equal({key: record.get(key) for key in expected}, expected)
    equal(record.get("uid", 0), os.getuid())
    for directory, _, names in os.walk(stage.path):
        for name in names:
            with open(os.path.join(directory, name), "rb") as file:
                if b"tiger" in file.read():
                    raise AssertionError("the answer stands in " + name)


@test("an alert tells an address as it is grouped: no zone, mapped IPv4 as IPv4, names as they are")
def addresses():
    for text, expected in (("::ffff:192.0.2.7", "192.0.2.7"), ("fe80::1%eth0", "fe80::1"),
                           ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"), ("192.0.2.7", "192.0.2.7")):
        stage = stage_with("OURS", *DEBIAN)
        stage.host("door", "start", "item=4:" + text.encode().hex(), "auth", "end", user="root")
        equal(len(stage.records()), 1)
        stage.configure("receiver = \"timeline\"\n")
        code, out, err = stage.command("deliver")
        equal((code, err), (0, ""))
        assert " from %s " % expected in out, (text, out)


@test("beside a name that the client's own name server gave stands the address that sshd knows")
def named():
    for rhost, connection, expected in (("mail.example.org", "198.51.100.9 50310 192.0.2.1 22", "198.51.100.9"),
                                        ("192.0.2.7", "198.51.100.9 50310 192.0.2.1 22", None),
                                        ("mail.example.org", "x" * 200, "x" * 64), ("mail.example.org", None, None)):
        stage = stage_with("OURS", *DEBIAN)
        known = () if connection is None else ("env=SSH_CONNECTION=" + connection,)
        stage.host("door", "start", "item=4:" + rhost.encode().hex(), *known, "auth", "end", user="root")
        record, = stage.records()
        equal((record.get("rhost"), record.get("address")), (rhost, expected))


@test("the worker sends the alert while the application lives, where the process is root's own")
def worker():
    roots_own()
    stage = stage_with("OURS", *DEBIAN, config="")
    stage.host("door", "start", "auth", "end", "await=%s/timeline.jsonl" % stage.state, "sleep=100")
    status = stage.status()
    equal((status["recorded"], status["posted"], status["posts"]), (1, 1, 1), repr(status))
    code, out, err = stage.command("timeline", "--json")
    equal((code, err), (0, ""))
    equal(json.loads(out)["failures"], 1)


@test("without the sender library a failure is recorded all the same, and 'authalert deliver' sends it")
def no_sender():
    stage = Stage("")
    alone = os.path.join(stage.path, "pam_authalert.so")
    with open(MODULE, "rb") as source, open(alone, "wb") as target:
        target.write(source.read())
    stage.service("door", stage.ours(module=alone), *DEBIAN)
    told = stage.host("door", "start", "auth", "end", "sleep=300")
    equal(told[-2]["code"], AUTH_ERR)
    equal(recorded(stage), ["failure"])
    if not any(os.path.exists(os.path.join(place, os.path.basename(SENDER)))
               for place in ("/usr/lib/authalert", "/usr/local/lib/authalert")):
        equal(stage.status()["pending"], 1)
    equal(stage.command("deliver")[0], 0)
    equal(stage.status()["posted"], 1)


@test("a sender library that others may write to is not loaded")
def foreign_sender():
    stage = Stage("")
    for path in (MODULE, SENDER):
        with open(path, "rb") as source:
            with open(os.path.join(stage.path, os.path.basename(path)), "wb") as target:
                target.write(source.read())
    os.chmod(os.path.join(stage.path, os.path.basename(SENDER)), 0o666)
    stage.service("door", stage.ours(module=os.path.join(stage.path, os.path.basename(MODULE))), *DEBIAN)
    roots_own()
    told = stage.host("door", "start", "auth", "sleep=300", "mapped", "end")
    with_own = [line for line in told if "module" in line][0]
    if not any(os.path.isdir(place) for place in ("/usr/lib/authalert", "/usr/local/lib/authalert")):
        equal(with_own["sender"], 0)
    equal(recorded(stage), ["failure"])


@test("where the state directory is missing, read-only or no directory, the attempt ends as ever")
def nowhere():
    for spoil in ("missing", "read-only", "a file", "a dangling link"):
        stage = stage_with("OURS", *DEBIAN, config="")
        journal = os.path.join(stage.state, "journal")
        if spoil == "read-only":
            os.chmod(journal, 0o500)
        else:
            os.rmdir(journal)
            if spoil == "a file":
                open(journal, "w").close()
            if spoil == "a dangling link":
                os.symlink("/nonexistent/elsewhere", journal)
        stage.service("plain", *DEBIAN)
        commands = ["start", "auth", "answer=right", "auth", "end"]
        equal(stage.outcome("door", *commands), stage.outcome("plain", *commands), spoil)
        os.path.isdir(journal) and os.chmod(journal, 0o700)
