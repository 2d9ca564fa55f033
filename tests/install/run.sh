#!/bin/bash
# install.sh, authalert-pam, the packages and authalert check. Reports as tests/report.sh says.
#
#     run.sh [--all]     with --all install.sh, the package's scripts and dpkg are killed at each KILL_EVERY-th step
#                        (default 12; every step takes up to 40 minutes: kill.sh alone)
#
# AUTHALERT_BUILD: the directory of the built files (default: target/release). All but trees and packages need root, and work in copies
# of this machine's own system.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source-path=SCRIPTDIR
. "$here/../report.sh"
parts=(trees packages failure ways release check)
[[ ${1:-} != --all ]] || parts+=(kill)
export KILL_EVERY=${KILL_EVERY:-12}
for part in "${parts[@]}"; do
    if [[ $part != trees && $part != packages && $EUID != 0 ]]; then
        echo 'plan 1'
        left_out "tests/install/$part.sh" 'it needs root'
    else
        part "$part" "$here/$part.sh"
    fi
done
finish
