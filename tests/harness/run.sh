#!/bin/bash
# Failures from many processes, passes that are killed or meddled with, an X that fails, disks that fill: nothing is lost,
# nothing is told twice. Reports as tests/report.sh says.
#
#     run.sh [--all | --large]     some two and a half minutes; with --all four, with --large about an hour
#
# AUTHALERT_BUILD: where the artifacts and the example "append" are (default: target/quick). Needs python3; uses strace,
# libfaketime, cc with libpam's headers, and mounts where it may.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source-path=SCRIPTDIR/../..
. tests/report.sh
here=tests/harness

if [[ ${1:-} == --large ]]; then
    scenario 900 python3 $here/crowd.py --writers 16 --records 900 --logins 400 --seconds 120
    scenario 600 python3 $here/receivers.py --seconds 60
    scenario 900 python3 $here/kinds.py --seconds 60
    scenario 1800 python3 $here/steps.py
    scenario 3600 python3 $here/migration.py
    for error in ENOSPC EIO EDQUOT; do scenario 1800 python3 $here/steps.py --error $error; done
    scenario 3600 python3 $here/meanwhile.py
    scenario 900 python3 $here/pacing.py
    scenario 600 python3 $here/troubles.py
    HARNESS_EVERY=1 scenario 3600 cargo test --locked --profile quick --test damage
else
    # How much of it: a flood's failures, and each which step is cut, out of room, or meddled with.
    failures=8000 cut=17 full=21 meddled=251
    if [[ ${1:-} == --all ]]; then failures=20000 cut=7 full=13 meddled=97; fi
    scenario 100 python3 $here/hung.py
    scenario 400 python3 $here/crowd.py --seconds 15
    scenario 600 python3 $here/receivers.py --failures $failures
    scenario 400 python3 $here/kinds.py --seconds 10
    scenario 600 python3 $here/steps.py --every $cut
    scenario 600 python3 $here/migration.py --every 40
    scenario 600 python3 $here/steps.py --every $full --error ENOSPC
    scenario 600 python3 $here/meanwhile.py --every $meddled
    scenario 600 python3 $here/pacing.py bursts irregular spray workstation slow-30 slow-60
    scenario 600 python3 $here/troubles.py
fi
finish
