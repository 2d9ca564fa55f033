"""A member that was taken over, with a valid certificate: what it tries is refused, or is without effect on the others."""

import json
import os
import ssl
import time

from fleet import Fleet, append, check, finish, line, recorded, wait_for
from wire import Wire

EPOCH = "00000000000000aa"


def item(user="root", **more):
    event = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "route": "pam", "class": "failure", "service": "sshd",
             "user": user, "rhost": "192.0.2.66"}
    event.update(more)
    return {"event": event, "user": "existing", "ruser": "unknown"}


def batch(first, items, epoch=EPOCH, **more):
    body = {"v": 1, "epoch": epoch, "inst": EPOCH, "first": first, "last": first + len(items) - 1, "items": items}
    body.update(more)
    return json.dumps(body)


fleet = Fleet(["web1", "evil"]).start()
try:
    check(fleet.join("web1").returncode == 0, "the honest member joins")
    fleet.members["web1"].start()
    evil = Wire(fleet.port, fleet.path("evil/file"))

    def counted(host):
        return sorted(user for h, user, _ in recorded(fleet.hub_state) if h == host)

    def is_well(name):
        """Another failure of the honest member arrives, once and at once."""
        user = "after-%s" % name.replace(" ", "-")
        append(fleet.state("web1"), [line(user)])
        check(wait_for(lambda: user in counted("web1"), 10) and counted("web1").count(user) == 1, "the others are heard after: " + name)

    # 1. Identities.
    def refused(what, subject, body="x", headers=None):
        evil.errors.clear()
        answer = evil.request(subject, body, headers)
        check(any("Permissions Violation" in e for e in evil.errors) and answer is None, what, (evil.errors, answer))

    refused("it cannot write as another member", "aa.f.web1", batch(1, [item()]))
    refused("it cannot write a watermark", "aa.ack.evil", json.dumps({"v": 1, "epoch": EPOCH, "last": 99}))
    refused("it cannot write another's watermark", "aa.ack.web1", json.dumps({"v": 1, "epoch": EPOCH, "last": 99}))
    refused("it cannot take the lease", "aa.lease", "{}")
    for what, subject in [
        ("read another's records", "$JS.API.DIRECT.GET.AAF.aa.f.web1"),
        ("read another's watermark", "$JS.API.DIRECT.GET.AAK.aa.ack.web1"),
        ("read by number", "$JS.API.DIRECT.GET.AAF"),
        ("read by the older way", "$JS.API.STREAM.MSG.GET.AAF"),
        ("ask about the stream", "$JS.API.STREAM.INFO.AAF"),
        ("list names", "$JS.API.STREAM.NAMES"),
        ("purge", "$JS.API.STREAM.PURGE.AAF"),
        ("delete the stream", "$JS.API.STREAM.DELETE.AAF"),
        ("change the stream", "$JS.API.STREAM.UPDATE.AAF"),
        ("make a consumer", "$JS.API.CONSUMER.DURABLE.CREATE.AAF.evil"),
        ("take from the hub's consumer", "$JS.API.CONSUMER.MSG.NEXT.AAF.hub"),
        ("delete the hub's consumer", "$JS.API.CONSUMER.DELETE.AAF.hub"),
        ("acknowledge for the hub", "$JS.ACK.AAF.hub.1.1.1.1.0"),
    ]:
        refused("it cannot " + what, subject, "{}")
    evil.errors.clear()
    evil.send("SUB _INBOX.web1.> 9\r\nSUB aa.f.> 8\r\nSUB _INBOX.hub.> 7\r\nSUB > 6\r\n")
    while evil.message():
        pass
    check(wait_for(lambda: evil.message() is None and len(evil.errors) >= 1, 3), "it cannot listen to others")
    append(fleet.state("web1"), [line("heard-by-nobody")])
    wait_for(lambda: "heard-by-nobody" in counted("web1"), 10)
    check(evil.message() is None, "and hears nothing of them")
    answer = evil.request("$JS.API.DIRECT.GET.AAF.aa.f.evil", json.dumps({"last_by_subj": "aa.f.web1"}))
    check(answer is None or b"heard-by-nobody" not in answer[1], "a request for its own record is not widened to another's", answer)

    # The engine publishes an answer wherever the request wants it, with its own rights: no answer gets to another's
    # subject, and no command is carried there.
    hub, other = Wire(fleet.port, fleet.path("hub/fleet/hub.toml")), Wire(fleet.port, fleet.path("web1/file"))
    carrier = Wire(fleet.port, fleet.path("evil/file"))
    of_lease = lambda: hub.request("$JS.API.DIRECT.GET.AAK.aa.lease")
    of_mark = lambda: hub.request("$JS.API.DIRECT.GET.AAK.aa.ack.web1")
    of_records = lambda: other.request("$JS.API.DIRECT.GET.AAF.aa.f.web1")
    has = lambda answer, word: answer is not None and word in answer[1]
    check(has(of_lease(), b"hub") and has(of_mark(), b"last") and has(of_records(), b"items"), "all three can be read")

    def answered_to(subject, body):
        """The last record of its own, which is `body`, is sent to `subject`."""
        check(has(carrier.request("aa.f.evil", body), b'"seq"'), "it wrote what is to be carried to " + subject)
        carrier.send("PUB $JS.API.DIRECT.GET.AAF.aa.f.evil %s 0\r\n\r\n" % subject)
        time.sleep(0.5)

    answered_to("aa.f.web1", batch(1, [item("forged")], epoch="00000000000000cc"))
    carrier.send("PUB aa.f.evil aa.f.web1 1\r\nx\r\n")
    time.sleep(0.5)
    check(has(of_records(), b"items") and not has(of_records(), b"forged") and "forged" not in counted("web1"),
          "no answer is a record of another", of_records())
    answered_to("aa.ack.web1", json.dumps({"v": 1, "epoch": EPOCH, "last": 987654321}))
    check(has(of_mark(), b"last") and not has(of_mark(), b"987654321"), "no answer is a watermark", of_mark())
    answered_to("aa.lease", json.dumps({"v": 1, "hub": "00000000000000dd", "machine": "forged", "over": False}))
    check(has(of_lease(), b"hub") and not has(of_lease(), b"forged"), "no answer is a lease", of_lease())
    answered_to("$JS.API.STREAM.PURGE.AAF", json.dumps({"filter": "aa.f.web1"}))
    check(has(of_records(), b"items"), "no answer purges the stream", of_records())
    answered_to("$JS.API.STREAM.DELETE.AAK", "{}")
    check(has(of_lease(), b"hub"), "no answer deletes a stream", of_lease())
    answered_to("$JS.API.CONSUMER.DURABLE.CREATE.AAF.x", json.dumps({"stream_name": "AAF", "config": {"durable_name": "x", "ack_policy": "explicit"}}))
    consumers = [name for top, names, _ in os.walk(fleet.path("store")) if os.path.basename(top) == "obs" for name in names]
    check(consumers == ["hub"], "no answer makes a consumer", consumers)
    # Nor does one that goes round within its own account.
    for subject in ("aa.f.evil", "$JS.API.DIRECT.GET.AAF.aa.f.evil"):
        carrier.send("PUB aa.f.evil %s 1\r\nx\r\nPUB $JS.API.DIRECT.GET.AAF.aa.f.evil %s 0\r\n\r\n" % (subject, subject))
    time.sleep(0.5)
    while carrier.message():
        pass
    is_well("answers sent where commands go")

    # 2. Identifiers that are one name space in the stream.
    evil.request("aa.f.evil", batch(1, [item("one")]), {"Nats-Msg-Id": "web1-1"})
    is_well("message ids used first")
    evil.request("aa.f.evil", batch(2, [item("two")]), {"Nats-Expected-Last-Msg-Id": "x"})
    answer = evil.request("aa.f.evil", "x", {"Nats-Rollup": "all"})
    check(answer is not None and b"error" in answer[1], "it cannot roll the stream up", answer)
    is_well("a rollup of everything")
    # Its answer sent to another's inbox: nobody awaits it there.
    evil.request("aa.f.evil", "not a batch", reply="_INBOX.web1.77")
    evil.request("aa.f.evil", "not a batch", reply="_INBOX.hub.pull")
    is_well("answers sent to others' inboxes")

    # 3. Lies in what it may write.
    evil.request("aa.f.evil", batch(2, [item("as-web1", host="web1"), item("as-hub", host="")]))
    wait_for(lambda: len(counted("evil")) >= 3, 10)
    check("as-web1" in counted("evil") and "as-web1" not in counted("web1"), "what it says of its name is not believed")
    for what, body in [("no JSON", "{"), ("numbers that are none", batch(9, [item()], last=7)), ("a gap", batch(1000, [item("gap")])),
                       ("a later version", batch(4, [item()], v=9)), ("foul bytes", b"\xff\x00" * 100),
                       ("depth", "[" * 100000), ("the largest numbers", batch(2 ** 53 + 5, [item()]))]:
        evil.request("aa.f.evil", body)
        is_well(what)
    check("gap" not in counted("evil"), "behind a gap nothing is counted")
    evil.request("aa.f.evil", batch(4, [item("\u001b[31m\n\u202e" + "x" * 500, service="s\n", tty="\u0007", count=4294967295,
                                            time="2999-01-01T00:00:00Z")]))
    is_well("foul text")
    raw = b"".join(open(os.path.join(fleet.hub_state, "journal", f), "rb").read() for f in os.listdir(fleet.hub_state + "/journal") if f.endswith(".jsonl"))
    check(b"\x1b" not in raw and "\u202e".encode() not in raw and b"2999" not in raw, "what it wrote is bounded and neutral here too")
    before = len(counted("evil"))
    for epoch in range(64):
        evil.request("aa.f.evil", batch(1, [item("epoch")], epoch="%016x" % (1000 + epoch)))
    is_well("many epochs")

    # 4. Crowding out.
    first = lambda: json.loads(hub.request("$JS.API.STREAM.MSG.GET.AAF", json.dumps({"seq": 1, "next_by_subj": "aa.f.evil"}))[1])["message"]["seq"]
    answer, stored, was = None, 0, first()
    for number in range(1, 1500):
        answer = evil.request("aa.f.evil", b"x" * 200000)
        if answer is None or b"10077" in answer[1]:
            break
        stored += 1
    is_well("a full subject of its own")
    check(wait_for(lambda: first() > was, 20, 0.5), "what the hub has is removed at the engine", (was, stored))
    answer = evil.request("aa.f.evil", b"x" * 300000)
    check(answer is None or b"10054" in answer[1] or b"error" in answer[1], "a message beyond the limit is refused", answer)
    is_well("messages beyond the limit")
    before, begun = len(counted("evil")), time.monotonic()

    # 5. Without a certificate of the fleet.
    for what, arguments in [("without a certificate", dict(certificate=False)), ("under another's name", dict(user="web1"))]:
        try:
            wire = Wire(fleet.port, fleet.path("evil/file"), **arguments)
            answer = wire.request("aa.f.web1", batch(1, [item("forged")]))
            right = answer is None
        except (ConnectionError, ssl.SSLError, OSError):
            right = True
        check(right and "forged" not in counted("web1"), "nobody gets in " + what)
    # 6. A copy of a member's key: the member notices.
    copy = Wire(fleet.port, fleet.path("web1/file"))
    copy.request("aa.f.web1", batch(1, [item("copied")], epoch="00000000000000bb"))
    append(fleet.state("web1"), [line("after-the-copy")])
    check(wait_for(lambda: "stopped" in fleet.run_member("web1", "status").stdout, 20), "a member notices that another writes under its name",
          fleet.run_member("web1", "status").stdout)
    fleet.members["web1"].kill()
    fleet.run_hub("renew", "web1", "--out", fleet.path("web1/file"))
    fleet.reload()
    text = open(fleet.path("web1/file")).read().replace('names = "hidden"', 'names = "shown"')
    open(fleet.path("web1/file"), "w").write(text)
    done = fleet.join("web1")
    check(done.returncode == 0 and "after-the-copy" in counted("web1"), "and goes on with a new one, with what waited", done)
    check(fleet.hub.is_running(), "the hub ran all the time")
finally:
    fleet.end()
finish()
