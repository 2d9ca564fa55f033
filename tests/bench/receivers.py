"""See receivers.sh."""

import datetime
import json
import os
import random
import statistics
import subprocess
import sys
import time

WORK, ROUNDS = sys.argv[1], int(sys.argv[2])
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STANDIN = os.path.join(TOP, "tests", "standin")
sys.path.insert(0, STANDIN)
import services  # noqa: E402
import standin  # noqa: E402

MODULE = os.path.join(TOP, "target", "release", "libpam_authalert.so")
NTFY, ELKS = services.PARAMETERS["ntfy"], services.PARAMETERS["46elks"]
PROCESSES = []


def private(path, text):
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def serve(name, *more):
    """A stand-in of its own; its port."""
    os.makedirs(f"{WORK}/{name}")
    ready = f"{WORK}/{name}/ready"
    PROCESSES.append(subprocess.Popen(
        [sys.executable, os.path.join(STANDIN, "standin.py"), "--dir", f"{WORK}/{name}", "--ready-file", ready,
         "--max-seconds", "900", *more], stdout=subprocess.DEVNULL))
    for _ in range(400):
        if os.path.exists(ready):
            return json.load(open(ready))["port"]
        time.sleep(0.02)
    sys.exit(f"the stand-in {name} does not start")


def mail_server():
    process = subprocess.Popen([sys.executable, os.path.join(STANDIN, "smtp.py"), json.dumps({"tls": "none", "seconds": 900})],
                               stdout=subprocess.PIPE, text=True)
    PROCESSES.append(process)
    return int(process.stdout.readline())


def stack(name, port, beside=""):
    """A stack whose failures go to X at `port`, and to what `beside` says."""
    place = f"{WORK}/{name}"
    os.makedirs(f"{place}/state/journal", mode=0o700)
    with open(f"{place}/config.toml", "w") as file:
        file.write('[alerts]\ngroup_interval = "1s"\nmax_interval = "1s"\nburst = 1000\nmax_per_day = 10000\n'
                   f'[[receiver]]\nkind = "x"\napi_url = "https://127.0.0.1:{port}"\nca_file = "{WORK}/tls/ca.pem"\n{beside}')
    secrets = "".join(f'{key} = "{value}"\n' for key, value in standin.KEYS.items())
    private(f"{place}/credentials.toml", f'{secrets}[ntfy]\ntoken = "{NTFY["token"]}"\n[46elks]\npassword = "{ELKS["password"]}"\n')
    os.makedirs(f"{WORK}/pam.d", exist_ok=True)
    with open(f"{WORK}/pam.d/{name}", "w") as file:
        file.write(f"auth optional {MODULE} state={place}/state config={place}/config.toml\nauth required pam_unix.so\n")


def lines(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def fail(name):
    """Fail once; milliseconds from the verdict to the post, and whether the login still slept."""
    posts = f"{WORK}/{name}/posts.jsonl"
    before = len(lines(posts))
    subprocess.run([f"{WORK}/host", f"{WORK}/pam.d", name, "daemon", "once"], capture_output=True, check=True)
    new = lines(posts)[before:]
    if not new:
        return None
    verdict = lines(f"{WORK}/{name}/state/journal/current.jsonl")[-1]["time"].replace("Z", "+00:00")
    return 1000 * (new[0]["time"] - datetime.datetime.fromisoformat(verdict).timestamp())


def main():
    subprocess.run(["sh", os.path.join(STANDIN, "certificates.sh"), f"{WORK}/tls"], check=True, capture_output=True)
    ports = {name: serve(name, "--tls", f"{WORK}/tls/server.pem") for name in ("alone", "beside")}
    others, mail = serve("others"), mail_server()
    gateway = "".join(f'{key} = "{ELKS[key]}"\n' for key in ("user", "from", "to"))
    stack("alone", ports["alone"])
    stack("beside", ports["beside"],
          f'[[receiver]]\nkind = "ntfy"\nserver = "http://127.0.0.1:{others}"\ntopic = "{NTFY["topic"]}"\n'
          f'[[receiver]]\nkind = "46elks"\ntell = ["digest"]\nserver = "http://127.0.0.1:{others}"\n{gateway}'
          f'[[receiver]]\nkind = "mail"\nserver = "127.0.0.1"\nport = {mail}\ntls = "none"\n'
          'from = "authalert@example.org"\nto = "admin@example.org"\n')
    took = {"alone": [], "beside": []}
    for _ in range(ROUNDS):
        for name in random.sample(list(took), len(took)):
            took[name].append(fail(name))
        time.sleep(1)
    median = {}
    for name, all_of_it in took.items():
        good = [t for t in all_of_it if t is not None]
        if not good:
            sys.exit(f"{name}: no post was there when the login ended")
        median[name] = statistics.median(good)
        what = "X alone" if name == "alone" else "X with three others"
        print(f"{what:20} median {median[name]:6.1f} ms, slowest {max(good):6.1f} ms; {len(good)} of {ROUNDS} while the login slept")
    sent = len(lines(f"{WORK}/others/messages.jsonl"))
    print(f"the others meanwhile took {sent} messages besides mail")
    print(f"X with three others / X alone = {median['beside'] / median['alone']:.2f}")


try:
    main()
finally:
    for process in PROCESSES:
        process.terminate()
