#!/usr/bin/env python3
"""A mail server for the tests: smtp.py SCENARIO-JSON prints its port, and each accepted letter as a line of JSON.

SCENARIO: tls "implicit", "starttls" or "none"; certificate (PEM file); login [user, password]; utf8: it has SMTPUTF8;
say {"VERB": "reply"} in the place of its own, of a recipient {"RCPT ADDRESS": "reply"}; hang VERB: it sends a byte a second for ever; flood VERB: a line without an end; drop VERB: it
closes the connection instead of an answer, "late": after it took the letter. The verb of the text's end is ".", of the
greeting "". ends: each session's end is a line of JSON too, {"quit": whether it was said}. mix [[P, {...}], ...] with seed: what is in force besides in this part of the sessions. port and seconds: where it
listens and how long it lives (any; 60).
"""

import base64
import json
import os
import random
import re
import socket
import ssl
import sys
import threading
import time

scenario = json.loads(sys.argv[1])
chance = random.Random(scenario.get("seed", 0))
listener = socket.create_server(("127.0.0.1", scenario.get("port", 0)))
print(listener.getsockname()[1], flush=True)


def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(scenario["certificate"])
    return made


class Session:
    def __init__(self, connection):
        self.tls = scenario.get("tls") == "implicit"
        self.connection = context().wrap_socket(connection, server_side=True) if self.tls else connection
        self.file = self.connection.makefile("rb")
        self.who, self.sender, self.to = None, None, []
        self.quit = False
        self.mood, point = {}, chance.random()
        for part, mood in scenario.get("mix", []):
            if 0 <= point < part:
                self.mood = mood
            point -= part

    def answer(self, verb, reply):
        mood = {**scenario, **self.mood}
        if mood.get("drop") == verb:
            raise ConnectionError
        if mood.get("hang") == verb:
            while True:
                self.connection.sendall(b"2")
                time.sleep(0.2)
        if mood.get("flood") == verb:
            while True:
                self.connection.sendall(b"x" * 65536)
        reply = mood.get("say", {}).get(verb, reply)
        self.connection.sendall(reply.replace("\n", "\r\n").encode() + b"\r\n")
        return reply

    def line(self):
        line = self.file.readline(4096)
        if not line.endswith(b"\r\n"):
            raise ConnectionError
        return line[:-2].decode()

    def run(self):
        self.answer("", "220 standin ESMTP")
        while True:
            line = self.line()
            verb = line.split(" ")[0].upper()
            if verb == "EHLO":
                whole = r"localhost|[-A-Za-z0-9]+(\.[-A-Za-z0-9]+)+|\[[0-9.]+\]|\[IPv6:[0-9a-f:]+\]"
                assert re.fullmatch(f"EHLO ({whole})", line), line
                lines = ["standin", "SIZE 1000000"]
                lines += ["SMTPUTF8"] if scenario.get("utf8") else []
                lines += ["STARTTLS"] if scenario.get("tls") == "starttls" and not self.tls else []
                offered = scenario.get("mechanisms", "PLAIN LOGIN")
                lines += [f"AUTH {offered}"] if scenario.get("login") and (self.tls or scenario.get("tls") == "none") else []
                self.answer(verb, "\n".join(f"250-{x}" for x in lines[:-1]) + f"\n250 {lines[-1]}")
            elif verb == "STARTTLS":
                if scenario.get("inject"):
                    self.connection.sendall(b"220 go\r\n250 injected\r\n")
                else:
                    self.answer(verb, "220 go")
                self.connection = context().wrap_socket(self.connection, server_side=True)
                self.file, self.tls = self.connection.makefile("rb"), True
            elif verb == "AUTH":
                self.login(line)
            elif verb == "MAIL":
                if scenario.get("login") and not self.who:
                    self.answer(verb, "530 log in first")
                    continue
                self.sender, utf8 = re.fullmatch(r"MAIL FROM:<(.+)>( SMTPUTF8)?", line).groups()
                self.utf8 = bool(utf8)
                assert scenario.get("utf8") or not utf8, line
                self.answer(verb, "250 ok")
            elif verb == "RCPT":
                address = re.fullmatch(r"RCPT TO:<(.+)>", line).group(1)
                usual = "250 ok" if self.utf8 or address.isascii() else "553 5.6.7 SMTPUTF8 is required"
                if self.answer(verb, scenario.get("say", {}).get(f"RCPT {address}", usual)).startswith("25"):
                    self.to.append(address)
            elif verb == "DATA":
                if self.answer(verb, "354 go").startswith("354"):
                    self.text()
            elif verb == "QUIT":
                self.quit = True
                self.answer(verb, "221 bye")
                return
            else:
                self.answer(verb, "502 what?")

    def login(self, line):
        decode = lambda text: base64.b64decode(text).decode()
        if line.startswith("AUTH PLAIN "):
            given = decode(line[11:]).split("\0")[1:]
        else:
            given = []
            for prompt in ("VXNlcm5hbWU6", "UGFzc3dvcmQ6"):
                self.connection.sendall(f"334 {prompt}\r\n".encode())
                given.append(decode(self.line()))
        if given == scenario["login"]:
            self.who = given[0]
            self.answer("AUTH", "235 welcome")
        else:
            self.answer("AUTH", f"535 not you: {line}")

    def text(self):
        letter = []
        while (line := self.line()) != ".":
            assert "\r" not in line and "\n" not in line
            letter.append(line[1:] if line.startswith(".") else line)
        if {**scenario, **self.mood}.get("drop") == "late":
            record(self, letter)
            raise ConnectionError
        if self.answer(".", "250 queued").startswith("250"):
            record(self, letter)


def record(session, letter):
    row = {"from": session.sender, "to": session.to, "tls": session.tls, "who": session.who, "letter": "\n".join(letter)}
    print(json.dumps(row), flush=True)


def serve(connection):
    session = None
    try:
        session = Session(connection)
        session.run()
    except (OSError, ConnectionError, ssl.SSLError):
        pass
    finally:
        connection.close()
        if session and scenario.get("ends"):
            print(json.dumps({"quit": session.quit}), flush=True)


threading.Timer(scenario.get("seconds", 60), lambda: os._exit(0)).start()
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
