#!/bin/bash
#
# check-symbols.sh [DIRECTORY]: what the built files in DIRECTORY (default: target/release), of whatever processor, ask of
# the C library and of libpam. Fails when that is more than the oldest supported system has:
#
#                     glibc   Linux-PAM
#     Ubuntu 22.04    2.35    1.4.0
#     Debian 12       2.36    1.5.2
#     Ubuntu 24.04    2.39    1.5.3
#     Debian 13       2.41    1.7.0
#
# check-symbols.sh --glibc [DIRECTORY]: prints the version of the C library that they ask for.

set -euo pipefail
readonly newest_glibc=2.35 newest_pam=1.4
only_print=no
if [[ ${1:-} == --glibc ]]; then
    only_print=yes
    shift
fi
directory=${1:-$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)/target/release}

# "2.34" and the like, of all undefined symbols.
versions() { readelf --dyn-syms --wide -- "$1" | sed -n 's/.* UND [^ ]*@'"$2"'_\([0-9.]*\).*/\1/p' | sort -Vu; }

newer() { [[ $1 != "$2" && $(printf '%s\n%s\n' "$1" "$2" | sort -V | tail -n 1) == "$1" ]]; }

status=0 most=0
for file in libpam_authalert.so libauthalert_sender.so authalert; do
    [[ -f $directory/$file ]] || {
        echo "check-symbols.sh: no $directory/$file; run cargo build --release first" >&2
        exit 1
    }
    glibc=$(versions "$directory/$file" GLIBC | tail -n 1)
    # LIBPAM_1.4 came with Linux-PAM 1.4; LIBPAM_EXTENSION_1.1.1 and the like are older.
    pam=$(versions "$directory/$file" LIBPAM | tail -n 1)
    needed=$(readelf --dynamic --wide -- "$directory/$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | tr '\n' ' ')
    # There is no such file without the C library.
    [[ -n $glibc ]] || {
        echo "check-symbols.sh: $directory/$file asks for no version of glibc: what was it built with?" >&2
        exit 1
    }
    if newer "$glibc" "$most"; then most=$glibc; fi
    [[ $only_print == no ]] || continue
    printf '%-26s glibc %-6s libpam %-5s needs %s\n' "$file" "$glibc" "${pam:--}" "$needed"
    if newer "$glibc" $newest_glibc; then
        echo "$file needs glibc $glibc; build it on Debian 12 or older" >&2
        status=1
    fi
    if newer "${pam:-0}" $newest_pam; then
        echo "$file needs a symbol of Linux-PAM $pam" >&2
        status=1
    fi
done
[[ $only_print == no ]] || echo "$most"
exit $status
