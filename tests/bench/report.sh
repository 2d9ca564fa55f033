#!/bin/sh
# What a report costs beside the scan of the same log: time as a ratio, and memory, where few lines tell of a failure and
# where each does, with few sources, with one for each failure, and with names as long and as many as an attacker likes; and
# where many lines tell of a login.
# A report reads, counts and judges on three threads, and reads who got in, which a scan alone passes over; that is read by the
# thread that counts. Where three processors are free, its time is that of the slowest thread; where there are fewer, it is what
# they take of the processor, shared among those that are free.
#
# Where many lines tell of a login it is above the bound: where 6 % are logins all threads together run 3.8 times the
# instructions of a scan, with 15 % 6.5 times (callgrind), on as many processors as are free. A scan passes over a login as fast
# as memory gives it; for a report the text is searched once more, for the words of logins, and each is read, ordered and judged.
#
#   tests/bench/report.sh [MEGABYTES] [RUNS]      default: 400 3; needs a release build
set -eu
cd "$(dirname "$0")/../.."
exec python3 - "${1:-400}" "${2:-3}" "${AUTHALERT:-$PWD/target/release/authalert}" <<'EOF'
import os, random, statistics, subprocess, sys, tempfile, time

megabytes, runs, authalert = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
BEST, MOST = 1.5, 64
missed = []


def write(path, sources, others):
    """A log in which so many lines of other kinds follow each failure; `sources` addresses, or one address a failure."""
    draw = random.Random(7)
    written = failures = 0
    day = 28 * 86400 / (megabytes * (1 << 20) / 100 / (1 + others))
    with open(path, "w", buffering=1 << 20) as log:
        while written < megabytes << 20:
            second = int(failures * day)
            stamp = f"Oct {second // 86400 % 28 + 1:2} {second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02} srv "
            # Few sources come from anywhere, one each from one network after another.
            n = failures if sources is None else draw.randrange(sources or 1) * 2654435761
            address, pid, port = f"{n >> 24 & 127 | 64}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}", failures % 4000000 + 1, failures % 60000 + 1
            name = "root" if failures % 3 else f"invalid user name{failures % 5000}"
            text = [f"{stamp}sshd[{pid}]: Failed password for {name} from {address} port {port} ssh2\n"]
            kinds = (f"{stamp}sshd[{pid}]: Received disconnect from {address} port {port}:11: Bye Bye [preauth]\n",
                     f"{stamp}sshd[{pid}]: Disconnected from authenticating user root {address} port {port} [preauth]\n",
                     f"{stamp}CRON[{pid}]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)\n",
                     f"{stamp}CRON[{pid}]: pam_unix(cron:session): session closed for user root\n",
                     f"{stamp}sudo[{pid}]:   deploy : TTY=pts/0 ; PWD=/home/deploy ; USER=root ; COMMAND=/usr/bin/systemctl restart app\n",
                     f"{stamp}systemd-logind[612]: New session {pid} of user deploy.\n",
                     f"{stamp}sshd[{pid + 1}]: Accepted publickey for deploy from 203.0.113.7 port {port} ssh2: ED25519 SHA256:abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG\n",
                     f"{stamp}sshd[{pid + 2}]: Connection closed by {address} port {port} [preauth]\n",
                     f"{stamp}CRON[{pid}]: pam_unix(cron:session): session opened for user www-data(uid=33) by (uid=0)\n",
                     f"{stamp}CRON[{pid}]: pam_unix(cron:session): session closed for user www-data\n",
                     f"{stamp}systemd-logind[612]: Session {pid} logged out. Waiting for processes to exit.\n",
                     f"{stamp}systemd-logind[612]: Removed session {pid}.\n",
                     f"{stamp}sshd[{pid + 3}]: Received disconnect from 203.0.113.7 port {port}:11: disconnected by user\n",
                     f"{stamp}sshd[{pid + 3}]: Disconnected from user deploy 203.0.113.7 port {port}\n",
                     f"{stamp}sudo[{pid}]: pam_unix(sudo:session): session closed for user root\n")
            text += [kinds[i % len(kinds)] for i in range(others)]
            if sources == 0:
                text = [f"{stamp[:-1]}{failures} {program}[{pid}]: pam_unix({service}:auth): authentication failure; logname= uid=0 euid=0 tty=ssh "
                        f"ruser={failures}{'ß' * 60} rhost={failures}{'東' * 80}.example.org  user={failures}{'京' * 60}\n"
                        for program, service in (("sshd", "sshd"), (f"p{failures}", f"s{failures}{'é' * 50}"))]
            text = "".join(text)
            log.write(text)
            written += len(text.encode())
            failures += 1 if sources != 0 else 2
    return failures


def busy(path, sudo):
    """The log of the benchmark of the scan, with so many per cent of its lines commands by sudo, and 5 logins by sshd."""
    subprocess.run([sys.executable, "tests/bench/busy.py", path, str(megabytes), str(sudo)], check=True)
    with open(path) as lines:
        return sum("]: Failed password" in line for line in lines)


def once(*args):
    """Seconds, peak of the memory in MB, seconds of processor."""
    begun = time.monotonic()
    process = subprocess.Popen([authalert, "--state", "/nonexistent", *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{args[0]}: status {status}")
    return time.monotonic() - begun, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


with tempfile.TemporaryDirectory() as directory:
    log = os.path.join(directory, "auth.log")
    kinds = [(name, lambda sources=sources, others=others: write(log, sources, others)) for name, sources, others in (
        ("6 % of the lines, 2000 sources", 2000, 15), ("one line in three, 2000 sources", 2000, 2),
        ("one line in three, a source each", None, 2), ("every line, 2000 sources", 2000, 0),
        ("every line, a source each", None, 0), ("long names, each another", 0, 0))]
    kinds += [(f"busy, {5 + sudo} % of the lines logins", lambda sudo=sudo: busy(log, sudo)) for sudo in (1, 10)]
    for name, make in kinds:
        failures = make()
        once("scan", "--dry-run", log)
        scan, report = [], []
        for _ in range(runs):  # in turn, so that a busy moment hits both
            scan.append(once("scan", "--dry-run", log))
            report.append(once("report", log))
        middle = lambda of, at: statistics.median(run[at] for run in of)
        ratio, memory = middle(report, 0) / middle(scan, 0), max(run[1] for run in report)
        print(f"{name}: {failures} failures, {megabytes} MB")
        for what, of in (("scan", scan), ("report", report)):
            print(f"  {what:7} {middle(of, 0):6.2f} s, {middle(of, 2):6.2f} s of processor, {max(run[1] for run in of):5.1f} MB")
        print(f"  ratio   {ratio:6.2f} in time, {middle(report, 2) / middle(scan, 2):.2f} of processor", flush=True)
        missed += [name] if ratio > BEST or memory > MOST else []
print(f"at most {BEST} in time and {MOST} MB: " + (f"missed with {'; '.join(missed)}" if missed else "kept"))
sys.exit(bool(missed))
EOF
