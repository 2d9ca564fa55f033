#!/bin/bash
# shellcheck disable=SC2016 # what stands in single quotes is for the copy
#
# install.sh --from DIR with the files of a release: one that is whole and signed is installed, on a machine without a compiler,
# and goes again; of every other kind nothing is. As root, in copies of this machine's own system. AUTHALERT_BUILD: the
# directory of the built files.

set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
source_tree=${here%/tests/install}
artifacts=$(realpath -- "${AUTHALERT_BUILD:-$source_tree/target/release}")
# shellcheck source-path=SCRIPTDIR
. "$here/scratch_system.sh"

main() {
    begin
    make_releases
    export -f one_installation one_refusal put_releases in_the_copy
    add_layer releases put_releases

    installs "on a machine without a compiler, in less than a minute" '
        rm -f /usr/bin/*cc /usr/bin/*gcc* /usr/bin/cargo; SECONDS=0
        release --key /aa-key/key.pub && ((SECONDS < 60)) && grep -q "signed by SHA256:" /tmp/said'
    installs "with the key that the sources have" '
        mkdir /aa-tree && cp -r /aa/install.sh /aa/packaging /aa/etc /aa/pam.d /aa-tree/ && cp /aa-key/key.pub /aa-tree/packaging/release-key.pub && tree=/aa-tree release'
    installs "from a directory that anybody may write: only the copy that was checked is used" '
        chmod 777 /aa-release && chmod 666 /aa-release/* && release --key /aa-key/key.pub'
    installs "where nothing may run in /var/tmp" '
        mount -t tmpfs -o noexec tmpfs /var/tmp && release --key /aa-key/key.pub'
    installs "unsigned, if that is said" 'rm /aa-release/SHA256SUMS.sig && release --unsigned'
    installs "unpacked by hand" '
        cd /aa-release && sha256sum --check --ignore-missing --quiet SHA256SUMS && tar -xzf authalert-*-linux-*.tar.gz -C /aa-key &&
        /aa-key/authalert-*/install.sh --services "$services" >/tmp/said'
    installs "again, over itself and over what a killed run left" 'mkdir /usr/lib/.authalert-release.killed && release --key /aa-key/key.pub && release --key /aa-key/key.pub'

    local place
    for place in 0 1000 100000 -1; do
        refuses "an archive with another byte at $place" 'is not what SHA256SUMS says' "other_byte /aa-release/authalert-*-linux-*.tar.gz $place"
    done
    for place in 0 64 70 -1; do
        refuses "sums with another byte at $place" 'the signature of .* is not by' "other_byte /aa-release/SHA256SUMS $place"
    done
    refuses "a signature with another byte" 'the signature of .* is not by' 'other_byte /aa-release/SHA256SUMS.sig 200'
    refuses "an archive that is longer" 'is not what SHA256SUMS says' 'echo >>/aa-release/authalert-*-linux-*.tar.gz'
    refuses "a release without its archive" 'tar.gz is missing' 'rm /aa-release/authalert-*-linux-*'
    refuses "a release without its signature" 'nobody signed this release' 'rm /aa-release/SHA256SUMS.sig'
    refuses "a release without its sums" 'holds no SHA256SUMS' 'rm /aa-release/SHA256SUMS'
    refuses "programs alone, if nothing is said" 'holds no SHA256SUMS' 'rm -r /aa-release/* && cp /aa-built/* /aa-release/'
    refuses "the key of somebody else" 'is not by' 'ssh-keygen -q -t ed25519 -N "" -f /aa-key/other && mv /aa-key/other.pub /aa-key/key.pub'
    refuses "what the key signed for another purpose" 'is not by' 'sign /aa-release file'
    refuses "a key that is none" 'is not a public key' 'echo "no key" >/aa-key/key.pub'
    refuses "the programs of another processor" 'no programs for this system' '
        cd /aa-release && mv authalert-*-linux-*.tar.gz authalert-9.9-linux-riscv64.tar.gz && sign /aa-release'
    refuses "another processor under the name of this one" 'built for another processor' '
        cd /aa-release && tar -xzf authalert-*-linux-*.tar.gz && for file in authalert-*/programs/*; do printf "\xf3" | dd of=$file seek=18 bs=1 conv=notrunc status=none; done &&
        tar -czf authalert-*-linux-*.tar.gz authalert-*/programs authalert-*/packaging && rm -r authalert-*/ && sign /aa-release'
    refuses "the sums of another release, though they are signed" 'authalert-0.0.1-linux-.* is missing' 'mv /aa-older/SHA256SUMS* /aa-release/'
    refuses "two archives for one processor" 'no programs for this system' 'mv /aa-older/*.tar.gz /aa-release/; sign /aa-release'
    refuses "an archive that is a link" 'tar.gz is a link' 'cd /aa-release && mv authalert-*-linux-* /aa-key/ && ln -s /aa-key/authalert-*-linux-* .'
    refuses "sums that are a link" 'SHA256SUMS is a link' 'mv /aa-release/SHA256SUMS /aa-key/ && ln -s /aa-key/SHA256SUMS /aa-release/'
    refuses "a signature that is a link" 'SHA256SUMS.sig is a link' 'mv /aa-release/SHA256SUMS.sig /aa-key/ && ln -s /aa-key/SHA256SUMS.sig /aa-release/'
    refuses "a pipe for an archive, without waiting" 'is not what SHA256SUMS says' 'cd /aa-release && for file in authalert-*-linux-*; do rm $file && mkfifo $file; done'
    refuses "an archive that fills the disk" 'cannot be copied: .*No space left' '
        mount -t tmpfs tmpfs /tmp && cd /aa-release && for file in authalert-*-linux-*; do truncate -s 1T $file; done'
    refuses "no key at all" 'there is no key' 'keys=()'
    refuses "a changed byte of what is not signed" 'is not what SHA256SUMS says' 'keys=(--unsigned); rm /aa-release/SHA256SUMS.sig; other_byte /aa-release/authalert-*-linux-*.tar.gz 5000'
    refuses "programs that anybody may write" 'can be changed by others' 'keys=(--unsigned); rm -r /aa-release/* && cp /aa-built/* /aa-release/ && chmod 777 /aa-release'
    refuses "programs of somebody else" 'can be changed by others' 'keys=(--unsigned); rm -r /aa-release/* && cp /aa-built/* /aa-release/ && chown nobody /aa-release/authalert'
    refuses "programs in a directory that somebody else can put another one in the place of" 'can be changed by others' '
        keys=(--unsigned); mkdir -p /aa-nobody/mine && cp /aa-built/* /aa-nobody/mine/ && chown nobody /aa-nobody && from=/aa-nobody/mine'
    refuses "the same by way of a link" 'can be changed by others' '
        keys=(--unsigned); mkdir -p /aa-nobody/mine && cp /aa-built/* /aa-nobody/mine/ && chown nobody /aa-nobody && ln -s /aa-nobody/mine /aa-link && from=/aa-link'
    refuses "an unsigned release that somebody else can change" 'can be changed by others' 'keys=(--unsigned); rm /aa-release/SHA256SUMS.sig; chown nobody /aa-release/*.tar.gz'
    refuses "programs that are links" 'is a link' 'keys=(--unsigned); rm -r /aa-release/* && ln -s /aa-built/* /aa-release/'
    installs "unsigned programs that are in a directory of root in /tmp" '
        mkdir /tmp/mine && cp /aa-built/* /tmp/mine/ && from=/tmp/mine release --unsigned && rm -r /tmp/mine'
    installs "no older one over what is here" '
        release --key /aa-key/key.pub && ! tree=/aa from=/aa-older release --key /aa-key/key.pub && grep -q "no way back" /tmp/said'
    finish
}

# Two releases: that of the built files, and one that calls itself older.
make_releases() {
    mkdir -- "$work/release" "$work/older" "$work/key"
    local pack=$source_tree/packaging/pack-programs.sh
    AUTHALERT_BUILD=$artifacts "$pack" "$work/release" || give_up "the archive cannot be made"
    VERSION=0.0.1 AUTHALERT_BUILD=$artifacts "$pack" "$work/older" || give_up "the archive cannot be made"
    ssh-keygen -q -t ed25519 -N '' -C maintainer -f "$work/key/key" || give_up "needs ssh-keygen"
}

put_releases() {
    cp -r -- "$base/release" "$work/root/aa-release"
    cp -r -- "$base/older" "$work/root/aa-older"
    cp -r -- "$base/key" "$work/root/aa-key"
    in_the_copy 'sign /aa-release; sign /aa-older' || printf '%s\n' "$said"
}

installs() { good_in_a_copy "--from installs a release $1" one_installation "$2"; } # SENTENCE COMMAND

refuses() { good_in_a_copy "--from refuses $1" one_refusal "$2" "$3"; } # WHAT WORDS COMMAND

# COMMAND there, with a few words of its own.
in_the_copy() {
    in_root bash -c '
        services='"$services"' tree=/aa from=/aa-release keys=(--key /aa-key/key.pub)
        release() { "$tree/install.sh" --from "$from" --services "$services" "$@" >/tmp/said 2>&1 || { cat /tmp/said; false; }; }
        sign() { (cd "$1" && rm -f SHA256SUMS* && sha256sum authalert* >SHA256SUMS && ssh-keygen -q -Y sign -f /aa-key/key -n "${2:-authalert-release}" SHA256SUMS); }
        other_byte() { python3 -c "
import sys
with open(sys.argv[1], \"r+b\") as file:
    file.seek(int(sys.argv[2]), 2 if int(sys.argv[2]) < 0 else 0)
    byte = file.read(1)[0]
    file.seek(-1, 1)
    file.write(bytes([byte ^ 1]))" "$1" "$2"; }
        '"$1"
}

one_installation() {
    in_the_copy "$1" || { printf '%s\n' "$said"; return; }
    stacks_let_in_and_keep_out || return
    in_root authalert --version || { echo "it does not run"; return; }
    ! files_of_ours | grep 'authalert-\(release\|install\)' || { echo "is left over"; return; }
    in_root /aa/install.sh --uninstall --purge || { printf '%s\n' "$said"; return; }
    said=$(changed_in_etc)$(files_of_ours)
    if [[ -z $said ]]; then echo good; else printf 'after --uninstall: %s\n' "$said"; fi
}

one_refusal() {
    local words=$1
    if in_the_copy "$2; release \"\${keys[@]}\""; then echo "it was installed"; return; fi
    grep -qE -- "$words" <<<"$said" || { printf 'other words: %s\n' "$said"; return; }
    stacks_let_in_and_keep_out || return
    said=$(changed_in_etc)$(files_of_ours)
    if [[ -z $said ]]; then echo good; else printf 'changed: %s\n' "$said"; fi
}

main
