"""The profile of pam-auth-update: from the top of common-auth every prompt and the outcome of the whole stack are seen."""

import os
import re
import shutil
import subprocess

import machine
from account import Place
from logins import ACCOUNT, ALICE, BOB, SSHD
from report import LeftOut, equal, test
from terminal import ssh, su, sudo

TESTS = os.path.join(machine.TOP, "tests")
PROFILES = "/usr/share/pam-configs"


def enabled(here):
    """common-auth as pam-auth-update writes it with our profile turned on; the rest of the machine's own."""
    if shutil.which("pam-auth-update") is None:
        raise LeftOut("pam-auth-update is Debian's")
    machine.stack_lines()
    for directory in (PROFILES, "/var/lib/pam", "/var/cache/debconf"):
        copy = os.path.join(here.path, directory.replace("/", "-"))
        shutil.copytree(directory, copy, symlinks=True)
        machine.mount("--bind", copy, directory)
    with open(os.path.join(machine.TOP, "pam.d", "authalert")) as file:
        text = file.read()
    with open(os.path.join(PROFILES, "authalert"), "w") as file:
        file.write(text.replace("pam_authalert.so", here.line().removeprefix("optional ")))
    subprocess.run(["pam-auth-update", "--enable", "authalert"], check=True, timeout=60, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    with open(os.path.join(machine.STACKS, "common-auth")) as file:
        return [line for line in file.read().splitlines() if line.startswith("auth")]


def disabled():
    for directory in (PROFILES, "/var/lib/pam", "/var/cache/debconf"):
        subprocess.run(["umount", directory], check=True)
    machine.stack_lines()


@test("the profile puts the line above all others of common-auth; a prompt that was left is aborted, and a wrong code "
      "after a right password is a failure", seconds=120)
def profile():
    here = Place(ACCOUNT, "profile")
    door = os.path.join(here.path, "door.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", door, os.path.join(TESTS, "module", "door.c"), "-lpam"],
                   check=True, timeout=60)
    try:
        lines = enabled(here)
        assert re.search(r"pam_authalert\.so .*state=", lines[0]), lines
        assert "authfail" not in "".join(lines) and "pam_unix" in lines[1], lines
        for answers, expected in ((("wrong",), 1), (("\x04",), 1), ((ALICE,), 0)):
            equal(su(*answers)[1], expected, repr(answers))
        equal(sudo(BOB)[1], 0)
        equal(ssh(SSHD, "bob", "password", "wrong", BOB)[1], 0)
        seen = [(r["service"], r["class"], r["user"]) for r in here.records()]
        equal(seen, [("su", "failure", "alice"), ("su", "aborted", "alice"), ("su", "login", "alice"),
                     ("sudo", "login", "bob"), ("sshd", "failure", "bob"), ("sshd", "login", "bob")])
        # A one-time code that is asked for below the include.
        with open(os.path.join(machine.STACKS, "su"), "w") as file:
            file.write(re.sub(r"(?m)^(@include common-auth)$", r"\1\nauth required %s prompt" % door, machine.PLAIN["su"]))
        equal(su(ALICE, "not the code")[1], 1)
        equal(su(ALICE, "right")[1], 0)
        equal([(r["class"], r["user"]) for r in here.records()[len(seen):]], [("failure", "alice"), ("login", "alice")])
    finally:
        disabled()
