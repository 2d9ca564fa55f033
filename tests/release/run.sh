#!/bin/bash
#
# packaging/release.sh: made twice, in two directories and by two callers, a release is the same, byte for byte; it holds what it
# should, says what is in it, is signed, and installs on both processors. Reports as tests/report.sh says.
#
# The programs are built less thoroughly than those of a release (in a third of the time), which changes nothing of how they
# are made. SLOWLY=1 builds them as they are shipped.

set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
source_tree=${here%/tests/release}
# shellcheck source-path=SCRIPTDIR/../..
. "$source_tree/tests/report.sh"
work=$(mktemp -d "${TMPDIR:-/var/tmp}/authalert-release-test.XXXXXXXX")
trap 'rm -rf -- "$work"' EXIT
trap 'exit 1' INT TERM HUP
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@localhost GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@localhost
export GIT_AUTHOR_DATE='2026-01-05T12:00:00Z' GIT_COMMITTER_DATE='2026-01-05T12:00:00Z'
if [[ -z ${SLOWLY:-} ]]; then
    export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 XZ_DEFAULTS=-0
fi

main() {
    version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' "$source_tree/Cargo.toml")
    ssh-keygen -q -t ed25519 -N '' -C maintainer -f "$work/key"
    first=$work/first second="$work/the second one"
    checkout "$work/a" || stop 'the sources can be copied'
    checkout "$work/deeper/and longer/b" || stop 'the sources can be copied'
    refusals

    umask 022
    output=$(cd -- "$work/a" && ./packaging/release.sh "$version" --key "$work/key" "$first" 2>&1) ||
        stop 'release.sh makes a release'
    ok 'release.sh makes a release'
    umask 077
    mkdir -- "$work/a-directory-with-a-longer-name"
    export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
    output=$(cd / && TMPDIR=$work/a-directory-with-a-longer-name HOME=$work TZ=Asia/Tokyo LC_ALL=C USER=nobody CARGO_BUILD_JOBS=1 \
        "$work/deeper/and longer/b/packaging/release.sh" "$version" --key "$work/key" "$second" 2>&1) ||
        stop 'release.sh makes it again, somewhere else'
    ok 'release.sh makes it again, somewhere else'
    umask 022

    local file machine
    for file in $(expected); do
        output=$(ls -- "$first")
        check "$file is the same, byte for byte" cmp -- "$first/$file" "$second/$file"
    done
    check 'there is nothing else' diff <(ls -- "$first") <(expected | LC_ALL=C.UTF-8 sort)
    signed
    for machine in x86_64 aarch64; do what_is_in "$machine"; done
    packages
    supply
    finish
}

# What the field knows of the crates. Both are built in minutes (cargo install), and want a database from elsewhere.
supply() {
    local database=${CARGO_HOME:-$HOME/.cargo}/advisory-db
    cd -- "$source_tree" || return
    if cargo deny --version >/dev/null 2>&1; then
        check 'cargo deny: licences, bans, sources' cargo deny --offline check licenses bans sources
    else
        left_out 'cargo deny' 'it is not installed; tests/hostile/supply.sh checks the same lists (cargo install cargo-deny)'
    fi
    if cargo audit --version >/dev/null 2>&1 && [[ -d $database ]]; then
        check 'cargo audit: no known vulnerability' cargo audit --no-fetch --db "$database"
    else
        left_out 'cargo audit' 'no cargo-audit or no copy of the advisory database here (cargo install cargo-audit; git clone rustsec/advisory-db)'
    fi
}

stop() {
    not_ok "$1" "$(tail -n 30 <<<"${output:-}")"
    finish
    exit 1
}

# The sources as they are here, in a repository of their own.
checkout() { # DIRECTORY
    "$source_tree/tests/sources.sh" "$1"
    git -C "$1" init -q && git -C "$1" add -A && git -C "$1" commit -qm sources
}

expected() {
    printf '%s\n' "authalert-$version.tar.xz" "authalert-$version-manual.tar.gz" "authalert-$version.built-with" \
        "authalert_${version}_"{amd64,arm64}.deb "authalert-$version-1."{x86_64,aarch64}.rpm \
        "authalert-$version-linux-"{x86_64,aarch64}.tar.gz {authalert,pam_authalert,authalert_sender}"-$version-"{x86_64,aarch64}.cdx.json \
        SHA256SUMS SHA256SUMS.sig
}

not() { ! "$@"; }
says() { [[ $output == *"$1"* ]]; }
release() { output=$("$work/a/packaging/release.sh" "$@" 2>&1); }

refusals() {
    check 'another version than that of the sources is refused' not release 9.9.9
    echo >>"$work/a/README.md"
    check 'so is what no commit holds' not release "$version"
    check 'and that is said' says 'not committed'
    git -C "$work/a" checkout -q README.md
    mkdir -- "$work/there"
    check 'so is a directory that is there' not release "$version" "$work/there"
}

