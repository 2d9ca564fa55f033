#!/usr/bin/env python3
"""A stand-in for X and for every service that has a definition: what authalert calls, checked as the service checks it,
and every way to misbehave.

    standin.py --dir DIR [--port 0] [--tls server.pem] [--ready-file FILE] [--max-seconds 300] [--scenario FILE]
    standin.py --self-test

It listens on 127.0.0.1 only and prints `port=N control=N`. DIR gets posts.jsonl (what exists on "X", with arrival
time), messages.jsonl (what the other services have) and requests.jsonl (what was asked, what was wrong with it, what was
answered).

The services and what they accept are in services.py. Endpoints of X: POST /2/tweets, GET /2/users/me, POST /2/dm_conversations/with/6253282/messages, POST /oauth/request_token, GET /oauth/authorize, POST /oauth/access_token.

A scenario is JSON, given by file or by POST /_control on the control port (plain HTTP; the keys given replace the
ones in force). GET /_control shows the state.

    {"queue": [ANSWER, …],                 one each for the next calls of /2/tweets; then
     "random": {"seed": 1, "mix": [{"p": 0.1, …ANSWER}, …]},   by chance; else
     "default": ANSWER,                    absent or null: X in good health
     "oauth": ANSWER,                      for the next call of /oauth/* or /2/users/me
     "services": {"ntfy": {"queue": …, "default": …}, …}    the same for the other services
     "daily_limit": 48, "day_seconds": 86400,   then 429 with header fields; a "day" may be seconds
     "access_level": "read-write", "date_offset": 0, "allow_links": false}

    ANSWER = {"name": "duplicate"}         a body seen in the wild, see answers.py
             {"status": 503, "body": "…", "type": "text/html", "headers": {"retry-after": "30"}}
      with   "times": 3                    for so many calls
             "post": true                  the post comes into being all the same
             "reset_in": 900, "window": "x-user-limit-24hour"    that window is exhausted
             "late": 1.5, "slow": 0.01     seconds before the answer, between its bytes
             "hang": true                  no answer until the client goes away
             "close": "tcp" | "tls" | "request" | "answer"
                                           close at once, after the handshake, after reading, in the middle of the answer
             "garbage": 5000, "huge_body": 9000000, "huge_header": 9000000, "endless": true, "redirect": URL
             "raw": TEXT                   in place of the answer, and then the end
             "before": TEXT, "after": TEXT around the answer
             "repeat": TEXT                after it or "raw", until the client goes away
             "date_offset": -600           a wrong Date
             "gzip": true                  the body coded, though nobody asked for that
"""

import argparse
import gzip
import json
import os
import random
import secrets
import socket
import ssl
import sys
import threading
import time
import urllib.parse
from email.utils import formatdate

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import answers  # noqa: E402
import oauth  # noqa: E402
import services  # noqa: E402
import weight  # noqa: E402

KEYS = {"api_key": "standin-key-1", "api_secret": "standin-secret-2", "access_token": "6253282-standin-token-3",
        "access_token_secret": "standin-secret-4"}
SCREEN_NAME = "web1_alerts"
REASONS = {200: "OK", 201: "Created", 302: "Found", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
           404: "Not Found", 429: "Too Many Requests", 503: "Service Unavailable"}
DIRECT = "/2/dm_conversations/with/6253282/messages"
TWEET_KEYS = {"card_uri", "community_id", "direct_message_deep_link", "edit_options", "for_super_followers_only", "geo",
              "made_with_ai", "media", "nullcast", "paid_partnership", "poll", "quote_tweet_id", "reply",
              "reply_settings", "share_with_followers", "text"}
# Refusals of the text itself.
OF_THE_TEXT = ("too-long", "not-permitted", "invalid-request")
MAX_CONNECTIONS = 256


