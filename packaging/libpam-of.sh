#!/bin/bash
#
# libpam-of.sh ARCHITECTURE DIRECTORY: the libpam of another of Debian's architectures (arm64), and what it needs, as
# DIRECTORY/libpam.so …, to link against with -L native=DIRECTORY and -Wl,-rpath-link=DIRECTORY. That of this system where
# it has it (libpam0g-dev:arm64); else Debian's packages are fetched by apt, and unpacked, with no change to this system.

set -euo pipefail
(($# == 2)) || { sed -n '3,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
readonly architecture=$1 directory=$2 libraries='libpam.so.0 libaudit.so.1 libcap-ng.so.0'
multiarch=$(dpkg-architecture -a "$architecture" -qDEB_HOST_MULTIARCH 2>/dev/null || echo aarch64-linux-gnu)
mkdir -p -- "$directory"
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
root=
if [[ ! -e /lib/$multiarch/libpam.so.0 ]]; then
    # Lists and packages of its own; the sources and their keys are this system's.
    own=(-qq -o Dir::State="$scratch/state" -o Dir::State::status=/dev/null -o Dir::Cache="$scratch/cache"
        -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" -o APT::Sandbox::User=root)
    mkdir -p -- "$scratch"/{state/lists/partial,cache/archives/partial,root}
    apt-get "${own[@]}" update
    (cd -- "$scratch" && apt-get "${own[@]}" download libpam0g libaudit1 libcap-ng0)
    for package in "$scratch"/*.deb; do dpkg-deb -x "$package" "$scratch/root"; done
    root=$scratch/root
fi
for library in $libraries; do
    # Below /usr since Debian 13.
    cp -L -- "$root/lib/$multiarch/$library" "$directory/" 2>/dev/null || cp -L -- "$root/usr/lib/$multiarch/$library" "$directory/"
done
ln -sf libpam.so.0 "$directory/libpam.so"
