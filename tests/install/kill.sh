#!/bin/bash
#
# install.sh killed (SIGKILL) before each of its steps, installing, upgrading and removing, and so the
# package's scripts where dpkg is: in no state is the right password refused or a wrong one let in, and
# a second run finishes the work. As root; each kill is done in an overlay of this machine's own system,
# which stays as it is.
#
# kill.sh [EVERY]: only each EVERY-th step (default 1). ARTIFACTS: the directory of the built files.

set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
source_tree=${here%/tests/install}
artifacts=${ARTIFACTS:-$source_tree/target/release}
every=${1:-1}
readonly services=aa-kill-1,aa-kill-2

main() {
    ((EUID == 0)) || give_up "needs root"
    [[ -f $artifacts/libpam_authalert.so ]] || give_up "no $artifacts/libpam_authalert.so; run cargo build --release first"
    work=$(mktemp -d /var/tmp/authalert-kill.XXXXXXXX)
    trap 'rm -rf -- "$work"' EXIT
    cc -o "$work/password" "$here/password.c" -lpam || give_up "cannot compile password.c: needs cc and libpam's headers"
    passed=0 failed=0
    kill_every_step install
    kill_every_step upgrade
    kill_every_step uninstall
    if command -v dpkg-deb >/dev/null; then
        FROM=$artifacts "$source_tree/packaging/deb/build.sh" "$work/package" >/dev/null || give_up "the package does not build"
        kill_every_step postinst
        kill_every_step prerm
    fi
    printf '%d passed, %d failed\n' "$passed" "$failed"
    ((failed == 0 && passed > 0))
}

give_up() {
    echo "tests/install/kill.sh: $*" >&2
    exit 1
}

kill_every_step() {
    local what=$1 step=1 result
    while :; do
        result=$(in_a_copy_of_the_system "$what" "$step")
        case $result in
        finished) break ;;
        good*) passed=$((passed + 1)) ;;
        *)
            failed=$((failed + 1))
            printf 'FAILED: %s killed before step %d: %s\n' "$what" "$step" "$result" >&2
            ((failed < 5)) || give_up "that is enough"
            ;;
        esac
        step=$((step + every))
        ((step < 2000)) || give_up "$what does not end"
    done
    printf '%s: killed before each of %d steps\n' "$what" "$((step - 1))"
}

# Mounts of its own, gone with the process; what was written goes with the directory.
in_a_copy_of_the_system() {
    rm -rf -- "$work/upper" "$work/inner" "$work/root"
    mkdir -p -- "$work/upper" "$work/inner" "$work/root"
    export -f one_kill in_root prepare run_killed stacks_let_in_and_keep_out
    export work source_tree artifacts here services
    timeout 120 unshare --mount --pid --fork --kill-child bash -c 'one_kill "$@"' - "$1" "$2" 2>"$work/said" ||
        { echo "the test itself failed"; cat -- "$work/said"; }
}

one_kill() {
    local what=$1 step=$2
    prepare || { echo "cannot prepare"; return; }
    local install=(/aa/install.sh --from /aa-built --services "$services")
    local remove=(/aa/install.sh --uninstall --purge)
    local killed=("${install[@]}") again=("${install[@]}")
    case $what in
    upgrade | uninstall)
        in_root "${install[@]}" || { echo "cannot install: $said"; return; }
        [[ $what == uninstall ]] || echo x >>"$work/root/aa-built/libpam_authalert.so"
        [[ $what == upgrade ]] || killed=("${remove[@]}")
        ;;
    postinst | prerm)
        cp -- "$work"/package/*.deb "$work/root/aa-kill/authalert.deb"
        in_root dpkg -i /aa-kill/authalert.deb || { echo "cannot install the package: $said"; return; }
        in_root authalert-pam add ${services//,/ } || { echo "cannot add the line: $said"; return; }
        killed=("/var/lib/dpkg/info/authalert.$what")
        [[ $what != prerm ]] || killed+=(remove)
        [[ $what != postinst ]] || killed+=(configure)
        again=(dpkg -i /aa-kill/authalert.deb)
        remove=(dpkg --purge authalert)
        ;;
    esac
    if run_killed "$step" "${killed[@]}"; then echo finished; return; fi
    [[ -s $work/root/aa-kill/command ]] || { echo "failed without being killed: $(tail -n 3 "$work/root/aa-kill/output")"; return; }

    stacks_let_in_and_keep_out || return
    in_root "${again[@]}" || { echo "a second run fails: $said"; return; }
    stacks_let_in_and_keep_out || return
    in_root "${remove[@]}" || { echo "removing fails: $said"; return; }
    stacks_let_in_and_keep_out || return
    said=$(diff -r --no-dereference -x ld.so.cache -- "$work/etc.before" "$work/root/etc" 2>&1) || { echo "something is left in /etc: $said"; return; }
    echo "good $(<"$work/root/aa-kill/command")"
}

in_root() { said=$(DEBIAN_FRONTEND=noninteractive chroot "$work/root" "$@" 2>&1); }

prepare() {
    mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/inner" "$work/root" &&
        mount -t proc proc "$work/root/proc" &&
        mount --rbind /dev "$work/root/dev" &&
        mount -t tmpfs tmpfs "$work/root/run" || return
    mkdir -p -- "$work/root/aa" "$work/root/aa-built" "$work/root/aa-kill"
    mount --bind "$source_tree" "$work/root/aa" || return
    cp -- "$artifacts"/{authalert,libpam_authalert.so,libauthalert_sender.so} "$work/root/aa-built/" || return
    cp -- "$work/password" "$work/root/aa-kill/"
    # An account and stacks as Debian, and as others, write them.
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
    rm -rf -- "$work/etc.before"
    cp -a -- "$work/root/etc" "$work/etc.before"
}

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
            ! LD_BIND_NOW=1 chroot "$work/root" /bin/sh -c 'find /usr/lib -name pam_authalert.so | grep . | xargs -n 1 ldd -r' >/dev/null; then
            echo "$service names a module that is not there or does not load"
            return 1
        fi
        chroot "$work/root" timeout 20 /aa-kill/password "$service" aakill 'right password' ||
            { echo "$service refuses the right password (before: $(<"$work/root/aa-kill/command"))"; return 1; }
        ! chroot "$work/root" timeout 20 /aa-kill/password "$service" aakill 'wrong password' ||
            { echo "$service lets a wrong password in"; return 1; }
    done
}

main