class World:
    """What X knows: tokens, posts, the scenario."""

    def __init__(self, directory, scheme):
        self.lock = threading.RLock()
        self.scheme = scheme
        self.posts_file = open(os.path.join(directory, "posts.jsonl"), "a", buffering=1)
        self.requests_file = open(os.path.join(directory, "requests.jsonl"), "a", buffering=1)
        self.services = services.Services(open(os.path.join(directory, "messages.jsonl"), "a", buffering=1))
        self.verifier = oauth.Verifier({KEYS["api_key"]: KEYS["api_secret"]},
                                       {KEYS["access_token"]: KEYS["access_token_secret"]})
        self.pins = {}
        self.texts = set()
        self.posts = 0
        self.requests = 0
        self.next_id = 1445880548472328192
        self.day_started = time.monotonic()
        self.day_count = 0
        self.scenario = {}
        self.random = random.Random(0)

    def control(self, changes):
        with self.lock:
            others = {**self.scenario.get("services", {}), **changes.get("services", {})}
            self.scenario.update(changes)
            self.scenario["services"] = others
            if "random" in changes:
                self.random = random.Random((changes["random"] or {}).get("seed", 0))

    def state(self):
        with self.lock:
            return {"posts": self.posts, "requests": self.requests, "messages": self.services.count, "day_count": self.day_count,
                    "queue": len(self.scenario.get("queue") or []), "scenario": self.scenario,
                    "parameters": services.PARAMETERS}

    def contradicts(self, answer, body):
        """Whether X would refuse as a text what it has: no chance makes it do so."""
        if answer.get("name") not in OF_THE_TEXT:
            return False
        try:
            return json.loads(body)["text"] in self.texts
        except (ValueError, KeyError, TypeError):
            return False

    def choose(self, method, path, body=b""):
        """The answer in store for this call; none for good health."""
        service = services.Services.named(method, path)
        with self.lock:
            if not service and path != "/2/tweets":
                return self.scenario.pop("oauth", None)
            scenario = self.scenario.get("services", {}).get(service[0], {}) if service else self.scenario
            queue = scenario.get("queue")
            if queue:
                first = queue[0]
                first["times"] = first.get("times", 1) - 1
                return queue.pop(0) if first["times"] < 1 else dict(first)
            chance = scenario.get("random")
            if chance:
                point = self.random.random()
                for answer in chance["mix"]:
                    point -= answer["p"]
                    if point < 0:
                        return None if self.contradicts(answer, body) else dict(answer)
            return scenario.get("default")

    def at_connect(self):
        """Whether the next call's connection is to be closed before anything is read."""
        with self.lock:
            queue = self.scenario.get("queue")
            first = queue[0] if queue else self.scenario.get("default")
            if not first or first.get("close") not in ("tcp", "tls"):
                return None
            return self.choose("POST", "/2/tweets")["close"]

    def exhausted(self):
        """Seconds until the day's posts are renewed, if they are used up."""
        limit, length = self.scenario.get("daily_limit"), self.scenario.get("day_seconds", 86400)
        now = time.monotonic()
        if now - self.day_started >= length:
            self.day_started += (now - self.day_started) // length * length
            self.day_count = 0
        if limit is None or self.day_count < limit:
            return None
        return self.day_started + length - now

    def publish(self, text, number):
        with self.lock:
            self.texts.add(text)
            self.posts += 1
            self.day_count += 1
            self.next_id += 1
            record = {"time": time.time(), "id": str(self.next_id), "text": text, "weight": weight.weight(text),
                      "request": number}
            self.posts_file.write(json.dumps(record) + "\n")
            return str(self.next_id)

    def note(self, **fields):
        with self.lock:
            self.requests_file.write(json.dumps(fields) + "\n")


class Gone(Exception):
    """The client went away, or sent what is no request."""


class Request:
    LINE = 8192

    def __init__(self, file):
        words = self.line(file).split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise Gone("no request line")
        self.method, target, _ = words
        parts = urllib.parse.urlsplit(target)
        self.path, self.query = parts.path, urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
        self.headers = {}
        while True:
            line = self.line(file)
            if not line:
                break
            name, _, value = line.partition(":")
            if name.lower() in self.headers or len(self.headers) > 64:
                raise Gone("header")
            self.headers[name.lower()] = value.strip()
        length = self.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > 65536:
            raise Gone("length")
        self.body = file.read(int(length))
        if len(self.body) != int(length):
            raise Gone("body")

    def line(self, file):
        line = file.readline(self.LINE)
        if not line.endswith(b"\n"):
            raise Gone("closed")
        return line.strip().decode("latin-1")


