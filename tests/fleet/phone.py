"""A receiver on loopback, for which the alerts of a fleet are meant."""

import json
import os
import random
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Phone:
    """A receiver that takes what is posted and notes when. It knows a repeat by its key; of some posts the answer is lost."""

    def __init__(self, loses=0.0):
        self.posts, self.known, self.altered, self.lost, self.is_away = [], {}, [], 0, False
        phone = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                if phone.is_away:
                    self.send_response(503)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                key = self.headers.get("Idempotency-Key", "")
                if phone.known.setdefault(key, body) != body:
                    phone.altered.append((key, phone.known[key], body))
                phone.posts.append((time.monotonic(), body))
                if random.random() < loses:
                    phone.lost += 1
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reported(self):
        """Failures in all alerts of them, each alert once."""
        alerts = (json.loads(body) for body in list(self.known.values()))
        return sum(alert["authalert"]["count"] for alert in alerts if alert["event"]["action"] == "failed-login")

    def config(self, path, more=""):
        with open(path, "w") as file:
            file.write('[[receiver]]\nkind = "webhook"\nname = "phone"\nurl = "http://127.0.0.1:%d/"\nplain_http = true\n%s\n' % (self.port, more))
        os.chmod(path, 0o600)
        return path
