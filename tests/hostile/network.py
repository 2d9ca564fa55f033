"""The attacker's proxies and certificates, and where the worker goes all the same."""

import socket
import sys
import threading

from cases import hostile_environment
from scene import *


class Sink:
    """A listener that answers nothing and notes what it is sent."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(100)
        self.port = self.socket.getsockname()[1]
        self.seen, self.kept = [], []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self.socket.accept()
            self.kept.append(connection)
            connection.settimeout(2)
            try:
                self.seen.append(connection.recv(4096))
            except OSError:
                self.seen.append(b"")


def credentials(scene):
    values = "".join(f'{key} = "0123456789abcdef{i}"\n' for i, key in enumerate(
        ("api_key", "api_secret", "access_token", "access_token_secret")))
    scene.write(os.path.join(scene.root, "credentials.toml"), values, 0o600)


def network(scene, sink):
    """The attacker's proxy and certificates; and his SIGSTOP while the worker holds the delivery lock."""
    ok(not sink.seen, "the proxy of the caller's environment saw nothing", sink.seen[:2])
    server, proxy = Sink(), Sink()
    credentials(scene)
    scene.fresh_state()
    scene.write(scene.config, f'receiver = "x"\n[x]\napi_url = "http://127.0.0.1:{server.port}"\ntimeout = "1s"\n')
    scene.stack(True, delay=2)
    # Root's own, that somebody's environment got into.
    environment = hostile_environment(proxy.port)
    del environment["LD_PRELOAD"]
    held = Call("su", env=environment, user=0)
    for _ in range(100):
        if server.seen:
            break
        time.sleep(0.02)
    ok(len(server.seen) == 1 and server.seen[0].startswith(b"POST /2/tweets") and not proxy.seen,
       "the worker posts where the configuration says, past the caller's proxies",
       f"server {server.seen[:1]} proxy {proxy.seen[:1]}")
    held.end()

    scene.fresh_state()
    seen = len(server.seen)
    held = Call("su")
    for _ in range(100):
        if scene.records():
            break
        time.sleep(0.02)
    as_attacker(held.process.pid, signal.SIGSTOP)
    tasks = len(os.listdir(f"/proc/{held.process.pid}/task"))
    ok(tasks == 1 and len(server.seen) == seen and os.listdir(scene.state) == ["journal"],
       "in a user's su nothing runs but the record", tasks, len(server.seen) - seen, os.listdir(scene.state))
    scene.write(scene.config, 'receiver = "timeline"\n')
    run = scene.deliver("--now", timeout=20)
    status = scene.status()
    ok(status["posted"] == 1 and status["pending"] == 0,
       "a user who stops his su keeps no alert back", run.stdout, run.stderr, status)
    held.process.kill()
    held.end()
    tls(scene, proxy)


def tls(scene, proxy):
    """A server whose certificate only SSL_CERT_FILE vouches for."""
    directory = os.path.join(scene.root, "tls")
    here = os.path.dirname(os.path.abspath(__file__))
    made = subprocess.run(["sh", os.path.join(here, "../standin/certificates.sh"), directory], capture_output=True)
    if not ok(made.returncode == 0, "certificates can be made", made.stderr.decode()):
        return
    ready = os.path.join(scene.root, "ready")
    standin = subprocess.Popen([sys.executable, os.path.join(here, "../standin/standin.py"), "--dir", directory, "--tls",
                                os.path.join(directory, "server.pem"), "--ready-file", ready, "--max-seconds", "120"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            if os.path.exists(ready) and os.path.getsize(ready):
                break
            time.sleep(0.05)
        with open(ready) as file:
            port = re.search(r"\d{4,5}", file.read()).group()
        for name, more, expected in (("refused", "", "certificate"), ("taken with x.ca_file",
                                     f'ca_file = "{directory}/ca.pem"\n', None)):
            scene.fresh_state()
            scene.write(scene.config, f'receiver = "x"\n[x]\napi_url = "https://127.0.0.1:{port}"\ntimeout = "3s"\n{more}')
            environment = hostile_environment(proxy.port)
            environment["SSL_CERT_FILE"] = f"{directory}/ca.pem"
            del environment["LD_PRELOAD"]
            call("su", env=environment, user=0)
            time.sleep(0.5)
            error = scene.status()["last_error"] or ""
            good = "no trusted TLS connection" in error if expected else "trusted" not in error
            ok(good, f"a server that only SSL_CERT_FILE vouches for is {name}", error)
    finally:
        standin.kill()
        standin.wait()
