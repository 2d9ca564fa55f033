"""How long X takes a text to be, and what it links: the rules of twitter-text, configuration v3."""

import re
import unicodedata

LIMIT = 280
URL_LENGTH = 23
SINGLE = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))

# Every two-letter country domain, and the generic ones that names of hosts, files and services run into.
COUNTRY = """ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz
ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gb
gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh
ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my
mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg
sh si sj sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc
ve vg vi vn vu wf ws ye yt za zm zw""".split()
GENERIC = """com net org edu gov mil int info biz name pro aero coop museum mobi asia cat jobs tel travel xxx post arpa
academy agency app apps art audio auto bank bar beer best bet bid bike bio black blog blue book bot box build business
buzz cab cafe cam camera camp capital car cards care cars casa cash casino center chat cheap church city claims click
clinic cloud club codes coffee college community company computer construction consulting contact cool country coupons
credit cricket date dating day deals delivery dental design dev diamonds digital direct directory dog domains download
earth education email energy engineering enterprises equipment estate events exchange expert express fail faith family
fan farm fashion film finance financial fish fit fitness flights florist fm foo football forsale foundation fun fund
furniture fyi gallery game games garden gift gifts glass global gmbh gold golf google graphics green group guide guru
hair health help here hiphop hiv hockey holdings home horse hospital host hosting hot hotel house how ing ink institute
insure international investments jewelry kim kitchen land law lawyer lease legal life lighting limited link live loan
loans lol london love ltd luxury maison management map market marketing mba media medical meet meme memorial men menu
moda moe mom money monster mortgage mov movie music navy network new news ninja now nyc observer one online ooo
organic page paris partners parts party pet phone photo photography photos pics pictures pink pizza place plumbing plus
press productions properties property pub qpon quebec racing realty recipes red rehab reise rent rentals repair report
rest restaurant review reviews rip rocks rodeo run safe sale salon sale save school science scot search security select
services sex shoes shop shopping show singles site ski skin sky social software solar solutions space spot store stream
studio study style sucks supplies supply support surf surgery systems tattoo tax taxi team tech technology tennis
theater tienda tips tires tires today tools top tours town toys trade trading training tube university uno vacations
ventures vet video villas vin vip vision vodka vote voyage wang watch webcam website wedding wiki win wine work works
world wtf xyz yoga you zone zip zero""".split()

_TLD = "|".join(sorted(set(COUNTRY + GENERIC), key=len, reverse=True))
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_URL = re.compile(
    r"(?<![A-Za-z0-9@\uff20$#\uff03\-_./])"
    r"(?:(?P<scheme>https?://)(?:%s\.)+[^\W\d_]{2,63}|(?:%s\.)+(?:%s))(?![A-Za-z0-9@+\-])(?::\d+)?(?:/[^\s]*)?(?:\?[^\s]*)?"
    % (_LABEL, _LABEL, _TLD), re.IGNORECASE)
_MENTION = re.compile(r"(?:^|(?<=[^A-Za-z0-9_!#$%&*@\uff20]))[@\uff20][A-Za-z0-9_]{1,20}")
_CASHTAG = re.compile(r"(?:^|(?<=\s))\$[A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?(?=$|\s|[!-/:-@\[-`{-~])")
_HASHTAG = re.compile(r"(?:^|(?<=[^\w&]))[#\uff03]\w*[^\W\d_]\w*")
_PICTURE = "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u25aa-\u27bf\u2934-\u2b55\u3030-\u3299\U0001f000-\U0001faff]"
_EMOJI = re.compile(
    "[\U0001f1e6-\U0001f1ff]{2}|[0-9#*]\ufe0f?\u20e3|"
    "%s[\ufe0f\U0001f3fb-\U0001f3ff]*(?:\u200d%s[\ufe0f\U0001f3fb-\U0001f3ff]*)*" % (_PICTURE, _PICTURE))


def urls(text):
    return [match.group() for match in _URL.finditer(unicodedata.normalize("NFC", text))]


def mentions(text):
    return [match.group() for match in _MENTION.finditer(text)]


def cashtags(text):
    return [match.group() for match in _CASHTAG.finditer(text)]


def hashtags(text):
    return [match.group() for match in _HASHTAG.finditer(text)]


def weight(text):
    text = unicodedata.normalize("NFC", text)
    total = URL_LENGTH * len(_URL.findall(text))
    text = _URL.sub("", text)
    total += 2 * len(_EMOJI.findall(text))
    text = _EMOJI.sub("", text)
    return total + sum(1 if any(a <= ord(c) <= b for a, b in SINGLE) else 2 for c in text)


def is_valid(text):
    return 0 < weight(text) <= LIMIT and not any(c in "\ufffe\ufeff\uffff" for c in text)


def self_test():
    """The conformance vectors of twitter-text."""
    for text, expected in [("Hi http://test.co", 26), ("http://test.co", 23), ("H🐱☺👨\u200d👩\u200d👧\u200d👦", 7),
                           ("😷👾😡🔥💩", 10), ("🙋🏽👨\u200d🎤", 4), ("漢" * 160, 320),
                           (" ".join(["http://%s.com/xxxx" % ("a" * 13)] * 10), 239), ("a" * 64 + ".com", 68),
                           ("\u2013\u2018\u2019\u201c\u201d", 5), ("\u2026\u2022\u2192\u20ac", 8), ("a\nb", 3),
                           ("e\u0301", 1), ("", 0), ("x" * 280, 280)]:
        assert weight(text) == expected, (text, weight(text), expected)
    for text in ["foo.com", "foo.co.jp", "it.so", "t.co", "backup.sh", "see web1.example.com!", "https://foo.baz/x",
                 "main.rs", "(evil.com)", "x.mov", "a.zip and", "user=evil.com"]:
        assert len(urls(text)) == 1, text
    for text in ["foo.baz", "foo.comm", "name@foo.com", "sshd.service", "x.local", "x.lan", "x.internal", "192.0.2.7",
                 "2001:db8::1", "12:01:47 sshd[32239]: authentication failures; uid=0 tty=ssh", "$foo.com", "#foo.com"]:
        assert not urls(text), text
    assert mentions("user=@evil @a") == ["@evil", "@a"] and not mentions("root@web1 !@x")
    assert cashtags("$AAPL, $TSLA $5") == ["$AAPL", "$TSLA"] and not cashtags("x$AAPL")
    assert is_valid("x" * 280) and not is_valid("x" * 281) and not is_valid("") and not is_valid("\ufeff")
