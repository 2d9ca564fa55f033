#!/bin/bash
# A fleet with the real engine: members, hub and engine are killed at random, connections cut, the engine's disk emptied,
# and a member with a valid certificate lies. Reports as tests/report.sh says.
#
#     run.sh [ENGINE]...
#
# ENGINE is a nats-server (default: the one of this machine). AUTHALERT_BUILD: where authalert and authalert-fleet are
# (default: target/quick). Needs python3, openssl, nats-server; root.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source-path=SCRIPTDIR/../..
. tests/report.sh
export TMPDIR=${TMPDIR:-/tmp}
engines=("$@")
((${#engines[@]})) || engines=("$(PATH=$PATH:/usr/sbin command -v nats-server)")

scenario() { # SECONDS COMMAND...
    part "$(basename "${*:3:1}") ${*:4}" summed "$@"
}

summed() { # SECONDS COMMAND...
    local log=$TMPDIR/scenario status
    timeout --foreground --kill-after=10 "$@" >"$log" 2>&1
    status=$?
    cat "$log"
    good=$(grep -c '^ok - ' "$log") bad=$(grep -c '^not ok - ' "$log")
    ((status != 0 && bad == 0)) || printf '%d passed, %d failed\n' "$good" "$bad"
    return $status
}

for engine in "${engines[@]}"; do
    export AUTHALERT_ENGINE=$engine
    scenario 120 python3 tests/fleet/lifecycle.py
    scenario 120 python3 tests/fleet/attacks.py
    scenario 120 python3 tests/fleet/successor.py
    scenario 120 python3 tests/fleet/latency.py
    scenario 300 python3 tests/fleet/kills.py
done
finish
