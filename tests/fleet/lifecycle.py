"""From nothing to a member's record at the hub, and back: init-hub, add-member, join, status, renew, revoke, leave."""

import json
import os
import stat
import subprocess
import time

from fleet import AUTHALERT, Fleet, append, check, finish, line, recorded, wait_for
from phone import Phone

fleet = Fleet(["web1", "web2"], names="hidden").start()
try:
    file = fleet.path("web1/file")
    done = fleet.run_member("web1", "join", "--no-start", "/nonexistent/file")
    check(done.returncode == 1 and "cannot read /nonexistent/file: " in done.stderr, "a file that is not there is named", done.stderr)
    done = fleet.run_member("web1", "leave")
    check(done.returncode == 1 and "this machine is in no fleet" in done.stderr, "who is in no fleet cannot leave it", done.stderr)
    done = fleet.run_hub("leave")
    check(done.returncode == 1 and "is the hub" in done.stderr, "nor can the hub", done.stderr)
    check(stat.S_IMODE(os.stat(file).st_mode) == 0o600, "the file of a member is root's alone")
    done = fleet.join("web1")
    check(done.returncode == 0 and "arrived at the hub" in done.stdout, "join proves itself by a record that arrives", done)
    check(fleet.join("web2").returncode == 0, "a second member joins")
    fleet.members["web1"].start()
    append(fleet.state("web1"), [line("root"), line("Pa$$w0rd typed"), line("Pa$$w0rd typed"), line("other")])
    check(wait_for(lambda: len(recorded(fleet.hub_state)) == 4, 10), "what a member records is in the hub's journal")
    found = recorded(fleet.hub_state)
    users = [user for _, user, _ in found]
    check({host for host, _, _ in found} == {"web1"}, "each record bears its machine")
    check(users[0] == "root" and users[1] == users[2] != users[3] and all(u.startswith("hidden-") for u in users[1:]),
          "names of no account leave as digests, the same for the same name", users)
    text = "".join(open(os.path.join(r, f), errors="replace").read() for top in ("web1/state/fleet", "hub/state", "store")
                   for r, _, files in os.walk(fleet.path(top)) for f in files)
    check("Pa$$w0rd" not in text, "what may be a password is nowhere but in the member's own journal")

    status = fleet.status()
    heard = {m["name"]: m["records"] for m in status["members"]}
    wait_for(lambda: {m["name"]: m["records"] for m in fleet.status()["members"]} == {"web1": 5, "web2": 1}, 10)
    heard = {m["name"]: m["records"] for m in fleet.status()["members"]}
    check(heard == {"web1": 5, "web2": 1}, "status knows each member", heard)
    check(wait_for(lambda: "waiting 0" in fleet.run_member("web1", "status").stdout, 40), "the member's outbox is empty again",
          fleet.run_member("web1", "status").stdout)

    # Once, as cron does.
    append(fleet.state("web2"), [line("root")])
    done = fleet.run_member("web2", "uplink", "--once")
    check(done.returncode == 0, "one pass for cron ends when the hub has everything", done)
    fleet.hub.kill()
    append(fleet.state("web2"), [line("root")])
    done = fleet.run_member("web2", "uplink", "--once")
    check(done.returncode == 1 and "wait for the hub" in done.stdout, "without a hub it says what waits", done)
    fleet.hub.start()
    check(wait_for(lambda: fleet.run_member("web2", "uplink", "--once").returncode == 0, 20), "and the next one finds it settled")
    check(len([1 for host, _, _ in recorded(fleet.hub_state) if host == "web2"]) == 2, "each of them once")

    done = fleet.run_hub("add-member", "web1")
    check(done.returncode == 1 and "renew" in done.stderr, "a name is given once", done.stderr)
    for name in ("hub", "Web", "a.b", "a b"):
        check(fleet.run_hub("add-member", name).returncode == 1, "%r is not a name" % name)

    # Renewed: the old certificate is refused, what is recorded meanwhile arrives with the new one.
    fleet.members["web1"].kill()
    fleet.run_hub("renew", "web1", "--out", file)
    fleet.reload()
    append(fleet.state("web1"), [line("root", pid=1)])
    done = fleet.run_member("web1", "uplink", "--once")
    check(done.returncode == 1, "the certificate before a renewal is refused", done)
    done = fleet.join("web1")
    check(done.returncode == 0, "with the new one the member goes on", done)
    check(len([1 for host, _, _ in recorded(fleet.hub_state) if host == "web1"]) == 5, "and nothing was lost or told twice")

    fleet.members["web1"].start()
    time.sleep(1)
    fleet.run_hub("revoke", "web1")
    fleet.reload()
    append(fleet.state("web1"), [line("root", pid=2)])
    time.sleep(2)
    check(len([1 for host, _, _ in recorded(fleet.hub_state) if host == "web1"]) == 5, "a member that was put out is not heard any more")
    fleet.members["web1"].kill()

    # Accounts come and go while the engine runs: who is connected stays, who is new gets in, also under a name of before.
    append(fleet.state("web2"), [line("root", pid=20)])
    fleet.members["web2"].start()
    of = lambda name: len([1 for host, _, _ in recorded(fleet.hub_state) if host == name])
    check(wait_for(lambda: of("web2") == 3, 10), "a member that stays is heard after another was put out")
    fleet.add("web3")
    check(fleet.join("web3").returncode == 0, "a member that is let in while the engine runs joins")
    append(fleet.state("web2"), [line("root", pid=21)])
    check(wait_for(lambda: of("web2") == 4, 10), "who was connected is heard on", of("web2"))
    fleet.run_hub("revoke", "web3")
    fleet.reload()
    append(fleet.state("web3"), [line("root", pid=22)])
    done = fleet.run_member("web3", "uplink", "--once")
    check(done.returncode == 1 and of("web3") == 0, "put out again it is refused", done)
    fleet.add("web3")
    check(fleet.join("web3").returncode == 0 and of("web3") == 1, "let in anew it sends what waited", of("web3"))
    fleet.members["web2"].kill()
    fleet.run_member("web2", "uplink", "--once")

    # The receivers of a member are held back, and alert when the hub is away.
    phone = Phone()
    config = phone.config(fleet.path("web2/config.toml"))

    def deliver():
        done = subprocess.run([AUTHALERT, "--state", fleet.state("web2"), "--config", config, "deliver"],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done
        return json.loads(subprocess.run([AUTHALERT, "--state", fleet.state("web2"), "--config", config, "status", "--json"],
                                         capture_output=True, text=True, timeout=60).stdout)

    of_phone = lambda status: next(r for r in status["receivers"] if r["name"] == "phone")
    before = of_phone(deliver())
    append(fleet.state("web2"), [line("root", pid=3)])
    fleet.run_member("web2", "uplink", "--once")
    own = of_phone(deliver())
    check(not phone.posts and own["left_out"] == before["left_out"] + 1 and own["pending"] == 0, "while the hub is there the member's own receivers leave it out", own)
    # An hour passes without it.
    fleet.hub.kill()
    link = fleet.path("web2/state/fleet/link.json")

    def age(path):
        import re
        import zlib
        for path in (path, path + ".bak"):
            text = open(path).read().strip()
            body = text[len('{"crc":"00000000","state":'):-1]
            then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 4000))
            body = re.sub(r'"heard":"[^"]*"', '"heard":"%s"' % then, body)
            with open(path, "w") as file:
                file.write('{"crc":"%08x","state":%s}\n' % (zlib.crc32(body.encode()), body))

    age(link)
    append(fleet.state("web2"), [line("root", pid=4)])
    fleet.run_member("web2", "uplink", "--once")
    deliver()
    check(any("web" in body or "root" in body for _, body in phone.posts), "an hour without the hub: the member alerts by itself", phone.posts)
    check(any("hub of the fleet has not been heard" in body for _, body in phone.posts), "and says so", phone.posts)
    told = [origin for host, _, origin in recorded(fleet.hub_state) if host == "web2"]
    before = len(told)
    fleet.hub.start()
    wait_for(lambda: fleet.run_member("web2", "uplink", "--once").returncode == 0, 30)
    told = [origin for host, _, origin in recorded(fleet.hub_state) if host == "web2"]
    check(len(told) == before + 1 and told[-1].endswith("t"), "the hub gets it later, marked as told", told)

    done = fleet.run_member("web2", "leave")
    check(done.returncode == 0 and not os.path.exists(link), "a member leaves, and alerts by itself again", done)
finally:
    fleet.end()
finish()
