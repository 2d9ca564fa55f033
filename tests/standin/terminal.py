#!/usr/bin/env python3
"""Run a command at a terminal and type: terminal.py '[["expected", "typed"], …]' COMMAND…

Prints what the screen showed, then a line `echo=on` or `echo=off`: what the command left behind.
"""

import json
import os
import pty
import select
import sys
import termios
import time

pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
screen, script, deadline = b"", json.loads(sys.argv[1]), time.monotonic() + 20
echo = "?"
while time.monotonic() < deadline:
    if script and script[0][0].encode() in screen.rsplit(b"\n", 1)[-1]:
        os.write(terminal, script.pop(0)[1].encode())
    if select.select([terminal], [], [], 0.05)[0]:
        try:
            data = os.read(terminal, 4096)
        except OSError:
            break
        if not data:
            break
        screen += data
    try:
        echo = "on" if termios.tcgetattr(terminal)[3] & termios.ECHO else "off"
    except termios.error:
        break
else:
    os.kill(pid, 9)
os.waitpid(pid, 0)
sys.stdout.write(screen.decode("utf-8", "replace"))
print("\necho=" + echo)
