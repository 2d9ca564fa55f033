#!/bin/bash
# The reports, and what other programs read: totals beside the scan's, the page in a real browser,
# promtool, fail2ban; and the weekly summary with a clock that is put on.
#
#   tests/report/run.sh
#
# What needs a program that is not here is left out with a word; tests/run.sh installs them. AUTHALERT_BUILD: where the artifacts
# are (default: target/release). Takes two minutes.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source-path=SCRIPTDIR/../..
. tests/report.sh
authalert=${AUTHALERT_BUILD:-$PWD/target/release}/authalert
for name in totals pages feeds weekly; do part "$name" timeout --foreground 300 python3 "tests/report/$name.py" "$authalert"; done
finish
