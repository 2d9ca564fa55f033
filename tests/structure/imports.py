#!/usr/bin/env python3
"""The folders of src/, and those of src/fleet/, import one another in one direction: prints every circle, and fails if there is one.

A file at the top of src/ is a folder of its own. Test modules may look where they like: what stands
behind `#[cfg(test)]` at a file's end is not read, nor are the files of a `#[cfg(test)] mod NAME;`.
--graph prints who imports whom.
"""
import pathlib, re, sys

SRC = pathlib.Path(__file__).resolve().parents[2] / "src"
OUTSIDE = {"pam", "fleet"}  # packages of their own; the compiler sees to those
TEST = re.compile(r"^#\[cfg\(test\)\]\s*(?:pub(?:\([a-z]+\))? )?mod \w+ \{", re.M)
TEST_FILE = re.compile(r"^#\[cfg\(test\)\]\s*(?:pub(?:\([a-z]+\))? )?mod (\w+);", re.M)
NAME = re.compile(r"\bcrate::(?:\{([^}]*)\}|(\w+))")


def folder(path, top):
    return path.relative_to(top).parts[0].removesuffix(".rs")


def of_tests(paths):
    """The files, and the folders of files, that only a test build has."""
    found = set()
    for path in paths:
        beside = path.parent if path.name in ("mod.rs", "lib.rs", "main.rs") else path.with_suffix("")
        for name in TEST_FILE.findall(path.read_text()):
            found |= {beside / f"{name}.rs", beside / name}
    return found


def imports(top):
    graph = {}
    paths = sorted(top.rglob("*.rs"))
    tests = of_tests(paths)
    for path in paths:
        own = folder(path, top)
        if own in OUTSIDE | {"lib", "main"} or tests & {path, *path.parents}:
            continue
        text = TEST.split(path.read_text())[0]
        text = re.sub(r"(?m)^\s*//.*$", "", text)
        for several, one in NAME.findall(text):
            for name in re.findall(r"(\w+)(?:::|,|\s*$)", several) if several else [one]:
                if name != own and ((top / name).is_dir() or (top / f"{name}.rs").exists()):
                    graph.setdefault(own, {}).setdefault(name, str(path.relative_to(SRC)))
        graph.setdefault(own, {})
    return graph


def circles(graph):
    """Strongly connected components of more than one folder, by Tarjan's algorithm."""
    index, low, stack, found, counter = {}, {}, [], [], 0

    def visit(v):
        nonlocal counter
        index[v] = low[v] = counter
        counter += 1
        stack.append(v)
        for w in graph.get(v, {}):
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in stack:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            group = []
            while not group or group[-1] != v:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for v in graph:
        if v not in index:
            visit(v)
    return found


bad = []
for top in (SRC, SRC / "fleet"):
    graph = imports(top)
    if "--graph" in sys.argv[1:]:
        for own, others in sorted(graph.items()):
            print(own, "->", ", ".join(sorted(others)) or "nothing")
    found = circles(graph)
    bad += found
    for group in found:
        print("not ok - no circle of imports among", ", ".join(group))
        for v in group:
            for w in group:
                if w in graph[v]:
                    print(f"    {v} -> {w} in {graph[v][w]}")
    if not found:
        name = top.relative_to(SRC.parent)
        print(f"ok - the {len(graph)} folders of {name} import one another in one direction")
sys.exit(bool(bad))
