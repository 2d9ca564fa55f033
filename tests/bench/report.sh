#!/bin/sh
# What a report costs beside the scan of the same log: time as a ratio, and memory, with few sources and with a million.
#
#   tests/bench/report.sh [MEGABYTES]      default: 400; needs a release build
set -eu
cd "$(dirname "$0")/../.."
exec python3 - "${1:-400}" "$PWD/target/release/authalert" <<'EOF'
import os, random, statistics, subprocess, sys, tempfile, time

megabytes, authalert = int(sys.argv[1]), sys.argv[2]


def write(path, sources):
    """A log of which one line in three tells of a failure; `sources` addresses, or one address a failure."""
    draw = random.Random(7)
    with open(path, "w", buffering=1 << 20) as log:
        i = written = 0
        while written < megabytes << 20:
            second = i // 3
            stamp = f"Oct {second // 86400 % 28 + 1:2} {second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02} srv sshd[{i % 4000000 + 1}]:"
            n = i if sources is None else draw.randrange(sources)
            address = f"{n >> 24 & 127 | 64}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
            text = (f"{stamp} Failed password for {'root' if i % 3 else 'invalid user name' + str(i % 5000)} from {address} port {i % 60000 + 1} ssh2\n"
                    f"{stamp} Received disconnect from {address} port {i % 60000 + 1}:11: Bye Bye [preauth]\n"
                    f"{stamp} Disconnected from authenticating user root {address} port {i % 60000 + 1} [preauth]\n")
            written += log.write(text)
            i += 1
    return i


def once(*args):
    """Seconds, peak of the memory in MB, what is printed."""
    begun = time.monotonic()
    process = subprocess.Popen([authalert, "--state", "/nonexistent", *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    text = process.stdout.read()
    _, _, usage = os.wait4(process.pid, 0)
    return time.monotonic() - begun, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime, text


with tempfile.TemporaryDirectory() as directory:
    log = os.path.join(directory, "auth.log")
    for name, sources in (("2000 sources", 2000), ("one source a failure", None)):
        failures = write(log, sources)
        scan, report = [], []
        for _ in range(3):
            scan.append(once("scan", "--dry-run", log))
            report.append(once("report", log))
        middle = lambda runs, at: statistics.median(run[at] for run in runs)
        print(f"{name}: {failures} failures, {megabytes} MB")
        for what, runs in (("scan", scan), ("report", report)):
            print(f"  {what:7} {middle(runs, 0):6.2f} s, {middle(runs, 2):6.2f} s of processor, {middle(runs, 1):5.1f} MB")
        print(f"  ratio   {middle(report, 0) / middle(scan, 0):6.2f} in time, {middle(report, 2) / middle(scan, 2):.2f} of processor (at most 1.5), memory at most 64 MB", flush=True)
EOF
