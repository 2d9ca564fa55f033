#!/bin/bash
#
# install.sh killed (SIGKILL) before each of its steps, installing, upgrading and removing, and so the
# package's scripts where dpkg is: in no state is the right password refused or a wrong one let in, and
# a second run finishes the work. As root; each kill is done in an overlay of this machine's own system,
# which stays as it is.
#
# kill.sh [EVERY [PHASES]]: only each EVERY-th step (default 1, or KILL_EVERY), only these phases. ARTIFACTS: the directory of the built files.

set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
source_tree=${here%/tests/install}
artifacts=${ARTIFACTS:-$source_tree/target/release}
every=${1:-${KILL_EVERY:-1}}
phases=${2:-install upgrade uninstall postinst prerm}
# shellcheck source-path=SCRIPTDIR
. "$here/scratch_system.sh"

main() {
    begin
    passed=0 failed=0
    if command -v dpkg-deb >/dev/null; then
        FROM=$artifacts "$source_tree/packaging/deb/build.sh" "$work/package" >/dev/null || give_up "the package does not build"
    else
        phases='install upgrade uninstall'
        echo "skipped: the package's scripts, no dpkg-deb"
    fi
    local phase
    for phase in $phases; do
        kill_every_step "$phase"
    done
    printf '%d passed, %d failed\n' "$passed" "$failed"
    ((failed == 0 && passed > 0))
}

kill_every_step() {
    local what=$1 step=1 result
    while :; do
        result=$(in_a_copy_of_the_system one_kill "$what" "$step")
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
    said=$(changed_in_etc)
    [[ -z $said ]] || { echo "something is left in /etc: $said"; return; }
    echo "good $(<"$work/root/aa-kill/command")"
}

main
