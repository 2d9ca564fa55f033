#!/bin/bash
#
# release.sh VERSION [--key FILE] [DIRECTORY]: everything that a release holds, made from the last commit and put into
# DIRECTORY (default: target/release-VERSION):
#
#   authalert-VERSION.tar.xz                  the sources, with those of every crate: it builds without a network
#   authalert_VERSION_{amd64,arm64}.deb       for Debian, Ubuntu and kin
#   authalert-VERSION-1.{x86_64,aarch64}.rpm  for Fedora, RHEL, openSUSE
#   authalert-VERSION-linux-{x86_64,aarch64}.tar.gz   for install.sh --from, on every distribution
#   authalert-VERSION-manual.tar.gz           the manual and the completions
#   *-VERSION-{x86_64,aarch64}.cdx.json       what is linked in, a CycloneDX list for each program
#   authalert-VERSION.built-with              the tools that made it
#   SHA256SUMS, SHA256SUMS.sig                the sums of all, and who says so
#
# --key FILE signs SHA256SUMS with a key of OpenSSH's: a private one, or the public half of one that ssh-agent or a
# security key has. OpenSSH's because its ssh-keygen is wherever there is an sshd to guard; to check by hand:
#
#   ssh-keygen -Y verify -f SIGNERS -I authalert -n authalert-release -s SHA256SUMS.sig <SHA256SUMS
#
# where SIGNERS is a line of "authalert " and the public key.
#
# The same commit and the same tools give the same files, byte for byte, in whatever directory. For programs that load on
# every supported system it is run on the oldest, Debian 12. TARGETS="x86_64-unknown-linux-gnu" makes them for one
# processor only.

set -euo pipefail
umask 022
export LC_ALL=C.UTF-8 TZ=UTC
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
source_tree=${here%/packaging}
read -r -a targets <<<"${TARGETS:-x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu}"
version='' key='' directory=''

main() {
    parse_arguments "$@"
    must_be_ready
    stage=$(mktemp -d "${TMPDIR:-/var/tmp}/authalert-release.XXXXXXXX")
    trap 'rm -rf -- "$stage"' EXIT
    trap 'exit 1' INT TERM HUP
    tree=$stage/authalert-$version out=$stage/out
    mkdir -- "$out"

    take_sources
    local target
    for target in "${targets[@]}"; do
        build "$target"
        pack "$target"
        list_crates "$target"
    done
    pack_manual
    name_the_tools
    sign

    mkdir -p -- "$(dirname -- "$directory")"
    mv -- "$out" "$directory"
    echo "The release is in $directory:"
    (cd -- "$directory" && ls -sh1)
}

parse_arguments() {
    while (($#)); do
        case $1 in
        -h | --help) sed -n '3,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed '$d'; exit 0 ;;
        --key)
            (($# > 1)) || misused "--key needs a file"
            key=$2
            shift
            ;;
        -*) misused "no option '$1'" ;;
        *) if [[ -z $version ]]; then version=$1; else directory=$1; fi ;;
        esac
        shift
    done
    [[ -n $version ]] || misused "which version?"
    directory=$(realpath -m -- "${directory:-$source_tree/target/release-$version}")
    [[ -z $key || -r $key ]] || misused "no file $key"
    [[ -z $key ]] || key=$(realpath -- "$key")
}