class Call:
    """One request and its answer."""

    def __init__(self, world, connection, request):
        self.world, self.connection, self.request = world, connection, request
        with world.lock:
            world.requests += 1
            self.number = world.requests
        self.wrong = None
        self.headers = {}

    def run(self):
        """True if the connection may serve another request."""
        chosen = self.world.choose(self.request.method, self.request.path, self.request.body)
        self.chosen = chosen or {}
        healthy = self.answer_in_health() if not chosen or self.chosen.get("post") else None
        status, kind, body = self.scripted(healthy) if chosen else healthy
        self.world.note(time=time.time(), number=self.number, method=self.request.method, path=self.request.path,
                        wrong=self.wrong, status=status, scripted=chosen, agent=self.request.headers.get("user-agent"))
        return self.send(status, kind, body)

    # In good health.

    def answer_in_health(self):
        service = services.Services.named(self.request.method, self.request.path)
        if service:
            with self.world.lock:
                answer, self.wrong = self.world.services.answer(service, self.request, self.number)
            return answer
        try:
            handler = {("POST", "/2/tweets"): self.tweet, ("GET", "/2/users/me"): self.me,
                       ("POST", DIRECT): self.direct,
                       ("POST", "/oauth/request_token"): self.request_token,
                       ("GET", "/oauth/authorize"): self.authorize,
                       ("POST", "/oauth/access_token"): self.access_token}.get((self.request.method, self.request.path))
            if handler is None:
                return answers.problem(404, "Not Found", "Not Found")
            return handler()
        except oauth.Refused as refused:
            self.wrong = str(refused)
            if self.request.path.startswith("/oauth/"):
                return answers.code(401, 32, "Could not authenticate you.")
            return answers.NAMED["unauthorized"]

    def signed(self, token=True):
        host = self.request.headers.get("host", "")
        url = "%s://%s%s" % (self.world.scheme, host, self.request.path)
        if not self.request.headers.get("user-agent", "").startswith("authalert/"):
            raise oauth.Refused("user agent")
        if self.request.headers.get("accept-encoding") != "identity":
            raise oauth.Refused("accept-encoding")
        with self.world.lock:
            return self.world.verifier.check(self.request.method, url, self.request.query,
                                             self.request.headers.get("authorization"), self.now(), token)

    def now(self):
        return time.time() + self.world.scenario.get("date_offset", 0)

    def refuse(self, name, wrong):
        self.wrong = wrong
        return answers.NAMED[name]

    def tweet(self):
        self.signed()
        world = self.world
        self.headers["x-access-level"] = world.scenario.get("access_level", "read-write")
        if world.scenario.get("access_level") == "read":
            return self.refuse("app-permission", "read only")
        if self.request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
            return self.refuse("invalid-request", "content type")
        try:
            body = json.loads(self.request.body.decode("utf-8"))
        except ValueError:
            return self.refuse("invalid-request", "no JSON")
        if not isinstance(body, dict) or set(body) - TWEET_KEYS or not isinstance(body.get("text"), str):
            return self.refuse("invalid-request", "keys of the body")
        text = body["text"]
        with world.lock:
            renewed = world.exhausted()
            if renewed is not None:
                self.window("x-user-limit-24hour", renewed, world.scenario["daily_limit"])
                return self.refuse("too-many", "daily limit")
            if not weight.is_valid(text):
                return self.refuse("too-long", "%d weighted characters" % weight.weight(text))
            if not world.scenario.get("allow_links") and (
                    weight.urls(text) or weight.mentions(text) or weight.hashtags(text) or weight.cashtags(text)):
                return self.refuse("not-permitted", "link, mention or tag")
            if text in world.texts:
                return self.refuse("duplicate", "duplicate")
            number = world.publish(text, self.number)
        return (201, answers.JSON, json.dumps({"data": {"id": number, "text": text, "edit_history_tweet_ids": [number]}}))

    def me(self):
        self.signed()
        self.headers["x-access-level"] = self.world.scenario.get("access_level", "read-write")
        return (200, answers.JSON, json.dumps({"data": {"id": "6253282", "name": "web1", "username": SCREEN_NAME}}))

    def direct(self):
        self.signed()
        body = json.loads(self.request.body.decode("utf-8"))
        if set(body) != {"text"} or not 1 <= len(body["text"]) <= 10000:
            return self.refuse("invalid-request", "body")
        return (201, answers.JSON, json.dumps({"data": {"dm_conversation_id": "1-6253282", "dm_event_id": "4711"}}))

    def request_token(self):
        parameters = self.signed(token=False)
        if parameters.get("oauth_callback") != "oob":
            return answers.code(403, 415, "Callback URL not approved for this client application.")
        token, secret = secrets.token_urlsafe(20), secrets.token_urlsafe(20)
        with self.world.lock:
            self.world.verifier.tokens[token] = secret
            self.world.pins[token] = "%07d" % secrets.randbelow(10000000)
        return (200, "text/html;charset=utf-8", urllib.parse.urlencode(
            {"oauth_token": token, "oauth_token_secret": secret, "oauth_callback_confirmed": "true"}))

    def authorize(self):
        token = dict(self.request.query).get("oauth_token")
        pin = self.world.pins.get(token)
        if pin is None:
            return (403, "text/html", "<html><body>The request token for this page is invalid.</body></html>")
        return (200, "text/html", "<html><body>Enter this PIN: <code>%s</code></body></html>" % pin)

    def access_token(self):
        parameters = self.signed()
        request_token = parameters["oauth_token"]
        with self.world.lock:
            pin = self.world.pins.pop(request_token, None)
            if pin is None:
                return (401, "text/plain", "Invalid request token.")
            del self.world.verifier.tokens[request_token]
            if not secrets.compare_digest(pin, parameters.get("oauth_verifier", "")):
                return (401, "text/html;charset=utf-8",
                        "Error processing your OAuth request: Invalid oauth_verifier parameter")
            token, secret = "6253282-" + secrets.token_urlsafe(20), secrets.token_urlsafe(20)
            self.world.verifier.tokens[token] = secret
        return (200, "text/html;charset=utf-8", urllib.parse.urlencode(
            {"oauth_token": token, "oauth_token_secret": secret, "user_id": "6253282", "screen_name": SCREEN_NAME}))

    # By the scenario.

    def scripted(self, healthy):
        chosen = self.chosen
        status, kind, body = (healthy if healthy and "name" not in chosen and "status" not in chosen
                              else answers.NAMED[chosen["name"]] if "name" in chosen
                              else (chosen.get("status", 201), answers.JSON, ""))
        kind, body = chosen.get("type", kind), chosen.get("body", body)
        if "redirect" in chosen:
            status = chosen.get("status", 302)
            self.headers["location"] = chosen["redirect"]
        if "reset_in" in chosen:
            self.window(chosen.get("window", "x-rate-limit"), chosen["reset_in"], chosen.get("limit", 100))
        if "huge_body" in chosen:
            body = '{"detail":"%s"}' % ("x" * chosen["huge_body"])
        if "huge_header" in chosen:
            self.headers["x-huge"] = "x" * chosen["huge_header"]
        self.headers.update(chosen.get("headers", {}))
        return status, kind, body

    def window(self, name, seconds, limit):
        self.headers.update({name + "-limit": limit, name + "-remaining": 0,
                             name + "-reset": int(self.now() + seconds + 0.999)})

    def send(self, status, kind, body):
        chosen = self.chosen
        if chosen.get("close") == "request":
            return False
        time.sleep(chosen.get("late", 0))
        if chosen.get("hang"):
            self.connection.recv(1)
            return False
        if "raw" in chosen:
            self.connection.sendall(chosen["raw"].encode("latin-1"))
            while "repeat" in chosen:
                self.connection.sendall(chosen["repeat"].encode("latin-1"))
            return False
        if "garbage" in chosen:
            self.connection.sendall(random.Random(chosen.get("seed", 0)).randbytes(chosen["garbage"]))
            return False
        body = body.encode("utf-8") if isinstance(body, str) else body
        if chosen.get("gzip"):
            body = gzip.compress(body)
            self.headers["content-encoding"] = "gzip"
        date = self.now() + chosen.get("date_offset", 0)
        headers = {"date": formatdate(date, usegmt=True), "content-type": kind, "server": "standin",
                   "x-rate-limit-limit": 100, "x-rate-limit-remaining": 99, "x-rate-limit-reset": int(date + 900)}
        if chosen.get("endless"):
            headers["transfer-encoding"] = "chunked"
        else:
            headers["content-length"] = len(body)
        headers.update(self.headers)
        head = "HTTP/1.1 %d %s\r\n" % (status, REASONS.get(status, "Whatever"))
        head += "".join("%s: %s\r\n" % pair for pair in headers.items()) + "\r\n"
        raw = chosen.get("before", "").encode("latin-1") + head.encode("latin-1") + body
        raw += chosen.get("after", "").encode("latin-1")
        if chosen.get("close") == "answer":
            self.connection.sendall(raw[:len(raw) - max(1, len(body) // 2)])
            return False
        if "slow" in chosen:
            for index in range(len(raw)):
                self.connection.sendall(raw[index:index + 1])
                time.sleep(chosen["slow"])
        else:
            self.connection.sendall(raw)
        while "repeat" in chosen:
            self.connection.sendall(chosen["repeat"].encode("latin-1"))
        while chosen.get("endless"):
            self.connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        return True


class Server:
    def __init__(self, world, port, tls, control):
        self.world, self.control = world, control
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.minimum_version = ssl.TLSVersion.TLSv1_2
            self.context.load_cert_chain(tls)
        self.places = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(128)
        self.port = self.listener.getsockname()[1]

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            self.places.acquire()
            threading.Thread(target=self.guarded, args=(connection,), daemon=True).start()

    def guarded(self, connection):
        try:
            connection.settimeout(60)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            (self.serve_control if self.control else self.serve_x)(connection)
        except (OSError, Gone, ValueError):
            pass
        finally:
            connection.close()
            self.places.release()

    def serve_x(self, connection):
        early = self.world.at_connect()
        if early == "tcp":
            return
        if self.context:
            connection = self.context.wrap_socket(connection, server_side=True)
        try:
            if early == "tls":
                return
            with connection.makefile("rb") as file:
                while Call(self.world, connection, Request(file)).run():
                    pass
        finally:
            connection.close()

    def serve_control(self, connection):
        with connection.makefile("rb") as file:
            request = Request(file)
        if request.method == "POST":
            self.world.control(json.loads(request.body))
        body = json.dumps(self.world.state()).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
                           b"content-length: %d\r\n\r\n" % len(body) + body)


def main():
    parser = argparse.ArgumentParser(description="A stand-in for X and for the services that have a definition.")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--dir")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--tls", help="PEM file with certificate and key; absent: plain HTTP")
    parser.add_argument("--ready-file")
    parser.add_argument("--scenario")
    parser.add_argument("--max-seconds", type=float, default=300)
    options = parser.parse_args()
    oauth.self_test()
    weight.self_test()
    if options.self_test:
        print("ok")
        return
    if not options.dir:
        parser.error("--dir is missing")
    world = World(options.dir, "https" if options.tls else "http")
    if options.scenario:
        with open(options.scenario) as file:
            world.control(json.load(file))
    server = Server(world, options.port, options.tls, control=False)
    control = Server(world, options.control_port, None, control=True)
    for each in (server, control):
        threading.Thread(target=each.serve, daemon=True).start()
    print("port=%d control=%d" % (server.port, control.port), flush=True)
    if options.ready_file:
        with open(options.ready_file + ".new", "w") as file:
            json.dump({"port": server.port, "control": control.port, "scheme": world.scheme, "pid": os.getpid(),
                       "keys": KEYS, "screen_name": SCREEN_NAME, "parameters": services.PARAMETERS}, file)
        os.rename(options.ready_file + ".new", options.ready_file)
    time.sleep(options.max_seconds)
    os._exit(0)


if __name__ == "__main__":
    main()
