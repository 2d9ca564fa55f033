"""A NATS client of a few lines, for a member that does not keep to the rules."""

import json
import os
import re
import socket
import ssl
import tempfile


class Wire:
    """A connection with the certificate of a member's file."""

    def __init__(self, port, file, user=None, certificate=True, route=None):
        text = open(file).read()
        part = lambda key: re.search(key + r' = """\n(.*?)"""', text, re.S).group(1)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=part("authority"))
        context.check_hostname = False
        if certificate:
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as pem:
                pem.write(part("certificate") + part("key"))
                pem.flush()
                context.load_cert_chain(pem.name)
        raw = socket.create_connection(("127.0.0.1", port), 5)
        if route is None:
            raw.recv(65536)
        self.socket = context.wrap_socket(raw)
        self.socket.settimeout(2)
        self.buffer, self.errors, self.number = b"", [], 0
        connect = {"verbose": False, "headers": True, "no_responders": True, "lang": "x", "version": "1"}
        if user:
            connect["user"] = user
        # As one engine to another: with TLS from the first byte, and a word of its own.
        if route:
            connect = {**route, "verbose": False, "headers": True}
        self.send("CONNECT %s\r\nPING\r\n" % json.dumps(connect))
        self.name = re.search(r'name = "([^"]*)"', text).group(1)
        self.inbox = "_INBOX.%s.%s" % (self.name, os.urandom(8).hex())
        self.until(b"PONG")
        self.send("SUB %s.* 1\r\n" % self.inbox)

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def until(self, word):
        while True:
            text = self.line()
            if text.startswith(b"-ERR"):
                raise ConnectionError(text.decode())
            if text.startswith(word):
                return

    def line(self):
        while b"\r\n" not in self.buffer:
            got = self.socket.recv(65536)
            if not got:
                raise ConnectionError("closed")
            self.buffer += got
        text, self.buffer = self.buffer.split(b"\r\n", 1)
        return text

    def exactly(self, n):
        while len(self.buffer) < n:
            got = self.socket.recv(65536)
            if not got:
                raise ConnectionError("closed")
            self.buffer += got
        text, self.buffer = self.buffer[:n], self.buffer[n:]
        return text

    def message(self):
        """The next message: (subject, headers, body); None when nothing comes. Errors are kept."""
        try:
            while True:
                text = self.line()
                words = text.split()
                if text.startswith(b"PING"):
                    self.send("PONG\r\n")
                elif text.startswith(b"-ERR"):
                    self.errors.append(text.decode())
                    return None
                elif words and words[0] == b"MSG":
                    body = self.exactly(int(words[-1]) + 2)[:-2]
                    return words[1].decode(), "", body
                elif words and words[0] == b"HMSG":
                    both = self.exactly(int(words[-1]) + 2)[:-2]
                    head = int(words[-2])
                    return words[1].decode(), both[:head].decode(), both[head:]
        except (TimeoutError, socket.timeout):
            return None

    def request(self, subject, body=b"", headers=None, reply=None):
        """Send, and the answer as (headers, body): to this request, not a late one to another before it."""
        self.number += 1
        reply = reply or "%s.%d" % (self.inbox, self.number)
        body = body if isinstance(body, bytes) else body.encode()
        if headers:
            head = ("NATS/1.0\r\n" + "".join("%s: %s\r\n" % pair for pair in headers.items()) + "\r\n").encode()
            self.send("HPUB %s %s %d %d\r\n" % (subject, reply, len(head), len(head) + len(body)))
            self.send(head + body + b"\r\n")
        else:
            self.send("PUB %s %s %d\r\n" % (subject, reply, len(body)))
            self.send(body + b"\r\n")
        answer = self.message()
        while answer and answer[0] != reply:
            answer = self.message()
        return answer and (answer[1], answer[2])
