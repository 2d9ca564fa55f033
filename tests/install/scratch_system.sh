# shellcheck shell=bash
# Overlays of this machine's own system with an account and two stacks, to install authalert into and to
# break. Sourced by kill.sh and failure.sh. As root; this machine stays as it is.
#
# A copy is made of layers: this machine's system, the account, and what a test has put there for all its
# copies. Each copy has a disk of its own, gone with the process that uses it.

# shellcheck disable=SC2034 # used by those who source this
readonly services=aa-kill-1,aa-kill-2
layers=/
# shellcheck source-path=SCRIPTDIR/..
. "$source_tree/tests/report.sh"

give_up() {
    printf '%s: %s\n' "$0" "$*" >&2
    exit 1
}

begin() {
    ((EUID == 0)) || give_up "needs root"
    [[ -f $artifacts/libpam_authalert.so ]] || give_up "no $artifacts/libpam_authalert.so; run cargo build --release first"
    work=$(mktemp -d "${TMPDIR:-/var/tmp}/authalert-scratch.XXXXXXXX")
    # In memory: layers of an overlay must not lie within one another, and nothing here need last.
    mount -t tmpfs tmpfs "$work" || give_up "cannot mount a tmpfs"
    trap 'cd /; umount --lazy -- "$work"; rmdir -- "$work"' EXIT
    "$source_tree/tests/pam/build.sh" "$work" host || give_up "cannot compile tests/pam: needs cc and libpam's headers"
    mkdir -p -- "$work/mount"
    add_layer account add_account
}

# What FUNCTION does to a copy is below every later one.
add_layer() { # NAME FUNCTION [ARGUMENT]...
    local keep=$work/$1
    shift
    in_a_copy_of_the_system "$@" >"$work/told" || give_up "cannot lay an overlay over this machine's system"
    [[ ! -s $work/told ]] || give_up "cannot make a layer: $(<"$work/told")"
    layers=$keep/layer:$layers
}

# An account and stacks as Debian, and as others, write them; made once, below all copies.
add_account() {
    take_out_what_is_installed || return
    # A hash that is quick to check: it is checked thousands of times.
    chroot "$work/root" useradd -m -p "$(openssl passwd -5 'right password')" aakill || return
    cat >"$work/root/etc/pam.d/aa-kill-1" <<'STACK'
# as Debian's common-auth
auth    [success=1 default=ignore]      pam_unix.so nodelay
auth    requisite                       pam_deny.so
auth    required                        pam_permit.so
account required                        pam_unix.so
STACK
    cat >"$work/root/etc/pam.d/aa-kill-2" <<'STACK'
#%PAM-1.0
auth    required    pam_env.so
auth    sufficient  pam_unix.so nodelay
auth    required    pam_deny.so
account required    pam_unix.so
STACK
    mkdir -p -- "$work/root/aa" "$work/root/aa-built" "$work/root/aa-kill"
    cp -- "$artifacts"/{authalert,libpam_authalert.so,libauthalert_sender.so} "$work/root/aa-built/"
    cp -- "$base/host" "$work/root/aa-kill/"
}

# authalert may be installed on this machine, from its sources or as a package; no copy has it.
take_out_what_is_installed() {
    if chroot "$work/root" dpkg -s authalert >/dev/null 2>&1; then
        in_root dpkg --purge authalert || { printf '%s\n' "$said"; return 1; }
    fi
    mkdir -p -- "$work/root/aa" && mount --bind "$source_tree" "$work/root/aa" || return
    in_root /aa/install.sh --uninstall --purge || { printf '%s\n' "$said"; return 1; }
    umount -- "$work/root/aa"
}

# Runs FUNCTION with a copy in $work/root, its processes and mounts gone afterwards. $base is what all copies
# share. What FUNCTION wrote becomes a layer in $keep, where that is set.
keep=
in_a_copy_of_the_system() {
    export work source_tree artifacts here services layers keep
    # shellcheck disable=SC2163 # the function that it names
    export -f "$1" in_root take_out_what_is_installed mount_root written_below before changed_in_etc files_of_ours run_killed stacks_let_in_and_keep_out
    timeout --foreground --kill-after=10 180 unshare --mount --pid --fork --kill-child \
        bash -c 'mount_root || { echo "no copy"; exit 1; }; "$@"' - "$@" 2>&1 </dev/null
}

# The sentence holds if FUNCTION, in a copy, says "good"; else what it said is why not.
good_in_a_copy() { # SENTENCE FUNCTION [ARGUMENT]...
    local result
    result=$(in_a_copy_of_the_system "${@:2}")
    if [[ $result == good ]]; then ok "$1"; else not_ok "$1" "$result"; fi
}

