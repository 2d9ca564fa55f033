#!/usr/bin/env python3
"""The log of a busy server: 3 % of the lines tell of failed attempts, in pairs of PAM and sshd, 5 % of a login by sshd and 10 %
of a command by sudo; the rest is of cron, connections that end, and sessions.

    tests/bench/busy.py FILE MEGABYTES [SUDO]      SUDO: instead of 10 %, the rest of it lines of sessions
"""
import random
import sys
import time

random.seed(1)
path, size = sys.argv[1], int(sys.argv[2]) * 1000 * 1000
sudo = 0.90 - int(sys.argv[3] if sys.argv[3:] else 10) / 100
now = time.time()
written, pid, lines = 0, 1000, []
step = 20 * 86400 / (size / 100)
at = now - 20 * 86400
with open(path, "w") as log:
    while written < size:
        at = min(at + step, now)
        stamp = time.strftime("%b %e %H:%M:%S", time.localtime(at)) + " srv "
        pid = pid + 1 if pid < 4_000_000 else 1000
        ip, port, kind = f"203.0.113.{random.randrange(256)}", random.randrange(1024, 65536), random.random()
        if kind < 0.0153:
            text = (f"{stamp}sshd[{pid}]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={ip}  user=root\n"
                    f"{stamp}sshd[{pid}]: Failed password for root from {ip} port {port} ssh2\n")
        elif kind < 0.30:
            text = f"{stamp}CRON[{pid}]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)\n"
        elif kind < 0.55:
            text = f"{stamp}CRON[{pid}]: pam_unix(cron:session): session closed for user root\n"
        elif kind < 0.60:
            text = f"{stamp}sshd[{pid}]: Accepted publickey for deploy from {ip} port {port} ssh2: ED25519 SHA256:abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG\n"
        elif kind < 0.70:
            text = f"{stamp}sshd[{pid}]: Received disconnect from {ip} port {port}:11: disconnected by user\n"
        elif kind < 0.80:
            text = f"{stamp}sshd[{pid}]: Connection closed by {ip} port {port} [preauth]\n"
        elif sudo <= kind < 0.90:
            text = f"{stamp}sudo[{pid}]:   deploy : TTY=pts/0 ; PWD=/home/deploy ; USER=root ; COMMAND=/usr/bin/systemctl restart app\n"
        else:
            text = f"{stamp}systemd-logind[612]: New session {pid} of user deploy.\n"
        written += len(text)
        lines.append(text)
        if len(lines) == 50_000:
            log.write("".join(lines))
            lines.clear()
    log.write("".join(lines))
