#!/bin/sh
# The log route: logs that are rotated and read at once by scans that are killed, disks that fill, and real programs under
# real log daemons. Prints "ok - ..." and "not ok - ..." lines; ends with `N passed, N failed`.
#
#     run.sh [--large]     about six minutes; with --large about forty
#
# AUTHALERT_BUILD: where the artifacts are (default: target/release). What needs root, or programs that are not here, is
# left out, and said so.
set -u
cd "$(dirname "$0")/../.." || exit 1
rounds=1
if [ "${1:-}" = --large ]; then
    export STORM_SECONDS=300 STEPS_EVERY=1
    rounds=5
fi
logs=$(mktemp -d) || exit 1
trap 'rm -rf "$logs"' EXIT

# They have nothing in common, and mostly wait. One of them waits for two minutes alone.
long='cannot be written for a while'
python3 tests/scan/run.py storm large steps troubles >"$logs/alone" 2>&1 &
running=$!
if [ "$(id -u)" -ne 0 ]; then
    echo 'left out - real programs and full disks: they need root'
elif ! unshare --mount --propagation private mount -t tmpfs tmpfs /mnt 2>/dev/null; then
    echo 'left out - real programs and full disks: this machine (a container?) allows no mounts'
elif [ ! -r /etc/pam.d/common-auth ]; then
    echo "left out - real programs and full disks: Debian's stacks only (/etc/pam.d/common-auth)"
elif ! command -v rsyslogd >/dev/null || [ ! -x /lib/systemd/systemd-journald ]; then
    echo 'left out - real programs and full disks: rsyslog and journald are needed'
else
    python3 tests/scan/run.py --only "$long" live >"$logs/long" 2>&1 &
    running="$running $!"
    for part in sources coverage; do
        python3 tests/scan/run.py $part >"$logs/$part" 2>&1 &
        running="$running $!"
    done
    python3 tests/scan/run.py disk >"$logs/disk" 2>&1
    cat "$logs/disk"
    round=0
    while [ $((round += 1)) -le $rounds ]; do
        python3 tests/scan/run.py --but "$long" live >"$logs/live-$round" 2>&1
        cat "$logs/live-$round"
    done
fi
for process in $running; do wait "$process"; done
for part in long alone sources coverage; do
    [ ! -e "$logs/$part" ] || cat "$logs/$part"
done

passed=$(cat "$logs"/* | grep -c '^ok - ') failed=$(cat "$logs"/* | grep -c '^not ok - ')
for part in "$logs"/*; do
    # One that ended early said no sum.
    tail -n 1 "$part" | grep -qE '^[0-9]+ passed, [0-9]+ failed$' || {
        echo "not ok - $(basename "$part") came to its end"
        failed=$((failed + 1))
    }
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
