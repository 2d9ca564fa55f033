"""The services that definitions speak to: what each accepts, checked as it checks it, and what it answers in health.

Each is known by its path, so that one stand-in plays all of them at once. `PARAMETERS` are the values that the
stand-in accepts. A message is accepted only if nothing in the request differs from what the service documents; what it then shows
at the phone is written down as text, title, key and to whom.
"""

import base64
import json
import re
import urllib.parse

JSON = "application/json"
TEXT = "text/plain"
PHONE = "+358401234567"
SID = "AC0123456789abcdef0123456789abcdef"

PARAMETERS = {
    "ntfy": {"topic": "alerts-1", "token": "tk_standinsecret1"},
    "telegram": {"token": "123456789:standin-secret-telegram", "chat_id": -100123},
    "matrix": {"token": "syt_standin_secret", "room": "!room#%:test.local"},
    "mastodon": {"token": "standin-secret-mastodon", "to": "admin@home.example"},
    "pushover": {"token": "standinsecretapplicationtoken1", "user": "standinsecretuserkeyofpushover"},
    "gotify": {"token": "Astandin.secret"},
    "slack": {"webhook": "/services/T0/B0/standin-secret-slack"},
    "mattermost": {"webhook": "/hooks/standin-secret-mattermost"},
    "discord": {"webhook": "/api/webhooks/1/standin-secret-discord"},
    "teams": {"webhook": "/workflows/1/invoke?api-version=1&sig=standin-secret%2Fteams"},
    "signal": {"from": "+358409999999", "to": PHONE},
    "twilio": {"account_sid": SID, "user": SID, "password": "standin:secret ü", "from": "+15005550006", "to": PHONE},
    "vonage": {"api_key": "key1", "api_secret": "standin+secret&vonage", "from": "authalert", "to": PHONE},
    "seven": {"api_key": "standin-secret-seven", "to": PHONE},
    "46elks": {"user": "u1", "password": "standin-secret-46elks", "from": "authalert", "to": PHONE},
    "clicksend": {"user": "me", "api_key": "standin-secret-clicksend", "to": PHONE},
    "plivo": {"auth_id": "MAXX", "auth_token": "standin-secret-plivo", "from": "+14155550100", "to": PHONE},
    "sinch": {"plan": "plan1", "token": "standin-secret-sinch", "from": "+447700900001", "to": PHONE},
    "bulksms": {"token_id": "id1", "token_secret": "standin-secret-bulksms", "to": PHONE},
    "smsapi": {"token": "standin-secret-smsapi", "to": PHONE},
    "webhook": {"url": "/webhook?who=authalert", "token": "standin-secret-webhook"},
}


class Wrong(Exception):
    """The request is not what the service accepts; what it answers."""

    def __init__(self, why, status=400, body=None):
        super().__init__(why)
        self.answer = (status, JSON, json.dumps(body if body is not None else {"error": why}))


def must(truth, why, status=400):
    if not truth:
        raise Wrong(why, status)


class Message:
    """One request, as the service reads it."""

    def __init__(self, service, request):
        self.request, self.parameters = request, PARAMETERS[service]
        self.query = dict(request.query)

    def kind(self):
        return self.request.headers.get("content-type", "").split(";")[0].strip()

    def json(self, *keys, optional=()):
        must(self.kind() == JSON, "content type")
        try:
            body = json.loads(self.request.body.decode("utf-8"))
        except ValueError:
            raise Wrong("no JSON") from None
        must(isinstance(body, dict), "an object")
        must(set(keys) <= set(body) <= set(keys) | set(optional), "keys %s" % sorted(body))
        return body

    def form(self, *keys, optional=()):
        must(self.kind() == "application/x-www-form-urlencoded", "content type")
        pairs = urllib.parse.parse_qsl(self.request.body.decode("ascii"), keep_blank_values=True, strict_parsing=True,
                                       encoding="utf-8", errors="strict")
        body = dict(pairs)
        must(len(body) == len(pairs), "a field twice")
        must(set(keys) <= set(body) <= set(keys) | set(optional), "fields %s" % sorted(body))
        return body

    def basic(self, user, password):
        expected = "%s:%s" % (self.parameters[user], self.parameters[password])
        word, _, coded = self.request.headers.get("authorization", "").partition(" ")
        must(word == "Basic" and base64.b64decode(coded).decode("utf-8") == expected, "authentication", 401)

    def bearer(self, name="token"):
        must(self.request.headers.get("authorization") == "Bearer " + self.parameters[name], "authentication", 401)

    def equal(self, found, **expected):
        for key, value in expected.items():
            must(found.get(key) == value, "%s is %r" % (key, found.get(key)))


