"""OAuth 1.0a (RFC 5849) as X checks it: written from the RFC, apart from the code under test."""

import base64
import hashlib
import hmac
import urllib.parse


class Refused(Exception):
    """Why a signature is not accepted; X itself never says."""


def encode(text):
    return urllib.parse.quote(text, safe="-._~")


def base_string(method, url, parameters):
    """RFC 5849, 3.4.1; `url` without query, `parameters` decoded pairs from all places."""
    parts = urllib.parse.urlsplit(url)
    default = {"http": 80, "https": 443}[parts.scheme]
    host = parts.hostname if ":" not in parts.hostname else "[%s]" % parts.hostname
    authority = host if parts.port in (None, default) else "%s:%d" % (host, parts.port)
    pairs = sorted((encode(key), encode(value)) for key, value in parameters)
    normalized = "&".join("%s=%s" % pair for pair in pairs)
    base = "%s://%s%s" % (parts.scheme, authority, parts.path or "/")
    return "&".join([method.upper(), encode(base), encode(normalized)])


def signature(method, url, parameters, consumer_secret, token_secret=""):
    key = "%s&%s" % (encode(consumer_secret), encode(token_secret))
    text = base_string(method, url, parameters)
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha1).digest()).decode()


def parse_header(value):
    """The parameters of an `Authorization: OAuth …` header."""
    scheme, _, rest = value.partition(" ")
    if scheme.lower() != "oauth":
        raise Refused("scheme is not OAuth")
    parameters = {}
    for part in rest.split(","):
        key, equals, quoted = part.strip().partition("=")
        if not equals or len(quoted) < 2 or quoted[0] != '"' or quoted[-1] != '"':
            raise Refused("header is not of the form KEY=\"VALUE\"")
        key, decoded = urllib.parse.unquote(key), urllib.parse.unquote(quoted[1:-1])
        if encode(decoded) != quoted[1:-1]:
            raise Refused("%s is not percent-encoded as RFC 5849, 3.6 wants" % key)
        if key in parameters:
            raise Refused("%s stands there twice" % key)
        parameters[key] = decoded
    return parameters


class Verifier:
    """Checks signatures, clocks and nonces against the keys it knows."""

    WINDOW = 300

    def __init__(self, consumers, tokens):
        self.consumers = dict(consumers)
        self.tokens = dict(tokens)
        self.nonces = {}

    def check(self, method, url, query, header, now, token_expected=True):
        """The oauth_* parameters of an acceptable request; otherwise `Refused`."""
        if not header:
            raise Refused("no Authorization header")
        oauth = parse_header(header)
        allowed = {"oauth_consumer_key", "oauth_token", "oauth_signature_method", "oauth_timestamp", "oauth_nonce",
                   "oauth_version", "oauth_signature", "oauth_callback", "oauth_verifier"}
        if set(oauth) - allowed:
            raise Refused("unknown parameter %s" % sorted(set(oauth) - allowed))
        for name in ("oauth_consumer_key", "oauth_signature_method", "oauth_timestamp", "oauth_nonce", "oauth_signature"):
            if not oauth.get(name):
                raise Refused("%s is missing" % name)
        if oauth["oauth_signature_method"] != "HMAC-SHA1":
            raise Refused("signature method")
        if oauth.get("oauth_version", "1.0") != "1.0":
            raise Refused("version")
        consumer = oauth["oauth_consumer_key"]
        if consumer not in self.consumers:
            raise Refused("unknown consumer key")
        token = oauth.get("oauth_token", "")
        if bool(token) != token_expected or (token and token not in self.tokens):
            raise Refused("unknown token")
        if not oauth["oauth_timestamp"].isdigit() or abs(int(oauth["oauth_timestamp"]) - now) > self.WINDOW:
            raise Refused("timestamp out of bounds")
        nonce = (oauth["oauth_timestamp"], consumer, token, oauth["oauth_nonce"])
        if nonce in self.nonces or not oauth["oauth_nonce"].isascii():
            raise Refused("nonce was used before")
        signed = [(key, value) for key, value in oauth.items() if key != "oauth_signature"] + query
        expected = signature(method, url, signed, self.consumers[consumer], self.tokens.get(token, ""))
        if not hmac.compare_digest(expected, oauth["oauth_signature"]):
            raise Refused("signature does not fit")
        self.nonces[nonce] = now
        if len(self.nonces) > 100000:
            self.nonces = {key: seen for key, seen in self.nonces.items() if now - seen <= 2 * self.WINDOW}
        return oauth


