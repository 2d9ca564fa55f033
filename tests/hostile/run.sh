#!/bin/bash
# The module against hostile callers, hosts, files and networks. Reports as tests/report.sh says.
#   tests/hostile/run.sh [--all] [PART...]      parts: supply elf hosts callers files marks sshd, and soak only by name
# --all: all of them, soak aside. --full: more rounds of each, and soak. --sample: of the files a third.
# AUTHALERT_BUILD: where the artifacts are (default: target/release); elf asks for what a release build promises.
# callers, files, marks, sshd and soak need root: they work in a mount namespace of their own and leave nothing behind.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source-path=SCRIPTDIR/../..
. "$root/tests/report.sh"
full='' sample=''
parts=()
for word in "$@"; do
    case $word in
    --all) parts=(supply elf hosts callers files marks sshd) ;;
    --full) full=--full ;;
    --sample) sample=--sample ;;
    supply | elf | hosts | callers | files | marks | sshd | soak) parts+=("$word") ;;
    *) echo "usage: tests/hostile/run.sh [--all] [--full] [--sample] [supply|elf|hosts|callers|files|marks|sshd|soak ...]" >&2; exit 2 ;;
    esac
done
if ((${#parts[@]} == 0)); then
    parts=(supply elf hosts callers files marks sshd)
    [[ -z $full ]] || parts+=(soak)
fi
export AUTHALERT_BUILD=${AUTHALERT_BUILD:-$root/target/release}
for part in "${parts[@]}"; do
    # shellcheck disable=SC2086 # a word or none
    case $part in
    supply) part "$part" "$here/supply.sh" ;;
    elf) part "$part" "$here/elf.sh" "$AUTHALERT_BUILD" ;;
    hosts) part "$part" "$here/hosts.sh" "$AUTHALERT_BUILD" $full ;;
    *) part "$part" python3 "$here/$part.py" $full $sample ;;
    esac
done
finish
