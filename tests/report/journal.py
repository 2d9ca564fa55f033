"""Records as the journal has them: the fields in its order, each line with its checksum."""
import ipaddress, json, zlib

# What an attacker would have a feed believe: another field, another address, another record.
FORGED = [
    'root","rhost":"198.51.100.99","tty":"ssh', '\\", "rhost": "198.51.100.99', '198.51.100.99', 'a\\\\","rhost":"198.51.100.99",',
    'x\\', '"', '{"time":"2026-01-05T12:00:00.000000Z"', "jürgen", "<script>", "東京", "from 198.51.100.99 port 22",
]


def line(time, rhost="", user="root", cls="failure", address="", host="", pid=4711, service="sshd", route="pam", count=1):
    fields = [("time", time), ("route", route), ("class", cls)]
    fields += [("count", count)] if count != 1 else []
    fields += [("host", host), ("service", service), ("pid", pid), ("ppid", 1), ("user", user), ("rhost", rhost),
               ("address", address), ("tty", "ssh")]
    body = "{" + ",".join(f'"{k}":{json.dumps(v, ensure_ascii=False)}' for k, v in fields if v != "")
    return f'{body},"crc":"{zlib.crc32(body.encode()):08x}"}}\n'


def address(i):
    return str(ipaddress.ip_address(f"2001:db8:{i % 9999:x}::{i % 77:x}")) if i % 3 == 0 else f"192.0.{i // 250 % 250}.{i % 250}"
