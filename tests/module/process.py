"""The module in processes that fork, have threads, and live on after pam_end; and the file itself."""

import os
import re
import shutil
import subprocess
import tempfile
import time

from report import LeftOut, equal, test
from stage import AUTH_ERR, BUILD, EMULATED, MODULE, SENDER, Silence, Stage, roots_own

DEBIAN = ["[success=1 default=ignore] DOOR prompt", "requisite pam_deny.so", "required pam_permit.so"]


def stage_with(config):
    stage = Stage(config)
    stage.credentials()
    stage.service("ours", stage.ours(), *DEBIAN)
    stage.service("plain", *DEBIAN)
    return stage


def tool(name):
    if shutil.which(name) is None:
        raise LeftOut("%s is not installed" % name)


def worker_waits(told):
    """The worker is there when it is first looked at, waiting for the receiver; the timeline may have a thread yet."""
    tasks = [line["tasks"] for line in told if "tasks" in line]
    assert tasks[0] in (2, 3), told


@test("a child that is forked while the worker is busy records too, and leaves at once by _exit")
def forked():
    roots_own()
    silence = Silence()
    stage = stage_with(silence.config())
    told = stage.host("ours", "start", "auth", "sleep=300", "tasks", "fork-auth", "auth", "fork-auth", "end")
    worker_waits(told)
    for line in told:
        if line.get("do") == "fork-auth":
            equal(line["code"], AUTH_ERR)
            assert line["ms"] < 1000, line
    children = [line["child"] for line in told if "child" in line]
    pids = [record["pid"] for record in stage.records()]
    equal((pids[1], pids[3], pids[0]), (children[0], children[1], pids[2]))
    silence.close()


@test("a child that is forked while the worker is busy starts one of its own: that of its parent is not there")
def own_worker():
    roots_own()
    silence = Silence()
    stage = stage_with(silence.config())
    told = stage.host("ours", "start", "auth", "sleep=300", "tasks", "fork-tasks", "end")
    worker_waits(told)
    equal([line["child-tasks"] > 1 for line in told if "child-tasks" in line], [True], told)
    equal(len(stage.records()), 6)
    silence.close()


@test("a receiver that never answers holds nobody up: not the attempt, not pam_end, not the end of the process")
def hanging():
    silence = Silence()
    stage = stage_with(silence.config("20s"))
    begun = time.monotonic()
    told = stage.host("ours", "start", "auth", "auth", "answer=right", "auth", "end")
    assert time.monotonic() - begun < 3, told
    for line in told:
        assert line.get("ms", 0) < 500, line
    equal([record["class"] for record in stage.records()], ["failure", "failure", "login"])
    silence.close()


@test("in a process whose system calls are filtered no worker begins: it would end the host")
def filtered():
    roots_own()
    if EMULATED:
        raise LeftOut("the emulator takes no filters")
    silence = Silence()
    stage = stage_with(silence.config())
    for filtered, sender in ([], 1), (["filter=connect"], 0):
        told = stage.host("ours", *filtered, "start", "auth", "sleep=500", "mapped", "auth", "end")
        equal([line["sender"] for line in told if "sender" in line], [sender], filtered)
    equal(len(stage.records()), 4)
    equal(len(silence.connections), 1, "unfiltered, it does connect")
    silence.close()


@test("the module stays where it is when libpam unloads it: the worker runs on in a process that sleeps after pam_end")
def unloaded():
    roots_own()
    silence = Silence()
    stage = stage_with(silence.config("2s"))
    told = stage.host("ours", "start", "auth", "sleep=200", "end", "mapped", "tasks", "sleep=2500", "tasks",
                      "start", "auth", "end", "sleep=100")
    equal([line["module"] for line in told if "module" in line], [1])
    worker_waits(told)
    equal(len(stage.records()), 2)
    silence.close()


@test("loaded, ended and loaded again a hundred times it records each failure and keeps no threads or descriptors")
def again():
    stage = stage_with("receiver = \"timeline\"\n[alerts]\ngroup_interval = \"1s\"\n")
    told = stage.host("ours", *["start", "auth", "end"] * 100, "sleep=1500", "tasks")
    equal(len(stage.records()), 100)
    assert told[-1]["tasks"] <= 2, told[-1]
    equal(stage.status()["recorded"], 100)


@test("thirty-two threads with handles of their own record every one of their failures, none torn", seconds=90)
def threads():
    stage = stage_with("receiver = \"timeline\"\n")
    told = stage.host("ours", "threads=32,10", "sleep=500", timeout=80)
    equal(told[0], {"failures": 320})
    status = stage.status()
    equal((status["recorded"], status["unreadable"], status["dropped"]), (320, 0, 0))
    equal(status["posted"] + status["pending"], 320)


@test("a handle that goes from thread to thread between attempts is recorded on each")
def wandering():
    stage = stage_with("[deliver]\nin_process = false\n")
    told = stage.host("ours", "start", "thread-auth", "auth", "items", "thread-auth", "thread-auth", "items", "end")
    equal([line["items"] for line in told if "items" in line], [[1, 1, 0]] * 2)
    equal(len(stage.records()), 4)


