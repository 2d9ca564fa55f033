"""Answers of X one by one, also those that no X gave yet, and certificates that are not X's."""

import os
import shutil
import subprocess
import tempfile

import crowd
from world import TOP, Syslog, World, X, balanced, check, told_once

POST = '{"data":{"id":"1445880548472328192","text":"t"}%s}'
CREATED = "HTTP/1.1 201 Created\r\n"
CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"

# Answers that no X gave yet. With "post" X has it, whatever it says then; where it has not, it does not say so.
STRANGE = [
    # 201 is a post, whatever stands below it.
    *({"post": True, "status": 201, "body": body} for body in (
        '{"errors":[{"title":"Whatever","detail":"...","type":"about:blank"}]}', POST % ',"errors":[{"message":"..."}]', "no JSON",
        "", "null", "[]", '{"data":{}}', '{"data":{"id":17}}', '{"data":{"id":"%s"}}' % ("9" * 5000), '{"data":' * 3000,
        '{"data":{"id":"\\u202e\\u0000"}}', "\x00\xff" * 100)),
    {"post": True, "status": 201, "headers": {"content-encoding": "gzip"}, "body": "no gzip at all"},
    {"post": True, "status": 201, "headers": {"content-encoding": "br"}, "body": "whatever"},
    {"post": True, "status": 201, "headers": {"content-length": "7"}, "body": "longer than that"},
    {"post": True, "status": 201, "headers": {"content-length": "-1"}},
    {"post": True, "status": 201, "endless": True},
    {"post": True, "raw": CREATED + "transfer-encoding: chunked\r\n\r\nzz\r\nno chunk"},
    {"post": True, "raw": CREATED + "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nx"},
    {"post": True, "raw": CREATED + "content-length: 0\r\ncontent-length: 5\r\n\r\nhello"},
    {"post": True, "raw": CREATED, "repeat": "x-more: and more\r\n"},
    {"post": True, "raw": CREATED + "x-more: ", "repeat": "and more "},
    {"post": True, "raw": "HTTP/1.1 201 ", "repeat": "Created "},
    {"post": True, "status": 201, "body": POST % "", "after": "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"},
    {"post": True, "status": 201, "body": POST % "", "repeat": "and bytes after the end "},
    # Another success is a post with an id only: a captive portal answers 200 to everything.
    *(dict(answer, status=status) for status in (200, 202, 204, 226, 299) for answer in (
        {"post": True, "body": POST % ""}, {"post": True, "body": "{}"}, {"body": "{}"}, {"body": ""})),
    # What comes before an answer, or instead of it.
    {"post": True, "status": 201, "body": POST % "", "before": CONTINUE},
    {"post": True, "status": 201, "body": POST % "", "before": "HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n" * 3},
    *(dict(answer, raw=raw) for answer in ({"post": True}, {}) for raw in (
        CONTINUE, "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", "HTTP/1.1 199 Whatever\r\n\r\n", "", "\r\n\r\n",
        "HTTP/0.9 201 Created\r\n\r\n", "HTTP/2 201\r\n\r\n", "HTTP/1.1 99 No\r\n\r\n", "HTTP/1.1 1000 No\r\n\r\n", "{}")),
    {"raw": CONTINUE, "repeat": CONTINUE},
    {"post": True, "raw": "", "repeat": "x"},
    # Elsewhere: never followed, to where it was as little as to another host.
    *(dict(answer, status=status, redirect=place) for status in (301, 302, 303, 307, 308) for answer in ({"post": True}, {})
      for place in ("/2/tweets", "http://127.0.0.1:9/", "")),
    {"status": 304}, {"post": True, "status": 300}, {"status": 305},
]


def each_answer():
    wrong = []
    answers = [answer for _, answer in crowd.MIX] + [{"name": "duplicate"}, {"name": "duplicate-old"}]
    answers += [{"name": name} for name in crowd.standin.answers.NAMED if {"name": name} not in answers]
    answers += STRANGE
    world = World()
    for number, answer in enumerate(answers):
        # One of this machine itself: its alert does not wait.
        world.append(1, number * 20 + 11)
        # Twice: what is only distrusted the first time is refused the second.
        world.x.answer(dict(answer), dict(answer))
        status = world.deliver_all()
        if world.x.told() != world.journal()["posted"] or status["pending"] or "panicked" in world.last.stderr:
            wrong.append((answer, world.x.told(), status))
            break
    check(not wrong, "each answer of X, alone: told once (%d answers)" % len(answers), str(wrong))
    world.close()


def certificates():
    """X behind a certificate that is not X's: told once in the log, nothing is sent there, nothing is lost."""
    base = tempfile.mkdtemp(prefix="authalert-harness-")
    made = os.path.join(base, "certificates")
    subprocess.run(["sh", os.path.join(TOP, "tests/standin/certificates.sh"), made], check=True)
    x = X(os.path.join(base, "x"), tls=os.path.join(made, "server.pem"))
    world = World(x, os.path.join(base, "machine"), more='ca_file = "%s"' % os.path.join(made, "ca.pem"))
    log = Syslog(base)

    def deliver():
        return subprocess.run(log.around(world.command("deliver", "--now")), capture_output=True, text=True, timeout=60)

    for number, (name, words) in enumerate((("expired", "expired"), ("other", "not valid for name"), ("self", "UnknownIssuer"),
                                            ("stranger", "UnknownIssuer"))):
        world.append(5, number * 20)
        x.certificate(os.path.join(made, name + ".pem"))
        asked = x.world.requests
        runs = [deliver() for _ in range(3)]
        said, status = log.lines(), world.status()
        check(all(run.returncode == 1 and words in run.stderr for run in runs) and x.world.requests == asked
              and balanced(status) and status["pending"] > 0 and words in status["last_error"],
              "a certificate of X that is not (%s): nothing is sent" % name, "%s %s" % (runs, status))
        check(len(said) == 1 and "alerts are not delivered" in said[0] and words in said[0],
              "and that is told in the log, once (%s)" % name, str(said))
        x.certificate(os.path.join(made, "server.pem"))
        deliver()
        said = log.lines()
        told_once(world, "put right (%s): told once" % name)
        check(len(said) == 1 and "are delivered to x again" in said[0], "and the log says so (%s)" % name, str(said))
    shutil.rmtree(base)
