#!/bin/bash
#
# 64-bit ARM, the processor of a Raspberry Pi: cross-built as a release is, and run in Debian's own system for it by
# qemu-user: the unit tests, the module driven by libpam, a scan. As root; the system is kept in target/arm64. Reports as
# tests/report.sh says.
#
#     run.sh [unit|module|scan]...
#
# qemu-user is no ARM: it says nothing of speed, and of the order of writes to memory that this machine's processor keeps.
# What it cannot do is left out, and named.

set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
source_tree=${here%/tests/arm64}
cd -- "$source_tree" || exit 1
# shellcheck source-path=SCRIPTDIR/../..
. tests/report.sh
readonly target=aarch64-unknown-linux-gnu root=$source_tree/target/arm64/root libraries=$source_tree/target/arm64/libpam
readonly built=$source_tree/target/$target/quick
readonly packages=python3,gcc,libc6-dev,libpam0g-dev,openssl,ca-certificates,util-linux,procps,xz-utils,zstd,bzip2

main() {
    if [[ ${1:-} == --inside ]]; then
        inside "${@:2}"
        return
    fi
    (($#)) || set -- unit module scan
    ((EUID == 0)) || give_up 'needs root'
    runs_here || give_up 'needs qemu-user-static, and a kernel with binfmt_misc'
    make_system || give_up "Debian's system for ARM cannot be made: $(tail -n 3 "$root.log")"
    local programs
    programs=$(build) || give_up 'the build for ARM failed'
    echo 'plan 1'
    ok 'the workspace and its tests are built for 64-bit ARM'
    "$source_tree/packaging/check-symbols.sh" "$built" >/dev/null 2>&1 || true
    local one
    for one; do
        part "arm64 $one" env PROGRAMS="$programs" unshare --mount --pid --fork --kill-child --mount-proc --propagation private \
            "$here/run.sh" --inside "$one"
    done
    finish
}

# Programs of ARM run here because the kernel has been told of qemu; else it is told.
runs_here() {
    local register=/proc/sys/fs/binfmt_misc
    [[ -e $register/qemu-aarch64 ]] && return
    [[ -e $register/register ]] || mount -t binfmt_misc binfmt_misc "$register" 2>/dev/null
    [[ -e $register/qemu-aarch64 ]] || cat /usr/lib/binfmt.d/qemu-aarch64.conf >"$register/register" 2>/dev/null
    [[ -e $register/qemu-aarch64 ]]
}

make_system() {
    [[ $(cat -- "$root.packages" 2>/dev/null) != "$packages" ]] || return 0
    rm -rf --one-file-system -- "$root"
    mkdir -p -- "$root"
    timeout --foreground 1500 debootstrap --arch=arm64 --variant=minbase --include="$packages" bookworm "$root" >"$root.log" 2>&1 || return
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
    printf '%s\n' "$packages" >"$root.packages"
}

# Prints the test programs, one a line.
build() {
    "$source_tree/packaging/libpam-of.sh" arm64 "$libraries" >&2 || return
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-L native=$libraries -C link-arg=-Wl,-rpath-link=$libraries"
    cargo build --locked --profile quick --target "$target" >&2 || return
    cargo test --locked --profile quick --workspace --target "$target" --no-run --message-format json |
        python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["profile"]["test"]:
        print(message["manifest_path"].rpartition("/")[0], message["executable"])'
}

# Tests of what qemu-user does not do.
readonly without_terminal='setup::one_command_at_a_terminal setup::the_number_of_a_chat a_secret_is_not_shown_at_a_terminal
    setup::what_the_service_refuses setup::who_chose_no_login setup::who_gives_up_at_a_question
    setup::a_second_time_is_asked setup::whoever_gives_all_of_it'
readonly without_spawn='setup::a_mistake_is_one_line what_cannot_be_started_or_is_killed each_way_to_end_has_its_meaning
    what_a_program_prints_is_read'
readonly without_threads='a_call_starts_no_thread'

# --- in namespaces of its own -----------------------------------------------------------------

# The sources are where they are outside, and as they are.
inside() { # PART
    local place
    for place in /proc /dev /sys; do mount --rbind "$place" "$root$place" || return; done
    mount -t tmpfs tmpfs "$root/tmp" && mount -t tmpfs tmpfs "$root/run" || return
    mkdir -p -- "$root$source_tree" && mount --bind "$source_tree" "$root$source_tree" || return
    "test_$1"
    finish
}

in_arm() { # SECONDS COMMAND...
    timeout --foreground "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 AUTHALERT_BUILD="$built" AUTHALERT_EMULATED=1 \
        CARGO_TARGET_TMPDIR="$source_tree/target/tmp" chroot "$root" "${@:2}" </dev/null 2>&1
}

# shellcheck disable=SC2153 # of the outer one
test_unit() {
    local directory program said name skip
    left_out 'arm64: that a call starts no thread' 'qemu-user has one of its own'
    left_out 'arm64: receivers add at a terminal' 'qemu-user knows no TCGETS2'
    left_out 'arm64: a command that cannot be started' 'under qemu-user it starts, and ends with 127'
    # shellcheck disable=SC2086 # words
    read -r -a skip < <(printf -- '--skip %s ' $without_terminal $without_spawn $without_threads)
    while read -r directory program; do
        name=$(basename "$program")
        name=${name%-*}
        if [[ $name == damage ]]; then
            left_out "arm64: $name" 'hundreds of thousands of passes, which an emulator takes an hour for'
            continue
        fi
        if said=$(in_arm 900 sh -c "cd '$directory' && exec '$program' ${skip[*]}"); then
            ok "$name: $(grep -oE '[0-9]+ passed' <<<"$said" | tail -n 1)"
        else
            not_ok "$name" "$(grep -E '^(test .*FAILED|----|thread|assertion|  *left|  *right|error|test result)|panicked' -A 4 <<<"$said")"
        fi
    done <<<"$PROGRAMS"
}

test_module() {
    local line
    while IFS= read -r line; do
        case $line in
        'ok - '*) ok "${line#ok - }" ;;
        'not ok - '*) not_ok "${line#not ok - }" ;;
        'left out - '*) omissions=$((omissions + 1)); printf '%s\n' "$line" ;;
        *) printf '%s\n' "$line" ;;
        esac
    done < <(in_arm 900 python3 "$source_tree/tests/module/run.py" | sed -u -E '/^([0-9]+ passed, [0-9]+ failed|plan .*)$/d')
}

test_scan() {
    output=$(in_arm 60 sh -c 'mkdir -p /run/state && printf "%s\n" \
        "Jan  5 12:01:47 web1 sshd[4711]: Failed password for root from 192.0.2.7 port 4022 ssh2" \
        "Jan  5 12:01:49 web1 sshd[4712]: Invalid user x from 192.0.2.8 port 4023" >/run/auth.log &&
        '"$built"'/authalert --state /run/state scan --dry-run --json /run/auth.log')
    check 'authalert scan finds what is in a log' grep -c '"rhost":"192.0.2.7"' <<<"$output"
    output=$(in_arm 60 "$built/authalert" --version)
    check 'authalert says its version' grep -x 'authalert [0-9.]*' <<<"$output"
}

give_up() {
    printf 'tests/arm64/run.sh: %s\n' "$*" >&2
    exit 1
}

main "$@"
