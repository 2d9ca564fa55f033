"""What a caller may start a program with: environments, signals, descriptors, timers, limits, names. Each case is its name and
what Call takes for it."""

import functools
import sys

from scene import *

FULL = "--full" in sys.argv
EVERY_SIGNAL = [s for s in signal.valid_signals() if s not in (signal.SIGKILL, signal.SIGSTOP)]
MIB = 1 << 20
# How a limit or a timer of the caller's ends a program.
ENDED = [-n for n in (signal.SIGKILL, signal.SIGXCPU, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF)]
# The same of what it started, of which it tells.
ENDED_BELOW = [128 - status for status in ENDED]
READ_IMPLIES_EXEC, ADDR_NO_RANDOMIZE, UNAME26, STICKY_TIMEOUTS = 0x0400000, 0x0040000, 0x0020000, 0x4000000


def hostile_environment(listener):
    proxy = f"http://127.0.0.1:{listener}"
    return {
        "PATH": "/usr/bin:/bin:/usr/sbin", "http_proxy": proxy, "https_proxy": proxy, "HTTPS_PROXY": proxy,
        "HTTP_PROXY": proxy, "ALL_PROXY": proxy, "NO_PROXY": "", "SSL_CERT_FILE": "/tmp/attacker.pem",
        "SSL_CERT_DIR": "/tmp", "RUST_BACKTRACE": "full", "RUST_MIN_STACK": str(1 << 60), "RUST_LOG": "trace",
        "TZ": ":/etc/shadow", "HOME": "/nonexistent", "LANG": "xx_XX.\xff", "LC_ALL": "../../../etc", "TMPDIR": "/etc",
        "MALLOC_CHECK_": "3", "LD_PRELOAD": "/tmp/x.so", "LD_LIBRARY_PATH": "/tmp", "RES_OPTIONS": "debug",
        "HOSTALIASES": "/etc/shadow", "XDG_CONFIG_HOME": "/tmp", "SSLKEYLOGFILE": "/tmp/keys", "GCONV_PATH": "/tmp",
    }


def environments(listener):
    yield "proxies, certificates, RUST_*, TZ, HOME, LANG, LD_*", hostile_environment(listener)
    yield "an empty environment", {}
    yield "1 MB of environment", {f"V{i}": "x" * 100_000 for i in range(10)}


def dispositions():
    yield "SIGXFSZ ignored, files of 0 bytes", dict(ignored=[signal.SIGXFSZ], limits=fsize(0))
    yield "SIGXFSZ blocked, files of 0 bytes", dict(blocked=[signal.SIGXFSZ], limits=fsize(0))
    yield "SIGCHLD ignored", dict(ignored=[signal.SIGCHLD])
    yield "SIGALRM and SIGPIPE ignored", dict(ignored=[signal.SIGALRM, signal.SIGPIPE])
    yield "every signal ignored", dict(ignored=EVERY_SIGNAL)
    yield "every signal blocked", dict(blocked=EVERY_SIGNAL)
    yield "umask 777", dict(umask=0o777)
    yield "umask 0", dict(umask=0)
    yield "a working directory that is gone", dict(cwd="gone")
    yield "standard error closed", dict(closed=[2])
    yield "standard output and error closed", dict(closed=[1, 2])
    yield "standard input, output and error closed", dict(closed=[0, 1, 2])
    yield "lowest priority", dict(prepare=lambda: os.nice(19))
    yield "one processor, when nobody else wants it", dict(prepare=idle)
    yield "first to go when memory runs out", dict(prepare=lambda: write_oom(1000))
    yield "an execution domain of another age", dict(prepare=lambda: LIBC.personality(
        READ_IMPLIES_EXEC | ADDR_NO_RANDOMIZE | UNAME26 | STICKY_TIMEOUTS))
    for timer, which in (("real", signal.ITIMER_REAL), ("virtual", signal.ITIMER_VIRTUAL), ("profiling", signal.ITIMER_PROF)):
        for seconds in (0.001, 0.01, 0.03):
            yield f"a {timer} timer of {seconds} s", dict(prepare=functools.partial(signal.setitimer, which, seconds, seconds))
    yield "every real timer signal ignored", dict(ignored=[signal.SIGALRM], prepare=functools.partial(
        signal.setitimer, signal.ITIMER_REAL, 0.0005, 0.0005))