must_be_ready() {
    local tool missing=() said
    said=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' "$source_tree/Cargo.toml")
    [[ $said == "$version" ]] || fail "Cargo.toml says $said"
    [[ ! -e $directory ]] || fail "$directory is there already"
    # Of a tree that no commit holds nobody could make the same again.
    git -C "$source_tree" diff --quiet HEAD -- || fail "there are changes that are not committed"
    for tool in git cargo cargo-auditable cargo-cyclonedx python3 dpkg-deb rpmbuild xz ssh-keygen readelf; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    [[ " ${targets[*]} " != *aarch64* ]] || command -v aarch64-linux-gnu-gcc >/dev/null || missing+=(aarch64-linux-gnu-gcc)
    ((${#missing[@]} == 0)) || fail "not here: ${missing[*]}. Debian has git python3 rpm xz-utils openssh-client binutils
gcc-aarch64-linux-gnu; the rest: cargo install --locked cargo-auditable cargo-cyclonedx"
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$source_tree" log -1 --format=%ct)}
    export SOURCE_DATE_EPOCH
}

# --- the sources, and what is built of them ---------------------------------------------------

# What is built is the archive, not the checkout: so it is seen that it builds.
take_sources() {
    mkdir -- "$tree" "$tree/.cargo"
    git -C "$source_tree" archive HEAD | tar -x -C "$tree"
    (cd -- "$tree" && cargo vendor --locked --versioned-dirs vendor >.cargo/config.toml 2>"$stage/vendor") || fail "$(<"$stage/vendor")"
    archive "authalert-$version" | xz --threads=1 >"$out/authalert-$version.tar.xz"
}

# In an order of its own, without the names and times of this machine.
archive() { # NAME...
    tar -C "$stage" --sort=name --format=gnu --owner=0 --group=0 --numeric-owner --mode=go+u,go-w \
        --mtime="@$SOURCE_DATE_EPOCH" -c -- "$@"
}

build() { # TARGET
    local target=$1 upper flags
    upper=${target//-/_} upper=${upper^^}
    # The directory is in no message of a panic and in no assertion of C.
    flags="--remap-path-prefix=$stage=/authalert"
    if [[ $target == aarch64-* ]]; then
        "$here/libpam-of.sh" arm64 "$stage/libpam"
        flags+=" -L native=$stage/libpam -C link-arg=-Wl,-rpath-link=$stage/libpam"
        export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
    fi
    (
        cd -- "$tree"
        export "CARGO_TARGET_${upper}_RUSTFLAGS=$flags" CFLAGS="-ffile-prefix-map=$stage=/authalert"
        cargo auditable build --release --locked --offline --target "$target" --target-dir "$stage/target"
    )
    programs=$stage/target/$target/release
    "$here/check-symbols.sh" "$programs"
    ! grep -laF -e "$stage" -e "${CARGO_HOME:-$HOME/.cargo}" -- "$programs"/{authalert,libpam_authalert.so,libauthalert_sender.so} ||
        fail "these name directories of this machine"
}

# --- packages and archives --------------------------------------------------------------------

pack() { # TARGET
    local machine=${1%%-*}
    AUTHALERT_BUILD=$programs "$tree/packaging/deb/build.sh" "$out"
    (
        cd -- "$tree"
        rpmbuild -bb --quiet --build-in-place --nodeps --target "$machine" --define "programs $programs" \
            --define "_topdir $stage/rpm" --define "_rpmdir $out" --define '_rpmfilename %{name}-%{version}-%{release}.%{arch}.rpm' \
            --define '_buildhost authalert' --define 'use_source_date_epoch_as_buildtime 1' \
            --define 'clamp_mtime_to_source_date_epoch 1' --define '_binary_payload w7.xzdio' --define '_libdir /usr/lib64' \
            packaging/rpm/authalert.spec
    )
    AUTHALERT_BUILD=$programs "$tree/packaging/pack-programs.sh" "$out"
}

pack_manual() {
    local name=authalert-$version-manual
    mkdir -- "$stage/$name"
    cp -r -- "$tree/packaging/man" "$tree/packaging/completions" "$tree/README.md" "$tree/CHANGELOG.md" "$stage/$name/"
    archive "$name" | gzip -9n >"$out/$name.tar.gz"
}

# --- what is in it, and who says so -----------------------------------------------------------

# A list for each program; the programs hold theirs too (cargo auditable). It names the directory of the sources.
list_crates() { # TARGET
    local list
    (cd -- "$tree" && cargo cyclonedx --quiet --format json --spec-version 1.5 --target "$1" --no-build-deps)
    for list in "$tree/authalert" "$tree/src/pam/pam_authalert" "$tree/src/pam/sender/authalert_sender"; do
        sed "s,$tree,/authalert,g" -- "$list.cdx.json" >"$out/${list##*/}-$version-${1%%-*}.cdx.json"
    done
}

name_the_tools() {
    {
        echo "commit      $(git -C "$source_tree" rev-parse HEAD)"
        echo "date        $(date -Rd "@$SOURCE_DATE_EPOCH")"
        echo "system      $(. /etc/os-release && echo "$PRETTY_NAME")"
        echo "rustc       $(rustc --version)"
        echo "cyclonedx   $(cargo cyclonedx --version)"
        for target in "${targets[@]}"; do echo "gcc         $("${target/-unknown/}-gcc" --version | head -n 1)"; done
        echo "ld          $(ld --version | sed -n 1p)"
        echo "dpkg-deb    $(dpkg-deb --version | sed -n 1p)"
        echo "rpmbuild    $(rpmbuild --version)"
        echo "xz          $(xz --version | sed -n 1p)"
        echo "python3     $(python3 --version)"
    } >"$out/authalert-$version.built-with"
}

sign() {
    (cd -- "$out" && sha256sum -- * >"$stage/SHA256SUMS" && mv -- "$stage/SHA256SUMS" .)
    if [[ -z $key ]]; then
        echo "release.sh: no --key, so nobody has signed it" >&2
        return
    fi
    ssh-keygen -q -Y sign -f "$key" -n authalert-release "$out/SHA256SUMS"
}

fail() {
    printf 'release.sh: %s\n' "$*" >&2
    exit 1
}
misused() {
    printf 'release.sh: %s; see --help\n' "$*" >&2
    exit 2
}

main "$@"
