"""A person at a terminal: starts a program, waits for words, types, and sees how it ends."""

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

import machine

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "dumb", "LANG": "C",
               "HOME": "/nonexistent"}


class Terminal:
    """One program on a terminal of its own, run as `user`."""

    def __init__(self, words, user=None):
        master, slave = pty.openpty()
        self.master, self.text, self.seen = master, "", 0
        identity = {}
        if user:
            uid = machine.USERS[user][0]
            os.fchown(slave, uid, -1)
            identity = {"user": uid, "group": uid, "extra_groups": []}
        self.begun = time.monotonic()
        self.process = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, close_fds=True, cwd="/",
                                        env={**ENVIRONMENT, **({"USER": user, "LOGNAME": user} if user else {})},
                                        start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), **identity)
        os.close(slave)

    def read(self, seconds):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.master, 4096)
        except OSError:
            if self.process.poll() is not None:
                return False
            # login(1) hangs up the terminal and opens it again.
            time.sleep(0.01)
            return True
        self.text += data.decode("utf-8", "replace")
        return bool(data)

    def expect(self, pattern, seconds=15):
        """Wait for what matches `pattern` behind what was seen."""
        deadline = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.text[self.seen:])
            if found:
                self.seen += found.end()
                return self
            if time.monotonic() > deadline:
                raise AssertionError("no %r within %g s in %r" % (pattern, seconds, self.text))
            if not self.read(0.2) and not re.search(pattern, self.text[self.seen:]):
                raise AssertionError("it ended without %r: %r" % (pattern, self.text))

    def type(self, text, enter=True):
        # The program turns the echo off after it asked; what is typed before that is thrown away.
        deadline = time.monotonic() + 5
        while termios.tcgetattr(self.master)[3] & termios.ECHO and time.monotonic() < deadline and enter is not None:
            if not re.search(r"(?i)password|verification", self.text.splitlines()[-1] if self.text else ""):
                break
            time.sleep(0.005)
        time.sleep(0.03)
        os.write(self.master, (text + ("\n" if enter else "")).encode())
        return self

    def end(self, seconds=20):
        """Wait for the end; gives exit status and seconds since the start."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read(0.01)
        took = time.monotonic() - self.begun
        if self.process.poll() is None:
            self.hang_up()
            raise AssertionError("it did not end within %g s: %r" % (seconds, self.text))
        while select.select([self.master], [], [], 0)[0] and self.read(0):
            pass
        os.close(self.master)
        return self.process.returncode, took

    def hang_up(self):
        """The line goes dead."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        os.close(self.master)

    def shown(self):
        """What the person saw, without what differs from run to run."""
        return re.sub(r"\r", "", self.text)


def su(*answers, user="bob", to="alice"):
    """`su` with answers to its one prompt; an answer may be a key such as Ctrl-C."""
    return once(["/bin/su", to, "-c", "echo logged-in"], answers, user)


def sudo(*answers, user="bob", pause=0):
    return once(["/usr/bin/sudo", "-k", "echo", "logged-in"], answers, user, pause)


def ssh(sshd, user, method, *answers, source="127.0.0.1"):
    return once(sshd.client(user, method, max(1, len(answers)), source), answers, None)


def once(words, answers, user, pause=0):
    """Run, give one answer a prompt, with a pause between them; gives the terminal, the exit status and the seconds it took."""
    terminal = Terminal(words, user)
    for number, answer in enumerate(answers):
        terminal.expect(r"(?i)password[^\n]*: ?$")
        time.sleep(pause if number else 0)
        keys = answer in ("\x03", "\x04")
        terminal.type(answer, enter=not keys)
    status, took = terminal.end()
    return terminal, status, took
