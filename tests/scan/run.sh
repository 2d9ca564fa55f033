#!/bin/sh
# The log route: logs that are rotated and read at once by scans that are killed, disks that fill, and real programs under
# real log daemons. Prints "ok - ..." and "not ok - ..." lines; ends with `N passed, N failed`.
#
#     run.sh [--large]     about three minutes; with --large about forty
#
# AUTHALERT_BUILD: where the artifacts are (default: target/release). What needs root, or programs that are not here, is
# left out, and said so.
set -u
cd "$(dirname "$0")/../.." || exit 1
if [ "${1:-}" = --large ]; then
    export STORM_SECONDS=300 STEPS_EVERY=1 LIVE_ROUNDS=5
fi
logs=$(mktemp -d) || exit 1
trap 'rm -rf "$logs"' EXIT

# The two have nothing in common, and both mostly wait.
python3 tests/scan/run.py storm steps troubles >"$logs/alone" 2>&1 &
alone=$!
if [ "$(id -u)" -ne 0 ]; then
    echo 'left out - real programs and full disks: they need root'
elif ! unshare --mount --propagation private mount -t tmpfs tmpfs /mnt 2>/dev/null; then
    echo 'left out - real programs and full disks: this machine (a container?) allows no mounts'
else
    python3 tests/scan/run.py disk live 2>&1 | tee "$logs/live"
fi
wait $alone || true
cat "$logs/alone"

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