def idle():
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    os.sched_setaffinity(0, {0})


def write_oom(n):
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(n))


def programs_names():
    yield "no name at all", dict(argv0="")
    yield "a name that looks like another's line", dict(argv0="sshd[1]: Failed password for root from 192.0.2.66 port 1 ssh2")
    yield "a name with control characters", dict(argv0="su\n\x1b[2J\u202e%n%s")
    yield "a name of 100,000 bytes", dict(argv0="s" * 100_000)


def not_lifted():
    """Without CAP_SYS_RESOURCE nobody lifts what the caller rationed, root neither."""
    for n in (0, 1, 100, 4096):
        yield f"no CAP_SYS_RESOURCE, files of {n} bytes", dict(limits=fsize(n), lifts=False)
    for n in range(3, 12):
        yield f"no CAP_SYS_RESOURCE, {n} descriptors", dict(limits=[(resource.RLIMIT_NOFILE, n, n)], lifts=False)
    yield "no CAP_SYS_RESOURCE, files of 0 bytes, SIGXFSZ ignored", dict(limits=fsize(0), ignored=[signal.SIGXFSZ], lifts=False)
    yield "no CAP_SYS_RESOURCE, files of 0 bytes, no queued signals", dict(
        limits=[*fsize(0), (resource.RLIMIT_SIGPENDING, 0, 0)], lifts=False)


def fsize(n):
    return [(resource.RLIMIT_FSIZE, n, n)]


def limits():
    def both(name, which, values):
        for value in values:
            yield f"{name} {value}", dict(limits=[(which, value, value)])

    few = [0, 1, 3, 4, 5, 6, 7, 8, 10, 16, 32]
    yield from both("RLIMIT_NOFILE", resource.RLIMIT_NOFILE, range(0, 34) if FULL else few)
    yield from both("RLIMIT_FSIZE", resource.RLIMIT_FSIZE, [0, 1, 100, 4096])
    step = MIB // 8 if FULL else MIB
    yield from both("RLIMIT_AS", resource.RLIMIT_AS, [0, *range(2 * MIB, 24 * MIB, step), 64 * MIB, 256 * MIB])
    yield from both("RLIMIT_DATA", resource.RLIMIT_DATA, [0, *range(MIB // 4, 4 * MIB, step // 4), 16 * MIB])
    stacks = range(16 << 10, 300 << 10, (4 << 10) if FULL else (32 << 10))
    yield from both("RLIMIT_STACK", resource.RLIMIT_STACK, [0, *stacks, 8 * MIB])
    yield from both("RLIMIT_NPROC", resource.RLIMIT_NPROC, [0, 1])
    yield from both("RLIMIT_CPU", resource.RLIMIT_CPU, [0, 1])
    yield from both("RLIMIT_CORE", resource.RLIMIT_CORE, [0])
    yield from both("RLIMIT_SIGPENDING", resource.RLIMIT_SIGPENDING, [0])
    yield from both("RLIMIT_MEMLOCK", resource.RLIMIT_MEMLOCK, [0])
    yield from both("RLIMIT_MSGQUEUE", resource.RLIMIT_MSGQUEUE, [0])
    yield from both("RLIMIT_RTTIME", 15, [0, 1000])
    yield from both("RLIMIT_LOCKS", 10, [0])
    # All but so many taken by files that the program inherits.
    for free in range(0, 7):
        yield f"{free} descriptors left of 80", dict(limits=[(resource.RLIMIT_NOFILE, 80, 80)],
                                                    prepare=functools.partial(inherit, 80 - free))


def inherit(end):
    for number in range(3, end):
        os.dup2(0, number)