def self_test():
    """The published vectors."""
    x = [("oauth_consumer_key", "xvz1evFS4wEEPTGEFPHBog"),
         ("oauth_nonce", "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg"),
         ("oauth_signature_method", "HMAC-SHA1"), ("oauth_timestamp", "1318622958"),
         ("oauth_token", "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb"), ("oauth_version", "1.0")]
    form = [("include_entities", "true"), ("status", "Hello Ladies + Gentlemen, a signed OAuth request!")]
    secrets = ("kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw", "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE")
    for url, extra, expected in [
            ("https://api.x.com/1.1/statuses/update.json", form, "Ls93hJiZbQ3akF3HF3x1Bz8/zU4="),
            ("https://api.twitter.com/1.1/statuses/update.json", form, "hCtSmYh+iHYCEqBWrE7C7hYmtUk="),
            ("https://api.x.com/2/tweets", [], "lr+tV/DKclEvXKVjG6tgaSSLV0k="),
            ("https://api.twitter.com/2/tweets", [], "KW/bTR/89oblzvjn7CwP2L8j5qQ=")]:
        assert signature("POST", url, x + extra, *secrets) == expected, url

    def rfc(method, url, key, stamp, nonce, extra, *pair):
        parameters = [("oauth_consumer_key", key), ("oauth_signature_method", "HMAC-SHA1"),
                      ("oauth_timestamp", stamp), ("oauth_nonce", nonce)]
        return signature(method, url, parameters + extra, *pair)

    app = "dpf43f3p2l4k3l03"
    assert rfc("POST", "https://photos.example.net/initiate", app, "137131200", "wIjqoS",
               [("oauth_callback", "http://printer.example.com/ready")],
               "kd94hf93k423kf44") == "74KNZJeDHnMBp0EMJ9ZHt/XKycU="
    assert rfc("POST", "https://photos.example.net/token", app, "137131201", "walatlh",
               [("oauth_token", "hh5s93j4hdidpola"), ("oauth_verifier", "hfdp7dh39dks9884")],
               "kd94hf93k423kf44", "hdhd0244k9j7ao03") == "gKgrFCywp7rO0OXSjdot/IHF7IU="
    assert rfc("GET", "http://photos.example.net/photos", app, "137131202", "chapoH",
               [("oauth_token", "nnch734d00sl2jdk"), ("file", "vacation.jpg"), ("size", "original")],
               "kd94hf93k423kf44", "pfkkdhi9sl3r4s00") == "MdpQcU8iPSUjWoN/UDMsK2sui9I="
    assert rfc("POST", "http://example.com/request", "9djdj82h48djs9d2", "137131201", "7d8f3e4a",
               [("oauth_token", "kkk9d7dh3k39sjv7"), ("b5", "=%3D"), ("a3", "a"), ("c@", ""), ("a2", "r b"),
                ("c2", ""), ("a3", "2 q")],
               "j49sk3j29djd", "dh893hdasih9") == "r6/TJjbCOr97/+UU0NsvSne7s5g="
    for plain, encoded in [("Ladies + Gentlemen", "Ladies%20%2B%20Gentlemen"), ("\u2603", "%E2%98%83"),
                           ("An encoded string!", "An%20encoded%20string%21"),
                           ("Dogs, Cats & Mice", "Dogs%2C%20Cats%20%26%20Mice")]:
        assert encode(plain) == encoded, plain
