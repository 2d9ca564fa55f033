#!/usr/bin/env python3
"""The ring of the system, as root: a real sshd on loopback, su, sudo and login on terminals, a stand-in for X over TLS.

    run.py [--all] [PART OF A SENTENCE]        AUTHALERT_BUILD: where the artifacts are (default: target/release)

--all: the slow ones too.

Everything runs in a mount namespace with private accounts, stacks, syslog and /run; the machine is left as it was.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
sys.dont_write_bytecode = True

import machine  # noqa: E402

machine.enter()
import report  # noqa: E402

for part in ("logins", "sessions", "degraded", "breakins", "bounded"):
    __import__(part)
words = [word for word in sys.argv[1:] if word != "--all"]
sys.exit(report.run(words[0] if words else "", slow="--all" in sys.argv))
