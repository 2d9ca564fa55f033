#!/bin/bash
# Supply chain: what is linked in comes from crates.io, is locked, and has a licence that deny.toml allows.
#   supply.sh
# Without network. What cargo-deny and cargo-audit say, where they are, belongs to a release: tests/release/run.sh.
set -u
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../report.sh"
cd "$(dirname "$0")/../.." || exit 1
metadata=$(mktemp)
trap 'rm -f "$metadata" "$metadata.lists"' EXIT
if ! cargo metadata --format-version 1 --locked --offline >"$metadata" 2>/dev/null &&
    ! cargo metadata --format-version 1 --locked >"$metadata" 2>/dev/null; then
    not_ok 'Cargo.lock is in step with Cargo.toml' 'cargo metadata failed: the lock file is out of step, or crates are missing here'
    finish
    exit
fi
ok 'Cargo.lock is in step with Cargo.toml'
lists() {
    python3 - "$metadata" <<'END'
import json, re, sys
with open(sys.argv[1]) as file:
    metadata = json.load(file)
everything = metadata["packages"]
packages = [p for p in everything if p["source"]]
with open("deny.toml") as file:
    text = file.read()
allowed = set(re.findall(r'"([^"]+)"', re.search(r"allow = \[(.*?)\]", text, re.S).group(1)))
# Of those with wrappers only what comes by another way is refused.
banned = dict(re.findall(r'crate = "([^"]+)"(?:, wrappers = \[([^\]]*)\])?', text))
named, users = {p["id"]: p["name"] for p in everything}, {}
for node in metadata["resolve"]["nodes"]:
    for used in node["dependencies"]:
        users.setdefault(named[used], set()).add(named[node["id"]])

def permitted(expression):
    """SPDX: any side of an OR, every side of an AND."""
    expression = expression.replace("/", " OR ").strip()
    while expression.startswith("(") and expression.endswith(")") and expression.count("(") == 1:
        expression = expression[1:-1]
    depth, parts = 0, {" OR ": [""], " AND ": [""]}
    for operator in (" OR ", " AND "):
        pieces, level, piece, i = [], 0, "", 0
        while i < len(expression):
            level += (expression[i] == "(") - (expression[i] == ")")
            if level == 0 and expression.startswith(operator, i):
                pieces.append(piece); piece = ""; i += len(operator); continue
            piece += expression[i]; i += 1
        pieces.append(piece)
        if len(pieces) > 1:
            return (any if operator == " OR " else all)(permitted(p) for p in pieces)
    return expression in allowed

def claim(bad, name):
    print(("not ok - " if bad else "ok - ") + name)
    for line in bad:
        print("#   " + line)
    return not bad

with open("Cargo.lock") as file:
    blocks = file.read().split("[[package]]")[1:]
own = {p["name"] for p in everything if not p["source"]}
values = [dict(re.findall(r'^(name|source|checksum) = "([^"]+)"', block, re.M)) for block in blocks]
locked = [(v["name"], v.get("source"), v.get("checksum")) for v in values if v["name"] not in own]

good = [
    claim([f"{p['name']}: {p['license']}" for p in packages if not p["license"] or not permitted(p["license"])],
          f"{len(packages)} crates have licences that deny.toml allows"),
    claim([f"{name}: {source or ''} {checksum or 'no checksum'}" for name, source, checksum in locked
           if source != "registry+https://github.com/rust-lang/crates.io-index" or not checksum],
          "every crate comes from crates.io, with a checksum, none from git"),
    claim([p["name"] for p in packages if p["name"] in banned and not users[p["name"]] <= set(re.findall(r'"([^"]+)"', banned[p["name"]]))],
          "no crate that takes certificates from the environment"),
]
END
}
lists >"$metadata.lists" || not_ok 'the lists of deny.toml can be compared'
while IFS= read -r line; do
    case $line in
    'ok - '*) ok "${line#ok - }" ;;
    'not ok - '*) not_ok "${line#not ok - }" ;;
    *) printf '%s\n' "$line" ;;
    esac
done <"$metadata.lists"
finish
