#!/usr/bin/env python3
"""The licences and notices of the crates that are linked into the programs, on standard output.

    licences.py            as text
    licences.py --debian   as the paragraphs of a machine-readable debian/copyright

The crates are those that the programs are linked from, as cargo has them; the texts are the crates' own files. A text that
several crates share stands once. A crate without one must be had under Apache-2.0, whose text is this package's own too.
"""

import json
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGETS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu")
NAMES = re.compile(r"(licen[cs]e|copying|notice|copyright|unlicense)", re.I)
OTHERS = (".rs", ".toml", ".html")
APACHE = re.compile(r" *Apache License\s+Version 2\.0, January 2004.*?END OF TERMS AND CONDITIONS"
                    r"(\s+APPENDIX.*?limitations under the License\.)?", re.S)


def linked():
    """What the default members are linked from, for any of the processors."""
    found = {}
    for target in TARGETS:
        command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
        data = json.loads(subprocess.run(command, cwd=TOP, check=True, stdout=subprocess.PIPE).stdout)
        packages = {each["id"]: each for each in data["packages"]}
        nodes = {each["id"]: each for each in data["resolve"]["nodes"]}
        waiting = list(data["workspace_default_members"])
        seen = set(waiting)
        while waiting:
            for dependency in nodes[waiting.pop()]["deps"]:
                is_linked = any(each["kind"] is None for each in dependency["dep_kinds"])
                if is_linked and dependency["pkg"] not in seen:
                    seen.add(dependency["pkg"])
                    waiting.append(dependency["pkg"])
        found.update({(each["name"], each["version"]): each for each in map(packages.get, seen) if each["source"]})
    return [found[key] for key in sorted(found)]


def texts_of(package):
    directory = os.path.dirname(package["manifest_path"])
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if NAMES.match(name) and os.path.isfile(path) and not name.endswith(OTHERS):
            with open(path, encoding="utf-8", errors="replace") as file:
                yield file.read().replace("\r\n", "\n").replace("\f", "\n").expandtabs().strip("\n")


def notices(debian):
    """The lines of the whole text."""
    packages = linked()
    lines = ["The programs are linked from these crates of https://crates.io, under the licences named behind them:", ""]
    texts = {}
    for package in packages:
        title = "%s %s" % (package["name"], package["version"])
        lines.append("  %s: %s" % (title, package["license"]))
        found = list(texts_of(package))
        if not found:
            if "Apache-2.0" not in package["license"]:
                sys.exit("licences.py: %s is under %s, and has no text of it" % (title, package["license"]))
            with open(os.path.join(TOP, "LICENSE-APACHE"), encoding="utf-8") as file:
                found = [file.read().strip("\n")]
        for text in found:
            # Debian has this one on every system, and wants it named, not repeated.
            if debian:
                text = APACHE.sub("Apache License, Version 2.0: see /usr/share/common-licenses/Apache-2.0", text)
            texts.setdefault(" ".join(text.split()), (text, []))[1].append(title)
    for text, titles in texts.values():
        lines += ["", "-" * 80, "Of " + ", ".join(titles) + ":", "", *text.split("\n")]
    return [line.rstrip() for line in lines]


def main():
    debian = sys.argv[1:] == ["--debian"]
    if sys.argv[1:] and not debian:
        sys.exit(__doc__)
    lines = notices(debian)
    if debian:
        print("Files: vendor/*\nCopyright: their authors, named in the texts below\nLicense: crates\n\nLicense: crates")
        lines = [" " + (line or ".") for line in lines]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