def shown(text, title=None, key=None, to=None, priority=None):
    return {"text": text, "title": title, "key": key, "to": to, "priority": priority}


def ntfy(m):
    m.bearer()
    body = m.json("topic", "title", "message", "priority", "sequence_id")
    m.equal(body, topic=m.parameters["topic"])
    must(body["priority"] in range(1, 6), "priority")
    must(len(body["message"].encode()) < 4096, "an attachment", 413)
    must(re.fullmatch(r"[-_A-Za-z0-9]{1,64}", body["sequence_id"]), "sequence id")
    must(len(body["title"].encode()) <= 1024, "title")
    return shown(body["message"], body["title"], body["sequence_id"], body["topic"], body["priority"])


def telegram(m):
    must(urllib.parse.unquote(m.request.path) == "/bot%s/sendMessage" % m.parameters["token"], "Not Found", 404)
    body = m.json("chat_id", "text", "entities", "link_preview_options")
    m.equal(body, chat_id=m.parameters["chat_id"], link_preview_options={"is_disabled": True})
    units = len(body["text"].encode("utf-16-le")) // 2
    must(1 <= units <= 4096, "Bad Request: message is too long")
    m.equal(body, entities=[{"type": "pre", "offset": 0, "length": units}])
    return shown(body["text"], to=body["chat_id"])


def updates(m):
    must(urllib.parse.unquote(m.request.path) == "/bot%s/getUpdates" % m.parameters["token"], "Not Found", 404)
    return None


def matrix(m):
    m.bearer()
    found = re.fullmatch(r"/_matrix/client/v3/rooms/([^/]+)/send/m\.room\.message/([^/]+)", m.request.path)
    must(found and urllib.parse.unquote(found[1]) == m.parameters["room"], "room", 403)
    body = m.json("msgtype", "body", "m.mentions")
    m.equal(body, msgtype="m.text", **{"m.mentions": {}})
    must(len(m.request.body) < 65000, "M_TOO_LARGE", 413)
    return shown(body["body"], key=urllib.parse.unquote(found[2]), to=m.parameters["room"])


def mastodon(m):
    m.bearer()
    body = m.json("status", "visibility")
    m.equal(body, visibility="direct")
    start = "@%s " % m.parameters["to"]
    must(body["status"].startswith(start), "the mention")
    text = body["status"][len(start):]
    must(not re.search(r"@[A-Za-z0-9_]", text), "somebody else is mentioned")
    must(len("@admin ") + len(text) <= 500, "too long", 422)
    return shown(text, key=m.request.headers["idempotency-key"], to=m.parameters["to"])


def pushover(m):
    body = m.form("token", "user", "message", "title", "priority", optional=("sound",))
    m.equal(body, token=m.parameters["token"], user=m.parameters["user"])
    must(body["priority"] in ("-1", "0", "1"), "priority")
    must(1 <= len(body["message"]) <= 1024 and len(body["title"]) <= 250, "too long")
    return shown(body["message"], body["title"], priority=int(body["priority"]))


def gotify(m):
    must(m.request.headers.get("x-gotify-key") == m.parameters["token"], "authentication", 401)
    body = m.json("title", "message", "priority")
    must(isinstance(body["priority"], int), "priority")
    return shown(body["message"], body["title"], priority=body["priority"])


