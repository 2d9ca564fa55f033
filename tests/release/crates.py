#!/usr/bin/env python3
"""crates.py PROGRAM LIST: whether the crates that PROGRAM says it has (its section .dep-v0, zlib over JSON) are those of LIST
(CycloneDX, JSON). What ran while it was built may be in the latter (macros), what is linked in has to be."""

import json
import subprocess
import sys
import zlib

program, path = sys.argv[1:]
sections = subprocess.run(["readelf", "--sections", "--wide", program], check=True, stdout=subprocess.PIPE, text=True).stdout
line = next((line for line in sections.splitlines() if " .dep-v0 " in line), None)
if line is None:
    sys.exit("%s has no list of crates" % program)
# Type, address, offset, size.
offset, size = (int(word, 16) for word in line.split(" .dep-v0 ")[1].split()[2:4])
with open(program, "rb") as file:
    file.seek(offset)
    inside = json.loads(zlib.decompress(file.read(size)))
with open(path, encoding="utf-8") as file:
    listed = json.load(file)
built_with = {(each["name"], each["version"]) for each in inside["packages"]}
linked = {(each["name"], each["version"]) for each in inside["packages"] if each.get("kind") != "build"}
named = {(each["name"], each["version"]) for each in listed["components"] + [listed["metadata"]["component"]]}
for name, version in sorted(linked - named):
    print("only in the program: %s %s" % (name, version))
for name, version in sorted(named - built_with):
    print("only in the list: %s %s" % (name, version))
if linked <= named <= built_with and len(linked) > 50:
    print("%d crates, the same" % len(linked))
