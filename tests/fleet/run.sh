#!/bin/bash
# A fleet with the real engine: members, hub and engine are killed at random, connections cut, the engine's disk emptied, the hub
# lost with its disk, engines of a cluster killed; a member falls silent, many send at once, and one with a valid certificate
# lies. Reports as tests/report.sh says.
#
#     run.sh [--large] [ENGINE]...
#
# --large: 20 members with 5,000 failures each, and a million failures of 1,000 members; about ten minutes more for each
# ENGINE, which is a nats-server (default: the one of this machine). AUTHALERT_BUILD: where authalert and authalert-fleet are
# (default: target/quick). Needs python3, openssl, nats-server; root.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source-path=SCRIPTDIR/../..
. tests/report.sh
kills=() scale=()
if [[ ${1:-} == --large ]]; then
    shift
    kills=(--members 20 --failures 5000 --seconds 150) scale=(--members 1000 --failures 1000000)
fi
engines=("$@")
((${#engines[@]})) || engines=("$(PATH=$PATH:/usr/sbin command -v nats-server)")

for engine in "${engines[@]}"; do
    export AUTHALERT_ENGINE=$engine
    scenario 120 python3 tests/fleet/lifecycle.py
    scenario 120 python3 tests/fleet/attacks.py
    scenario 120 python3 tests/fleet/successor.py
    scenario 180 python3 tests/fleet/restored.py
    scenario 180 python3 tests/fleet/back.py
    scenario 120 python3 tests/fleet/latency.py
    scenario 120 python3 tests/fleet/silent.py
    scenario 150 python3 tests/fleet/loss.py
    scenario 150 python3 tests/fleet/loss.py --engine-too
    scenario 300 python3 tests/fleet/cluster.py
    scenario 600 python3 tests/fleet/scale.py "${scale[@]}"
    scenario 600 python3 tests/fleet/kills.py "${kills[@]}"
done
finish
