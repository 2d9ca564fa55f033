# shellcheck shell=bash
# An overlay of this machine's own system with an account and two stacks, to install authalert into
# and to break. Sourced by kill.sh and failure.sh. As root; this machine stays as it is.

# shellcheck disable=SC2034 # used by those who source this
readonly services=aa-kill-1,aa-kill-2

give_up() {
    printf '%s: %s\n' "$0" "$*" >&2
    exit 1
}

begin() {
    ((EUID == 0)) || give_up "needs root"
    [[ -f $artifacts/libpam_authalert.so ]] || give_up "no $artifacts/libpam_authalert.so; run cargo build --release first"
    work=$(mktemp -d /var/tmp/authalert-scratch.XXXXXXXX)
    # In memory: layers of an overlay must not lie within one another, and nothing here need last.
    mount -t tmpfs tmpfs "$work" || give_up "cannot mount a tmpfs"
    trap 'cd /; umount --lazy -- "$work"; rmdir -- "$work"' EXIT
    cc -o "$work/password" "$here/password.c" -lpam || give_up "cannot compile password.c: needs cc and libpam's headers"
    mkdir -p -- "$work/account"
    in_a_copy_of_the_system add_account || give_up "cannot lay an overlay over this machine's system"
    mv -- "$work/upper" "$work/account.new" && rmdir -- "$work/account" && mv -- "$work/account.new" "$work/account"
}

# An account and stacks as Debian, and as others, write them; made once, below all copies.
add_account() {
    mount_root || return
    chroot "$work/root" useradd -m aakill && echo 'aakill:right password' | chroot "$work/root" chpasswd || return
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
    cp -- "$work/password" "$work/root/aa-kill/"
}

# Runs a function there; mounts of its own, gone with the process; what was written goes as well.
in_a_copy_of_the_system() {
    rm -rf --one-file-system -- "$work/upper" "$work/inner" "$work/root"
    mkdir -p -- "$work/upper" "$work/inner" "$work/root"
    export work source_tree artifacts here services
    # shellcheck disable=SC2163 # the function that it names
    export -f "$1" in_root prepare mount_root changed_in_etc run_killed stacks_let_in_and_keep_out
    timeout 120 unshare --mount --pid --fork --kill-child bash -c '"$@"' - "$@" 2>"$work/said" ||
        { echo "the test itself failed"; cat -- "$work/said"; }
}

in_root() { said=$(DEBIAN_FRONTEND=noninteractive chroot "$work/root" "$@" 2>&1); }

prepare() { mount_root && mount --bind "$source_tree" "$work/root/aa"; }

mount_root() {
    mount -t overlay overlay -o "lowerdir=$work/account:/,upperdir=$work/upper,workdir=$work/inner" "$work/root" &&
        mount -t proc proc "$work/root/proc" &&
        mount --rbind /dev "$work/root/dev" &&
        mount -t tmpfs tmpfs "$work/root/run"
}

# What is not as it was below /etc: only what was written there since is looked at, for this machine's
# own /etc may change meanwhile.
changed_in_etc() {
    local path was
    [[ -d $work/upper/etc ]] || return 0
    (cd -- "$work/upper" && find etc -mindepth 1 ! -name ld.so.cache -print) | while read -r path; do
        was=$work/account/$path
        [[ -e $was || -L $was ]] || was=/$path
        if [[ -c $work/upper/$path ]]; then
            [[ ! -e $was ]] || echo "$path is gone"
        elif [[ ! -e $was && ! -L $was ]]; then
            echo "$path is new"
        elif [[ -f $work/upper/$path ]] && ! cmp -s -- "$work/upper/$path" "$was"; then
            echo "$path is different"
        elif [[ $(stat -c '%f %u %g' -- "$work/upper/$path") != "$(stat -c '%f %u %g' -- "$was")" ]]; then
            echo "$path has another mode or owner"
        fi
    done
}

# install.sh or a package's script, its process group killed before the STEP-th change.
run_killed() {
    local step=$1 status
    shift
    echo 0 >"$work/root/aa-kill/count"
    setsid --wait chroot "$work/root" env BASH_ENV=/aa/tests/install/kill_at_step.sh KILL_DIRECTORY=/aa-kill KILL_AT_STEP="$step" \
        /bin/bash "$@" >"$work/root/aa-kill/output" 2>&1
    status=$?
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
        chroot "$work/root" timeout 20 /aa-kill/password "$service" aakill 'right password' ||
            { echo "$service refuses the right password (before: $(<"$work/root/aa-kill/command"))"; return 1; }
        ! chroot "$work/root" timeout 20 /aa-kill/password "$service" aakill 'wrong password' ||
            { echo "$service lets a wrong password in"; return 1; }
    done
}
