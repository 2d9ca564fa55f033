#!/bin/bash
# The module against hostile callers, hosts, files and networks. Prints "ok - …" and "not ok - …" lines.
#   tests/hostile/run.sh [--full] [PART...]      parts: supply elf hosts callers files marks sshd; soak only with --full or by name
# Uses the artifacts in $AUTHALERT_TARGET, or target/release, or target/debug, whichever is there first.
# callers, files, marks, sshd and soak need root: they work in a mount namespace of their own and leave nothing behind.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
full=
parts=()
for word in "$@"; do
    case $word in
    --full) full=--full ;;
    supply | elf | hosts | callers | files | marks | sshd | soak) parts+=("$word") ;;
    *) echo "usage: tests/hostile/run.sh [--full] [supply|elf|hosts|callers|files|marks|sshd|soak ...]" >&2; exit 2 ;;
    esac
done
if [ ${#parts[@]} = 0 ]; then
    parts=(supply elf hosts callers files marks sshd)
    [ -z "$full" ] || parts+=(soak)
fi
if [ -z "${AUTHALERT_TARGET-}" ]; then
    for AUTHALERT_TARGET in "$root/target/release" "$root/target/debug"; do
        [ ! -e "$AUTHALERT_TARGET/libpam_authalert.so" ] || break
    done
fi
export AUTHALERT_TARGET
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if ! gcc -O1 -g -Wall -o "$scratch/host" "$here/host.c" -lpam -lpthread 2>"$scratch/gcc"; then
    cat "$scratch/gcc"
    echo '# host.c needs gcc and libpam0g-dev'
    echo 'not ok - the hosts can be built'
    exit 1
fi
export AUTHALERT_HOST=$scratch/host
failed=0
for part in "${parts[@]}"; do
    echo "# $part"
    case $part in
    supply) "$here/supply.sh" ;;
    elf) "$here/elf.sh" "$AUTHALERT_TARGET" ;;
    hosts) "$here/hosts.sh" "$AUTHALERT_TARGET" "$AUTHALERT_HOST" $full ;;
    *) python3 "$here/$part.py" $full ;;
    esac || failed=1
done
exit $failed
