#!/bin/bash
#
# Builds the Debian package: packaging/deb/build.sh [DIRECTORY] puts authalert_VERSION_ARCH.deb into
# DIRECTORY (default: target). AUTHALERT_BUILD=DIR takes built files from DIR instead of building
# them, VERSION=X names another version than that of Cargo.toml. The architecture is that of the built files.
# Built on the oldest supported system (Debian 12) it loads on every newer one. Built on a newer one it
# asks for that one's C library, and says so. The same sources and programs give the same file. cargo and python3 are
# asked for the licences of the crates.

set -euo pipefail
umask 022
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
source_tree=${here%/packaging/deb}
output=$(realpath -m -- "${1:-$source_tree/target}")

main() {
    case ${1:-} in
    -h | --help) sed -n '3,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    -*) echo "packaging/deb/build.sh: no option '$1'; a directory may be given, see --help" >&2; exit 2 ;;
    esac
    local built=${AUTHALERT_BUILD:-$source_tree/target/release}
    [[ -n ${AUTHALERT_BUILD:-} ]] || (cd -- "$source_tree" && cargo build --release --locked --target-dir "$source_tree/target")
    tree=$(mktemp -d)
    trap 'rm -rf -- "$tree"' EXIT
    chmod 0755 -- "$tree"
    version=${VERSION:-$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' "$source_tree/Cargo.toml")}
    know_the_architecture "$built/libpam_authalert.so"

    # shellcheck source=/dev/null
    . "$source_tree/packaging/maintainer"
    maintainer="$NAME <$EMAIL>"
    glibc=$("$source_tree/packaging/check-symbols.sh" --glibc "$built")
    "$source_tree/packaging/check-symbols.sh" "$built" || echo "build.sh: this package is not for older systems than this one" >&2
    fill "$built"
    describe
    mkdir -p -- "$output"
    # Of one thread: how many wrote it must not be seen in it.
    SOURCE_DATE_EPOCH=$(last_change) DPKG_DEB_THREADS_MAX=1 \
        dpkg-deb --root-owner-group --build -- "$tree" "$output/authalert_${version}_$architecture.deb"
}

# Debian's names for the processor in the header of FILE.
know_the_architecture() { # FILE
    case $(readelf --file-header --wide -- "$1" | sed -n 's/^ *Machine: *//p') in
    *X86-64*) architecture=amd64 multiarch=x86_64-linux-gnu ;;
    AArch64) architecture=arm64 multiarch=aarch64-linux-gnu ;;
    *)
        architecture=$(dpkg --print-architecture)
        multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch)
        ;;
    esac
}

fill() {
    local built=$1 page unit
    put 0644 "$built/libauthalert_sender.so" /usr/lib/authalert/libauthalert_sender.so
    put 0644 "$built/libpam_authalert.so" "/usr/lib/$multiarch/security/pam_authalert.so"
    put 0755 "$built/authalert" /usr/bin/authalert
    put 0755 "$source_tree/packaging/authalert-pam" /usr/sbin/authalert-pam
    strip_them
    put 0644 "$source_tree/pam.d/authalert" /usr/share/pam-configs/authalert
    put 0644 "$source_tree/etc/config.toml" /etc/authalert/config.toml
    install -d -m 0755 -- "$tree/etc/authalert/receivers.d" "$tree/etc/authalert/rules.d"
    with_paths "$source_tree/packaging/cron/authalert" /etc/cron.d/authalert
    for unit in "$source_tree"/packaging/systemd/*; do
        with_paths "$unit" "/usr/lib/systemd/system/${unit##*/}"
    done
    for page in "$source_tree"/packaging/man/*.[1-9]; do
        [[ -f $page ]] || continue
        put 0644 "$page" "/usr/share/man/man${page##*.}/${page##*/}"
        gzip -9n -- "$tree/usr/share/man/man${page##*.}/${page##*/}"
    done
    put 0644 "$source_tree/packaging/completions/authalert.bash" /usr/share/bash-completion/completions/authalert
    put 0644 "$source_tree/packaging/completions/_authalert" /usr/share/zsh/vendor-completions/_authalert
    put 0644 "$source_tree/packaging/completions/authalert.fish" /usr/share/fish/vendor_completions.d/authalert.fish
    { cat -- "$here/copyright" && echo && "$source_tree/packaging/licences.py" --debian; } >"$tree/copyright"
    put 0644 "$tree/copyright" /usr/share/doc/authalert/copyright
    rm -- "$tree/copyright"
    put 0644 "$here/lintian-overrides" /usr/share/lintian/overrides/authalert
    sed -e "s/@version@/$version/" -e "s|@maintainer@|$maintainer|" -e "s/@date@/$(date -Rud "@$(last_change)")/" -- "$here/changelog" |
        gzip -9n >"$tree/usr/share/doc/authalert/changelog.gz"
}

describe() {
    mkdir -p -- "$tree/DEBIAN"
    local size
    # As dpkg-gencontrol counts: what a file system makes of it differs from one to the next.
    size=$(find "$tree" -mindepth 1 -path "$tree/DEBIAN" -prune -o -printf '%y %s\n' |
        awk '{ sum += $1 == "f" ? int(($2 + 1023) / 1024) : 1 } END { print sum }')
    sed -e "s/@version@/$version/" -e "s/@architecture@/$architecture/" -e "s/@size@/$size/" -e "s/@glibc@/$glibc/" \
        -e "s|@maintainer@|$maintainer|" -e "s|@url@|$URL|" -- "$here/control" >"$tree/DEBIAN/control"
    (cd -- "$tree" && find etc -type f -printf '/%p\n' | sort) >"$tree/DEBIAN/conffiles"
    (cd -- "$tree" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
    chmod 0644 -- "$tree"/DEBIAN/*
    local script
    for script in preinst postinst prerm postrm; do
        install -m 0755 -- "$here/$script" "$tree/DEBIAN/$script"
    done
}

put() { if [[ -f $2 ]]; then install -D -m "$1" -- "$2" "$tree$3"; fi; }

with_paths() {
    mkdir -p -- "$(dirname -- "$tree$2")"
    sed 's,@bindir@,/usr/bin,g' -- "$1" >"$tree$2"
}

strip_them() {
    # Those of a release are stripped already; the tool for another processor may not be here.
    local tool=$multiarch-strip
    command -v "$tool" >/dev/null || return 0
    "$tool" --strip-unneeded -- "$tree/usr/bin/authalert" "$tree/usr/lib/authalert/libauthalert_sender.so" \
        "$tree/usr/lib/$multiarch/security/pam_authalert.so"
}

# The same sources give the same package.
last_change() { echo "${SOURCE_DATE_EPOCH:-$(git -C "$source_tree" log -1 --format=%ct 2>/dev/null || date +%s)}"; }

main "$@"