def slack(m):
    body = m.json("text", "mrkdwn", "unfurl_links", "unfurl_media")
    m.equal(body, mrkdwn=False, unfurl_links=False, unfurl_media=False)
    text = body["text"]
    must(len(text) <= 40000, "too long")
    must(not re.search(r"[<>]|&(?!amp;|lt;|gt;)", text), "something in it is not escaped")
    return shown(text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


def unblock(text, limit):
    """The text in a block of code, which must end where it should."""
    must(len(text) <= limit, "too long")
    must(text.startswith("```\n") and text.endswith("\n```"), "no block of code")
    inside = text[4:-4]
    must("`" not in inside, "the block of code ends early")
    return inside


def mattermost(m):
    body = m.json("text")
    text = unblock(body["text"], 16383)
    must(not re.search(r"@[a-z]", text), "a mention")
    return shown(text)


def discord(m):
    must(m.query == {"wait": "true"}, "wait")
    body = m.json("content", "allowed_mentions", "flags")
    m.equal(body, allowed_mentions={"parse": []}, flags=4)
    return shown(unblock(body["content"], 2000))


def teams(m):
    body = m.json("type", "attachments")
    must(len(m.request.body) <= 28 * 1024, "too long", 413)
    card = body["attachments"][0]
    must(card["contentType"] == "application/vnd.microsoft.card.adaptive", "no card")
    must(m.query == {"api-version": "1", "sig": "standin-secret/teams"}, "signature", 401)
    (block,) = card["content"]["body"]
    (run,) = block["inlines"]
    must((block["type"], run["type"]) == ("RichTextBlock", "TextRun"), "markup")
    return shown(run["text"])


def signal(m):
    body = m.json("number", "recipients", "message", "text_mode", optional=("notify_self",))
    m.equal(body, number=m.parameters["from"], text_mode="normal")
    return shown(body["message"], to=body["recipients"][0])


GSM7 = set("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
           "abcdefghijklmnopqrstuvwxyzäöñüà")
TWICE = set("^{}\\[~]|€\f")


def sms(text, to, plus=True):
    must(to == (PHONE if plus else PHONE[1:]), "recipient")
    must(text and not set(text) - GSM7 - TWICE, "UCS-2: %s" % sorted(set(text) - GSM7 - TWICE))
    must(sum(2 if c in TWICE else 1 for c in text) <= 160, "two parts")
    return shown(text, to=to)


def twilio(m):
    m.basic("user", "password")
    body = m.form("To", "Body", "From")
    m.equal(body, From=m.parameters["from"])
    return sms(body["Body"], body["To"])


def vonage(m):
    body = m.form("api_key", "api_secret", "from", "to", "text")
    m.equal(body, api_key=m.parameters["api_key"], api_secret=m.parameters["api_secret"])
    return sms(body["text"], body["to"], plus=False)


def seven(m):
    must(m.request.headers.get("x-api-key") == m.parameters["api_key"], "authentication", 401)
    body = m.json("to", "text", optional=("from",))
    return sms(body["text"], body["to"])


def elks(m):
    m.basic("user", "password")
    body = m.form("from", "to", "message")
    return sms(body["message"], body["to"])


def clicksend(m):
    m.basic("user", "api_key")
    (message,) = m.json("messages")["messages"]
    must(set(message) == {"source", "to", "body"}, "keys")
    return sms(message["body"], message["to"])


def plivo(m):
    m.basic("auth_id", "auth_token")
    body = m.json("src", "dst", "text")
    m.equal(body, src="14155550100")
    return sms(body["text"], body["dst"], plus=False)


def sinch(m):
    m.bearer()
    body = m.json("from", "to", "body", "client_reference")
    (to,) = body["to"]
    return sms(body["body"], to)


def bulksms(m):
    m.basic("token_id", "token_secret")
    body = m.json("to", "body", "encoding")
    m.equal(body, encoding="TEXT")
    return sms(body["body"], body["to"])


def smsapi(m):
    m.bearer()
    body = m.form("to", "message", "format", optional=("from",))
    m.equal(body, format="json")
    return sms(body["message"], body["to"], plus=False)


def webhook(m):
    m.bearer()
    must(m.query == {"who": "authalert"}, "query")
    body = json.loads(m.request.body)
    return shown(body["message"], key=m.request.headers["idempotency-key"])


def accepted(status, body):
    return status, JSON, json.dumps(body)


# Name, method, path, what is checked, what is answered to the message with this number.
SERVICES = [
    ("ntfy", "POST", r"/", ntfy, lambda n: accepted(200, {"id": "n%d" % n, "time": 1, "expires": 2, "event": "message",
                                                         "topic": "alerts-1"})),
    ("telegram", "POST", r"/bot[^/]*/sendMessage", telegram,
     lambda n: accepted(200, {"ok": True, "result": {"message_id": n}})),
    ("telegram", "GET", r"/bot[^/]*/getUpdates", updates, lambda n: accepted(200, {"ok": True, "result": [
        {"update_id": 1, "message": {"from": {"first_name": "Eve\u202e"}, "chat": {"id": 17}, "text": "hello"}},
        {"update_id": 2, "message": {"from": {"first_name": "Ada"}, "chat": {"id": -100123}, "text": "hi"}},
        {"update_id": 3, "message": {"from": {"first_name": "Ada"}, "chat": {"id": -100123}, "text": "hi"}}]})),
    ("matrix", "PUT", r"/_matrix/.*", matrix, lambda n: accepted(200, {"event_id": "$e%d" % n})),
    ("mastodon", "POST", r"/api/v1/statuses", mastodon, lambda n: accepted(200, {"id": str(n), "url": "https://h/1"})),
    ("pushover", "POST", r"/1/messages\.json", pushover, lambda n: accepted(200, {"status": 1, "request": "r%d" % n})),
    ("gotify", "POST", r"/message", gotify, lambda n: accepted(200, {"id": n, "appid": 1, "message": "…"})),
    ("slack", "POST", r"/services/.*", slack, lambda n: (200, "text/html", "ok")),
    ("mattermost", "POST", r"/hooks/.*", mattermost, lambda n: (200, TEXT, "ok")),
    ("discord", "POST", r"/api/webhooks/.*", discord, lambda n: accepted(200, {"id": str(n), "type": 0})),
    ("teams", "POST", r"/workflows/.*", teams, lambda n: (202, TEXT, "")),
    ("signal", "POST", r"/v2/send", signal, lambda n: accepted(201, {"timestamp": str(1700000000000 + n)})),
    ("twilio", "POST", r"/2010-04-01/Accounts/%s/Messages\.json" % SID, twilio,
     lambda n: accepted(201, {"sid": "SM%d" % n, "status": "queued", "error_code": None})),
    ("vonage", "POST", r"/sms/json", vonage, lambda n: accepted(200, {"message-count": "1", "messages": [
        {"to": PHONE[1:], "message-id": "v%d" % n, "status": "0"}]})),
    ("seven", "POST", r"/api/sms", seven, lambda n: accepted(200, {"success": "100", "total_price": 0.075, "messages": [
        {"id": str(n), "success": True, "error": None, "error_text": None}]})),
    ("46elks", "POST", r"/a1/sms", elks, lambda n: accepted(200, {"id": "s%d" % n, "status": "created"})),
    ("clicksend", "POST", r"/v3/sms/send", clicksend, lambda n: accepted(200, {
        "http_code": 200, "response_code": "SUCCESS", "data": {"messages": [
            {"message_id": "c%d" % n, "status": "SUCCESS"}]}})),
    ("plivo", "POST", r"/v1/Account/MAXX/Message/", plivo,
     lambda n: accepted(202, {"message": "message(s) queued", "message_uuid": ["p%d" % n]})),
    ("sinch", "POST", r"/xms/v1/plan1/batches", sinch, lambda n: accepted(201, {"id": "b%d" % n, "to": [PHONE[1:]]})),
    ("bulksms", "POST", r"/v1/messages", bulksms, lambda n: accepted(201, [{"id": "k%d" % n, "type": "SENT"}])),
    ("smsapi", "POST", r"/sms\.do", smsapi, lambda n: accepted(200, {"count": 1, "list": [{"id": "a%d" % n}]})),
    ("webhook", "POST", r"/webhook", webhook, lambda n: (204, TEXT, "")),
]
# These know a message by its key and keep it once.
KNOW_REPEATS = ("matrix", "mastodon")


class Services:
    """What the services have, beside what X has."""

    def __init__(self, file):
        self.file, self.count, self.known = file, 0, {}

    @staticmethod
    def named(method, path):
        """The service that serves this path, if one does."""
        return next((s for s in SERVICES if s[1] == method and re.fullmatch(s[2], path)), None)

    def answer(self, service, request, number):
        """Status, type, body in health; and what was wrong, if anything was."""
        name, _, _, check, accept = service
        try:
            must(request.headers.get("user-agent", "").startswith("authalert/"), "user agent")
            must(request.headers.get("accept-encoding") == "identity", "accept-encoding")
            message = check(Message(name, request))
        except Wrong as wrong:
            return wrong.answer, str(wrong)
        except (KeyError, ValueError, TypeError, AttributeError) as wrong:
            return (400, JSON, json.dumps({"error": "malformed"})), repr(wrong)
        if message is None:
            return accept(0), None
        known = (name, message["key"])
        if name in KNOW_REPEATS and known in self.known:
            return self.known[known], None
        self.count += 1
        self.file.write(json.dumps(dict(service=name, request=number, **message)) + "\n")
        self.known[known] = accept(self.count)
        return self.known[known], None
