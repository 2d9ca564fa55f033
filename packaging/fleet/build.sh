#!/bin/bash
#
# Builds the Debian package of the fleet: packaging/fleet/build.sh [DIRECTORY] puts authalert-fleet_VERSION_ARCH.deb into
# DIRECTORY (default: target). AUTHALERT_BUILD=DIR takes the built authalert-fleet from DIR instead of building it,
# VERSION=X names another version than that of Cargo.toml.

set -euo pipefail
umask 022
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
source_tree=${here%/packaging/fleet}

main() {
    case ${1:-} in
    -h | --help) sed -n '3,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    -*) echo "packaging/fleet/build.sh: no option '$1'; a directory may be given, see --help" >&2; exit 2 ;;
    esac
    local output built=${AUTHALERT_BUILD:-$source_tree/target/release} unit
    output=$(realpath -m -- "${1:-$source_tree/target}")
    # Alone: with the other packages its crates would give theirs what they do not ask for.
    [[ -n ${AUTHALERT_BUILD:-} ]] ||
        (cd -- "$source_tree" && cargo build --release --locked -p authalert-fleet --target-dir "$source_tree/target")
    tree=$(mktemp -d)
    trap 'rm -rf -- "$tree"' EXIT
    chmod 0755 -- "$tree"
    version=${VERSION:-$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' "$source_tree/Cargo.toml")}
    architecture=$(dpkg --print-architecture)
    # shellcheck source=/dev/null
    . "$source_tree/packaging/maintainer"

    install -D -m 0755 -- "$built/authalert-fleet" "$tree/usr/bin/authalert-fleet"
    strip --strip-unneeded -- "$tree/usr/bin/authalert-fleet"
    for unit in "$here"/*.service; do
        mkdir -p -- "$tree/usr/lib/systemd/system"
        sed 's,@bindir@,/usr/bin,g' -- "$unit" >"$tree/usr/lib/systemd/system/${unit##*/}"
    done
    install -D -m 0644 -- "$here/authalert-fleet.8" "$tree/usr/share/man/man8/authalert-fleet.8"
    gzip -9n -- "$tree/usr/share/man/man8/authalert-fleet.8"
    install -D -m 0644 -- "$source_tree/packaging/deb/copyright" "$tree/usr/share/doc/authalert-fleet/copyright"
    describe "$NAME <$EMAIL>" "$URL"
    mkdir -p -- "$output"
    dpkg-deb --root-owner-group --build -- "$tree" "$output/authalert-fleet_${version}_$architecture.deb"
}

describe() { # MAINTAINER URL
    mkdir -p -- "$tree/DEBIAN"
    local size glibc
    size=$(du -ks --exclude=DEBIAN -- "$tree" | cut -f1)
    glibc=$(objdump -T -- "$tree/usr/bin/authalert-fleet" | sed -n 's/.*GLIBC_\([0-9.]*\).*/\1/p' | sort -Vu | tail -n 1)
    sed -e "s/@version@/$version/" -e "s/@architecture@/$architecture/" -e "s/@size@/$size/" -e "s/@glibc@/$glibc/" \
        -e "s|@maintainer@|$1|" -e "s|@url@|$2|" -- "$here/control" >"$tree/DEBIAN/control"
    (cd -- "$tree" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
    chmod 0644 -- "$tree"/DEBIAN/*
    local script
    for script in postinst prerm postrm; do
        install -m 0755 -- "$here/$script" "$tree/DEBIAN/$script"
    done
}

main "$@"