@test("a good login makes no system call that concerns us, beyond loading the module and a look at the marks")
def traced():
    tool("strace")
    stage = stage_with("")
    seen = {}
    with tempfile.NamedTemporaryFile("r") as trace:
        for answer in ("right", "wrong"):
            try:
                stage.host("ours", "start", "answer=" + answer, "auth", "setcred", "acct", "open", "close", "end",
                           before=["strace", "-f", "-o", trace.name])
            except AssertionError as why:
                if "ptrace" in str(why) or "not permitted" in str(why):
                    raise LeftOut("strace may not trace here") from why
                raise
            trace.seek(0)
            seen[answer] = trace.read()
    concerns = re.compile(r"journal|clone|connect\(|socket\(|sender|config\.toml|/dev/log|rt_sigprocmask")
    # What the stack does without us is not counted.
    with tempfile.NamedTemporaryFile("r") as trace:
        stage.host("plain", "start", "answer=right", "auth", "setcred", "acct", "open", "close", "end",
                   before=["strace", "-f", "-o", trace.name])
        plain = len(concerns.findall(trace.read()))
    beyond = list(filter(concerns.search, seen["right"].splitlines()))
    equal(len(beyond), plain + 2, "\n".join(beyond))
    looks = [line for line in beyond if "journal" in line]
    equal(["journal/marks" in line and "O_RDONLY" in line for line in looks], [True, False], "\n".join(looks))
    assert "stat" in looks[1], "is there a journal"
    assert "current.jsonl" in seen["wrong"] and (os.getuid() or "clone" in seen["wrong"]), "the trace would not show it"


@test("only the worker opens a socket or reads the configuration; the login's own thread writes one line, once")
def division():
    roots_own()
    tool("strace")
    stage = stage_with("receiver = \"timeline\"\n")
    with tempfile.NamedTemporaryFile("r") as trace:
        try:
            stage.host("ours", "start", "auth", "sleep=300", "end", before=["strace", "-f", "-o", trace.name])
        except AssertionError as why:
            raise LeftOut("strace may not trace here: %s" % str(why)[:80]) from why
        lines = trace.read().splitlines()
    main = lines[0].split()[0]
    own = [line for line in lines if line.split()[0] == main]
    for line in own:
        assert "config.toml" not in line or "pam.d" in line, line
        assert "libauthalert_sender" not in line and "/lock" not in line, line
    records = [line for line in own if "write(" in line and "crc" in line and "segment" not in line]
    records = records or [line for line in own if 'write(' in line and '{\\"time\\"' in line]
    equal(len(records), 1, "\n".join(own[-60:]))


def readelf(*words):
    tool("readelf")
    return subprocess.run(["readelf", "-W", *words], stdout=subprocess.PIPE, text=True, check=True, timeout=20).stdout


@test("the file: never unloaded, bound at load, no writable function pointers, no executable stack")
def linked():
    for path in (MODULE, SENDER):
        dynamic, segments = readelf("-d", path), readelf("-l", path)
        assert "NODELETE" in dynamic, path
        assert "TEXTREL" not in dynamic and "RPATH" not in dynamic and "RUNPATH" not in dynamic, dynamic
        assert "GNU_RELRO" in segments, path
        stack = [line for line in segments.splitlines() if "GNU_STACK" in line]
        assert stack and "RWE" not in stack[0], stack
    assert re.search(r"BIND_NOW|FLAGS.*NOW", readelf("-d", MODULE)), "bound late"


@test("the module exports the six functions and nothing else, needs libpam and libc alone, and has no TLS library in it")
def small():
    if os.path.basename(BUILD) != "release":
        raise LeftOut("only a release build is made small")
    symbols = readelf("--dyn-syms", MODULE)
    exported = [line.split()[7].split("@")[0] for line in symbols.splitlines()
                if re.search(r"\b(GLOBAL|WEAK)\b", line) and " UND " not in line]
    equal(sorted(exported), ["pam_sm_acct_mgmt", "pam_sm_authenticate", "pam_sm_chauthtok", "pam_sm_close_session",
                             "pam_sm_open_session", "pam_sm_setcred"])
    needed = re.findall(r"NEEDED.*\[(.*?)\]", readelf("-d", MODULE))
    allowed = re.compile(r"^(libpam\.so|libc\.so|ld-linux|libm\.so|libdl\.so|libpthread\.so)")
    equal([name for name in needed if not allowed.match(name)], [])
    with open(MODULE, "rb") as file:
        content = file.read()
    for word in (b"rustls", b"ring-", b"webpki", b"HTTP/1.1", b"oauth_"):
        assert word not in content, "%r is in the module" % word
    assert len(content) < 1_000_000, "%d bytes" % len(content)


@test("the environment is never asked: nothing in it changes where and what is recorded and sent")
def environment():
    roots_own()
    stage = stage_with("receiver = \"timeline\"\n")
    hostile = {"HOME": "/nonexistent", "RUST_MIN_STACK": "999999999999", "RUST_BACKTRACE": "full", "RUST_LOG": "trace",
               "TMPDIR": "/nonexistent", "TZ": ":/dev/zero", "http_proxy": "http://192.0.2.1:1", "LANG": "xx_XX",
               "ALL_PROXY": "socks5://192.0.2.1:1", "SSL_CERT_FILE": "/dev/null", "SSL_CERT_DIR": "/nonexistent",
               "AUTHALERT_CONFIG": "/nonexistent", "XDG_CONFIG_HOME": "/nonexistent", "PATH": ""}
    told = stage.host("ours", "start", "auth", "await=%s/timeline.jsonl" % stage.state, "sleep=100", "end",
                      environment=hostile)
    equal(told[-2]["code"], AUTH_ERR)
    equal(stage.status()["posted"], 1)
    equal(len(os.listdir(stage.path)), 4)