signed() {
    printf 'authalert %s\n' "$(<"$work/key.pub")" >"$work/signers"
    output=$(ssh-keygen -Y verify -f "$work/signers" -I authalert -n authalert-release -s "$first/SHA256SUMS.sig" <"$first/SHA256SUMS" 2>&1)
    check 'the sums are signed' says 'Good "authalert-release" signature'
    output=$(cd -- "$first" && sha256sum --check --strict SHA256SUMS 2>&1)
    check 'and are those of all files' [ "$(grep -c ': OK$' <<<"$output")" = "$(($(expected | wc -l) - 2))" ]
}

# The list of crates in a program, as `cargo audit bin` reads it, and the one beside it name the same.
what_is_in() { # MACHINE
    local machine=$1 name=authalert-$version-linux-$1 pair tree=$work/tree-$1
    tar -xzf "$first/$name.tar.gz" -C "$work"
    for pair in authalert:authalert libpam_authalert.so:pam_authalert libauthalert_sender.so:authalert_sender; do
        output=$("$here/crates.py" "$work/$name/programs/${pair%:*}" "$first/${pair#*:}-$version-$machine.cdx.json" 2>&1)
        check "$machine: the crates in ${pair%:*} are those of its list" says 'crates, the same'
    done
    check "$machine: no program names where it was built" not grep -rlaF -e "$work" -e /authalert-release. -e "$HOME/" "$work/$name/programs"
    output=$(readelf --dyn-syms --wide "$work/$name/programs/libpam_authalert.so" | awk '$7 != "UND" && $5 == "GLOBAL" { print $8 }')
    check "$machine: the module exports PAM's functions and nothing else" not grep -qv '^pam_sm_' <<<"$output"
    output=$("$source_tree/packaging/check-symbols.sh" "$work/$name/programs" 2>&1)
    check "$machine: no program asks for more than the oldest supported system has" [ $? = 0 ]

    # libpam of that processor is there; so the programs of that processor are taken.
    mkdir -p -- "$tree"/etc/{pam.d,cron.d} "$tree/usr/lib/security" "$tree/var/lib" "$tree"/usr/local/{bin,sbin}
    printf 'ID=arch\n' >"$tree/etc/os-release"
    printf 'auth required pam_unix.so\n' >"$tree/etc/pam.d/sshd"
    cp -- "$work/$name/programs/libpam_authalert.so" "$tree/usr/lib/security/pam_unix.so"
    output=$(DESTDIR=$tree "$source_tree/install.sh" --from "$first" --key "$work/key.pub" 2>&1)
    check "$machine: install.sh --from puts that into place" cmp -- "$work/$name/programs/authalert" "$tree/usr/local/bin/authalert"
}

packages() {
    local architecture root
    for architecture in amd64 arm64; do
        output=$(dpkg-deb --field "$first/authalert_${version}_$architecture.deb" Architecture)
        check "the .deb of $architecture says so" says "$architecture"
    done
    output=$(dpkg-deb --fsys-tarfile "$first/authalert_${version}_arm64.deb" | tar -xO ./usr/share/doc/authalert/copyright)
    check 'the .deb has the licences of the crates' says 'rustls 0.'
    if command -v lintian >/dev/null; then
        output=$(lintian --fail-on error "$first"/*.deb 2>&1)
        check 'lintian finds no error in them' [ $? = 0 ]
    fi
    for architecture in x86_64 aarch64; do
        root=$work/root-$architecture
        mkdir -- "$root"
        output=$(rpm --root "$root" --nodeps --noscripts --ignorearch --install "$first/authalert-$version-1.$architecture.rpm" 2>&1)
        check "the .rpm of $architecture installs" cmp -- "$work/authalert-$version-linux-$architecture/programs/authalert" "$root/usr/bin/authalert"
        output=$(rpm --root "$root" --verify --nodeps authalert 2>&1)
        check "and every file of it is as it should be" [ -z "$output" ]
        check "the licences of the crates are in it" grep -q 'rustls 0\.' "$root/usr/share/licenses/authalert-$version/licences-of-crates"
        output=$(rpm -qp --scripts "$first/authalert-$version-1.$architecture.rpm" 2>&1)
        check "and its scripts have no macro left" not says '%'
    done
    if command -v rpmlint >/dev/null; then
        output=$(rpmlint -r "$source_tree/packaging/rpm/authalert.rpmlintrc" "$first"/*.rpm 2>&1)
        check 'rpmlint finds no error in them' says ' 0 errors'
    fi
    output=$(tar -xJOf "$first/authalert-$version.tar.xz" "authalert-$version/.cargo/config.toml" 2>&1)
    check 'the source archive builds from its own crates' says 'directory = "vendor"'
}

main