# A disk of 200 MB, the overlay on it, and what a chroot needs.
mount_root() {
    export base=$work
    work=$work/mount
    if [[ -n $keep ]]; then
        mkdir -p -- "$keep" && mount --bind "$keep" "$work"
    else
        mount -t tmpfs -o size=200m tmpfs "$work"
    fi && mkdir -- "$work/layer" "$work/inner" "$work/root" &&
        mount -t overlay overlay -o "lowerdir=$layers,upperdir=$work/layer,workdir=$work/inner" "$work/root" &&
        mount -t proc proc "$work/root/proc" &&
        mount --rbind /dev "$work/root/dev" &&
        mount -t tmpfs tmpfs "$work/root/run" || return
    # What goes wrong in a copy must not reach the sources.
    [[ ! -d $work/root/aa ]] || { mount --bind "$source_tree" "$work/root/aa" && mount -o remount,bind,ro "$work/root/aa"; }
}

in_root() { said=$(DEBIAN_FRONTEND=noninteractive chroot "$work/root" "$@" 2>&1); }

# Paths below DIRECTORY that were written since the account was made; find's EXPRESSION chooses.
written_below() { # DIRECTORY EXPRESSION...
    local layer all=()
    IFS=: read -r -a all <<<"$layers"
    # The last two are this machine and the account.
    for layer in "$work/layer" "${all[@]:0:${#all[@]}-2}"; do
        (cd -- "$layer" && find "$1" -mindepth 1 "${@:2}" -print 2>/dev/null)
    done | sort -u
}

# Where PATH is as it was before a test began; what was taken out of the copies was not there.
before() {
    local layer=$base/account/layer part=$1
    if [[ -e $layer/$1 && ! -c $layer/$1 || -L $layer/$1 ]]; then
        echo "$layer/$1"
        return
    fi
    while [[ $part != . ]]; do
        [[ ! -c $layer/$part ]] || { echo /nowhere; return; }
        part=$(dirname -- "$part")
    done
    echo "/$1"
}

# What is not as it was below /etc: only what was written there since is looked at, for this machine's
# own /etc may change meanwhile.
changed_in_etc() {
    local path was now
    written_below etc ! -name ld.so.cache | while read -r path; do
        now=$work/root/$path was=$(before "$path")
        if [[ ! -e $now && ! -L $now ]]; then
            [[ ! -e $was && ! -L $was ]] || echo "$path is gone"
        elif [[ ! -e $was && ! -L $was ]]; then
            echo "$path is new"
        elif [[ -f $now ]] && ! cmp -s -- "$now" "$was"; then
            echo "$path is different"
        elif [[ $(stat -c '%f %u %g' -- "$now") != "$(stat -c '%f %u %g' -- "$was")" ]]; then
            echo "$path has another mode or owner"
        fi
    done
}

files_of_ours() {
    {
        written_below . -name '*authalert*' ! -path './aa*'
        (cd -- "$work/root/run" && find . -maxdepth 1 -name '*authalert*' -printf './run/%P\n')
    } | while read -r path; do [[ ! -e $work/root/$path ]] || echo "$path"; done
}

# install.sh or a package's script; before its STEP-th change HOW comes over it (see kill_at_step.sh).
run_killed() {
    local step=$1 how=$2 status
    shift 2
    echo 0 >"$work/root/aa-kill/count"
    # What bash says of a killed process is not the test's.
    {
        setsid --wait chroot "$work/root" env BASH_ENV=/aa/tests/install/kill_at_step.sh KILL_DIRECTORY=/aa-kill KILL_AT_STEP="$step" \
            KILL_HOW="$how" /bin/bash "$@" >"$work/root/aa-kill/output" 2>&1
        status=$?
    } 2>/dev/null
    rm -f -- "$work/root/aa-kill/fills-the-disk"
    # Of the killed group nothing runs on.
    return $status
}

stacks_let_in_and_keep_out() {
    local service
    for service in ${services//,/ }; do
        if grep -q pam_authalert "$work/root/etc/pam.d/$service" &&
            ! LD_BIND_NOW=1 chroot "$work/root" /bin/sh -c 'ls -d /usr/lib*/security/pam_authalert.so /usr/lib/*/security/pam_authalert.so 2>/dev/null | grep . | xargs -n 1 ldd -r' >/dev/null; then
            echo "$service names a module that is not there or does not load"
            return 1
        fi
        chroot "$work/root" timeout --foreground 20 /aa-kill/host - "$service" aakill 'answer=right password' login ||
            { echo "$service refuses the right password (before: $(cat -- "$work/root/aa-kill/command"))"; return 1; }
        chroot "$work/root" timeout --foreground 20 /aa-kill/host - "$service" aakill 'answer=wrong password' login
        [[ $? == 1 ]] || { echo "$service lets a wrong password in"; return 1; }
    done
}
