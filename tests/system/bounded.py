"""How often the receiver is asked, and what it never hears, whatever is typed: at the defaults, over real programs."""

import concurrent.futures
import ftplib
import glob
import json
import os
import re
import socket
import subprocess
import time

import machine
from breakins import path_unit, place
from logins import ACCOUNT, SSHD
from report import LeftOut, equal, test, within
from terminal import ssh, su

# What README and `authalert check` state for the defaults: six in a row, then one in three minutes.
FIRST_MINUTE = 6


def at_the_defaults(name, more=""):
    """A place whose pacing is what a new user has."""
    here = place(name)
    with open(here.config) as file:
        text = re.sub(r"(?m)^(max_per_day|burst|group_interval|max_interval).*\n", "", file.read())
    with open(here.config, "w") as file:
        file.write(text + more)
    return here


def asked(since):
    with open(os.path.join(ACCOUNT.path, "requests.jsonl")) as file:
        return [request for request in map(json.loads, file)
                if request["time"] >= since and request["path"].startswith("/2/tweets")]


@test("200 wrong passwords over ssh in 30 s, without a delay, X answers after 0.3 s: asked six times in the first minute at "
      "most, and no text twice", seconds=180, slow=True)
def storm():
    here = at_the_defaults("storm")
    ACCOUNT.behave(default={"post": True, "late": 0.3})
    try:
        since, before = time.time(), len(ACCOUNT.posts())

        def client(number):
            # Five at a connection, which is what sshd allows; 40 connections spread over the 30 s.
            time.sleep(max(0, since + number * 0.7 - time.time()))
            answers = ["wrong"] * 5
            return ssh(SSHD, ("alice", "bob", "root", "nobody-here")[number % 4], "password", *answers,
                       source="127.33.0.%d" % (number % 8 + 1))[1]
        with path_unit(here), concurrent.futures.ThreadPoolExecutor(8) as pool:
            equal(set(pool.map(client, range(40))), {255})
            took = time.time() - since
            time.sleep(max(0, since + 61 - time.time()))
            # An sshd that was at its end before the answer came leaves an attempt of which nobody knows the outcome: a
            # minute; then it is for the unit of each minute, which here comes more often.
            within(45, lambda: here.command("deliver")[0] in (0, 1) and len(ACCOUNT.posts()) > before, "it is told")
        requests = [request for request in asked(since) if request["time"] < since + 60]
        texts = [post["text"] for post in ACCOUNT.posts()[before:]]
        print("    200 in %.0f s: %d requests in the first minute, %d posts" % (took, len(requests), len(texts)))
        for text in texts:
            print("      " + text.replace("\n", " "))
        equal(len(here.records()), 200)
        assert 1 <= len(requests) <= FIRST_MINUTE, requests
        equal(len(texts), len(set(texts)), "a text twice: %r" % texts)
        status = here.status()
        equal(status["recorded"], status["posted"] + status["pending"])
    finally:
        ACCOUNT.behave()


@test("16 su in 5 s by one user, then a known account fails from the network: it is told within a minute", seconds=180)
def spent():
    here = at_the_defaults("spent")
    with path_unit(here):
        begun = time.time()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            equal({code for _, code, _ in pool.map(lambda _: su("wrong"), range(16))}, {1})
        took = time.time() - begun
        # As stacks are: the worker has the time that a wrong password costs.
        machine.stack_lines(here.line())
        before, typed = len(ACCOUNT.posts()), time.time()
        equal(ssh(SSHD, "alice", "password", "wrong", source="127.44.0.9")[1], 255)

        def is_told():
            return [post for post in ACCOUNT.posts()[before:] if "alice" in post["text"] and "127.44.0.9" in post["text"]]
        post = within(60, is_told, "the failure from the network is told, in %r" % here.command("status")[1][:600])[0]
        print("    16 su in %.1f s; told %.2f s after it was typed: %s" % (
            took, post["time"] - typed, post["text"].replace("\n", " ")))


@test("vsftpd, with {ruser} in the text: a password typed as a name is in no post, timeline, line of syslog or status",
      seconds=90)
def typed_as_a_name():
    if not os.path.exists("/usr/sbin/vsftpd"):
        raise LeftOut("vsftpd is not installed")
    secret = "hunter2-Typed"
    here = at_the_defaults("vsftpd", 'text = "{service} {user} {ruser} {rhost}"\n')
    machine.LOG.clear()
    with open("/etc/pam.d/vsftpd", "w") as file:
        file.write("auth %s\n@include common-auth\n@include common-account\n" % here.line())
    config, empty = os.path.join(here.path, "vsftpd.conf"), os.path.join(here.path, "empty")
    os.mkdir(empty)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with open(config, "w") as file:
        file.write("listen=YES\nlisten_address=127.0.0.1\nlisten_port=%d\nlocal_enable=YES\nanonymous_enable=NO\nbackground=NO\n"
                   "pam_service_name=vsftpd\nsecure_chroot_dir=%s\nseccomp_sandbox=NO\nsession_support=NO\n" % (port, empty))
    server = subprocess.Popen(["/usr/sbin/vsftpd", config], stdin=subprocess.DEVNULL)
    try:
        def listens():
            try:
                return socket.create_connection(("127.0.0.1", port), 1)
            except OSError:
                return None
        within(10, listens, "vsftpd listens").close()
        for name, password in ((secret, "x"), ("alice", "wrong")):
            with ftplib.FTP() as client:
                client.connect("127.0.0.1", port, 20)
                try:
                    client.login(name, password)
                except ftplib.error_perm as refused:
                    assert "530" in str(refused), refused
                else:
                    raise AssertionError("vsftpd let %s in" % name)
    finally:
        server.terminate()
        server.wait(10)
    status = here.delivered()
    equal((status["recorded"], status["posted"]), (2, 2))
    # The record itself is root's, and the administrator's to see.
    equal([record.get("user") for record in here.records()], [secret, "alice"])
    left = [post["text"] for post in ACCOUNT.posts()] + [line for line in machine.LOG if "authalert" in line]
    left += [here.command(*words)[1] for words in (("status",), ("timeline",))]
    for path in glob.glob(os.path.join(here.state, "*")):
        if os.path.isfile(path) and "timeline" in path:
            with open(path) as file:
                left.append(file.read())
    assert any("alice" in text for text in left), left
    equal([text for text in left if secret in text or secret.lower() in text.lower()], [])
