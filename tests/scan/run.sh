#!/bin/bash
# The log route: logs that are rotated and read at once by scans that are killed, disks that fill, and real programs under
# real log daemons. Reports as tests/report.sh says.
#
#     run.sh [--all] [--large]     about two minutes; with --all three; with --large about forty
#
# AUTHALERT_BUILD: where the artifacts are (default: target/release). What needs root, or programs that are not here, is
# left out, and said so.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source-path=SCRIPTDIR/../..
. tests/report.sh
rounds=1 all=no
case ${1:-} in
--all) all=yes ;;
--large)
    export STORM_SECONDS=300 STEPS_EVERY=1
    all=yes rounds=5
    ;;
esac
logs=$(mktemp -d) || exit 1
trap 'rm -rf "$logs"' EXIT
beside=()

# A part that runs beside the others; what it reports goes the same way, its sum into a file.
part_beside() { # NAME COMMAND...
    (
        passed=0 failed=0
        part "$@"
        echo "passed=\$((passed + $passed)) failed=\$((failed + $failed))" >"$logs/$1"
    ) &
    beside+=("$1")
}

# They have nothing in common, and mostly wait. One of them waits for two minutes alone.
long='cannot be written for a while'
part_beside storm python3 tests/scan/run.py storm large steps troubles
why=
if ((EUID != 0)); then
    why='they need root'
elif ! unshare --mount --propagation private mount -t tmpfs tmpfs /mnt 2>/dev/null; then
    why='this machine (a container?) allows no mounts'
elif [[ ! -r /etc/pam.d/common-auth ]]; then
    why="Debian's stacks only (/etc/pam.d/common-auth)"
elif ! command -v rsyslogd >/dev/null || [[ ! -x /lib/systemd/systemd-journald ]]; then
    why='rsyslog and journald are needed'
fi
if [[ -n $why ]]; then
    echo 'plan 1'
    left_out 'real programs and full disks' "$why"
else
    if [[ $all != no ]]; then
        part_beside long python3 tests/scan/run.py --only "$long" live
        part_beside sources python3 tests/scan/run.py sources
        part_beside coverage python3 tests/scan/run.py coverage
    fi
    part disk python3 tests/scan/run.py disk
    for ((round = 0; round < rounds; round++)); do part live python3 tests/scan/run.py --but "$long" live; done
fi
wait
for name in "${beside[@]}"; do
    if [[ -s $logs/$name ]]; then eval "$(<"$logs/$name")"; else not_ok "$name comes to its end"; fi
done
finish
