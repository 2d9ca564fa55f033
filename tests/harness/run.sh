#!/bin/sh
# Failures from many processes, passes that are killed or meddled with, an X that fails, disks that fill: nothing is lost,
# nothing is told twice. Prints "ok - ..." and "not ok - ..." lines; exit status 1 if one is not ok.
#
#     run.sh [--large]     about five minutes; with --large about an hour
#
# Needs python3 and what cargo build makes; uses strace, libfaketime, cc with libpam's headers, and mounts where it may.
set -u
cd "$(dirname "$0")/../.." || exit 1
large=${1:-}
cargo build --locked && cargo build --locked --example append || exit 1
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# One scenario, bounded in time: run SECONDS COMMAND...
run() {
	limit=$1
	shift
	timeout "$limit" "$@" >"$log" 2>&1
	status=$?
	# What cargo test prints, in the same form.
	sed -e 's/^test \(.*\) \.\.\. ok$/ok - \1/' -e 's/^test \(.*\) \.\.\. FAILED$/not ok - \1/' "$log" | sed '/ok - /s/_/ /g'
	if [ "$status" -ne 0 ]; then
		failed=1
		grep -qE '^not ok|FAILED$' "$log" || echo "not ok - $* ended with status $status"
	fi
}

failed=0
here=tests/harness
if [ "$large" = --large ]; then
	run 900 python3 $here/crowd.py --writers 16 --records 900 --logins 400 --seconds 120
	run 600 python3 $here/receivers.py --seconds 60
	run 1800 python3 $here/steps.py
	run 3600 python3 $here/migration.py
	run 1800 python3 $here/steps.py --error ENOSPC
	run 1800 python3 $here/steps.py --error EIO
	run 1800 python3 $here/steps.py --error EDQUOT
	run 3600 python3 $here/meanwhile.py
	run 900 python3 $here/pacing.py
	run 600 python3 $here/troubles.py
	HARNESS_EVERY=1 run 3600 cargo test --locked --profile quick --test damage
else
	run 120 python3 $here/crowd.py --seconds 15
	run 240 python3 $here/receivers.py --failures 20000
	run 180 python3 $here/steps.py --every 5
	run 180 python3 $here/migration.py --every 40
	run 180 python3 $here/steps.py --every 11 --error ENOSPC
	run 180 python3 $here/meanwhile.py --every 47
	run 180 python3 $here/pacing.py bursts irregular spray workstation slow-30 slow-60
	run 240 python3 $here/troubles.py
	run 300 cargo test --locked --test damage
fi
exit $failed
