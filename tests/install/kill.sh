#!/bin/bash
#
# install.sh before each of its steps killed (SIGKILL), asked to end (SIGTERM), or left without room on the
# disk: installing, upgrading and removing; the package's scripts killed the same way, and dpkg itself
# before each rename and removal. In no state is the right password refused or a wrong one let in, a run that
# could clean up has put everything back, and a second run finishes the work. As root; each is done in an
# overlay of this machine's own system, which stays as it is.
#
# kill.sh [EVERY [PHASE]...]: only each EVERY-th step (default 1, or KILL_EVERY), only these phases.
# AUTHALERT_BUILD: the directory of the built files. JOBS: how many at once (default: one a processor).

set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
source_tree=${here%/tests/install}
artifacts=$(realpath -- "${AUTHALERT_BUILD:-$source_tree/target/release}")
declare -A meaning=(
    [install]="installing, killed" [upgrade]="upgrading, killed" [uninstall]="removing, killed"
    [install-stop]="installing, asked to end" [upgrade-stop]="upgrading, asked to end"
    [install-full]="installing on a disk that fills up" [upgrade-full]="upgrading on a disk that fills up"
    [uninstall-full]="removing on a disk that fills up"
    [postinst]="the package's postinst, killed" [prerm]="the package's prerm, killed"
    [unpack]="dpkg upgrading, killed" [purge]="dpkg purging, killed"
)
every=${1:-${KILL_EVERY:-1}}
jobs=${JOBS:-$(nproc)}
# shellcheck source-path=SCRIPTDIR
. "$here/scratch_system.sh"

main() {
    local phases=("${@:2}") by_install by_dpkg phase
    by_install=(install upgrade uninstall install-stop upgrade-stop install-full upgrade-full uninstall-full)
    by_dpkg=(postinst prerm unpack purge)
    ((${#phases[@]})) || phases=("${by_install[@]}" "${by_dpkg[@]}")
    begin
    export -f fresh_install fresh_package one_kill one_kill_of_dpkg prove_it is_as_before
    local bare=$layers
    if [[ " ${phases[*]} " =~ \ (upgrade|uninstall) ]]; then add_layer installed fresh_install; fi
    local installed=$layers
    layers=$bare
    if ! command -v dpkg-deb >/dev/null; then
        left_out "the package's scripts" 'no dpkg-deb'
        by_dpkg=()
    elif [[ " ${phases[*]} " =~ \ (postinst|prerm|unpack|purge)\  ]]; then
        build_packages
        add_layer packaged fresh_package
    fi
    local packaged=$layers
    for phase in "${phases[@]}"; do
        case $phase in
        install*) layers=$bare ;;
        upgrade* | uninstall*) layers=$installed ;;
        *) [[ " ${by_dpkg[*]} " == *" $phase "* ]] || continue; layers=$packaged ;;
        esac
        every_step "$phase"
    done
    finish
}

build_packages() {
    local build=$source_tree/packaging/deb/build.sh
    { AUTHALERT_BUILD=$artifacts "$build" "$work/package" && AUTHALERT_BUILD=$artifacts VERSION=99 "$build" "$work/newer"; } >/dev/null ||
        give_up "the package does not build"
}

fresh_install() { in_root /aa/install.sh --unsigned --from /aa-built --services "$services" || echo "cannot install: $said"; }

fresh_package() {
    cp -- "$base"/package/*.deb "$work/root/aa-kill/authalert.deb"
    cp -- "$base"/newer/*.deb "$work/root/aa-kill/newer.deb"
    in_root dpkg -i --no-triggers /aa-kill/authalert.deb || echo "cannot install the package: $said"
    # shellcheck disable=SC2086 # a list of words
    in_root authalert-pam add ${services//,/ } || echo "cannot add the line: $said"
}

# The steps in turn to so many at once, each until it is told that there are no more.
every_step() {
    local phase=$1 job begun=$SECONDS steps good bad
    rm -f -- "$work"/results.*
    for ((job = 0; job < jobs; job++)); do
        some_steps "$phase" $((1 + job * every)) $((jobs * every)) >"$work/results.$job" &
    done
    wait
    good=$(cat -- "$work"/results.* | grep -c '^good') bad=$(cat -- "$work"/results.* | grep -c '^FAILED')
    cat -- "$work"/results.* | grep -v '^good' | grep -v '^finished' >&2
    steps=$(cat -- "$work"/results.* | sed -n 's/^finished //p' | sort -n | sed -n 1p)
    steps="at $((good + bad)) steps of about $((${steps:-1} - 1)) ($((SECONDS - begun)) seconds)"
    if ((bad == 0 && good > 0)); then ok "${meaning[$phase]}, $steps"; else not_ok "${meaning[$phase]}, $steps"; fi
}

some_steps() {
    local phase=$1 step=$2 by=$3 bad=0 result
    while ((step < 2000 && bad < 5)); do
        case $phase in
        unpack | purge) result=$(in_a_copy_of_the_system one_kill_of_dpkg "$phase" "$step") ;;
        *) result=$(in_a_copy_of_the_system one_kill "$phase" "$step") ;;
        esac
        case $result in
        finished) break ;;
        good*) printf '%s\n' "$result" ;;
        *)
            bad=$((bad + 1))
            printf 'FAILED: %s before step %d: %s\n' "$phase" "$step" "$result"
            ;;
        esac
        step=$((step + by))
    done
    printf 'finished %d\n' "$step"
}

one_kill() {
    local phase=$1 step=$2 how=kill picture
    local again=(/aa/install.sh --unsigned --from /aa-built --services "$services")
    local remove=(/aa/install.sh --uninstall --purge)
    local killed=("${again[@]}")
    [[ $phase != *-* ]] || how=${phase#*-}
    case $phase in
    # A newer module: what is appended to it nobody looks at.
    upgrade*) echo x >>"$work/root/aa-built/libpam_authalert.so" ;;
    uninstall*) killed=("${remove[@]}") ;;
    postinst | prerm)
        killed=("/var/lib/dpkg/info/authalert.$phase" configure)
        [[ $phase == postinst ]] || killed[1]=remove
        again=(dpkg -i --no-triggers /aa-kill/authalert.deb)
        remove=(dpkg --purge --no-triggers authalert)
        ;;
    esac
    [[ $how == kill ]] || picture=$(is_as_before)
    if run_killed "$step" "$how" "${killed[@]}"; then
        [[ -s $work/root/aa-kill/command ]] || { echo finished; return; }
    elif [[ ! -s $work/root/aa-kill/command ]]; then
        echo "failed without being killed: $(tail -n 3 "$work/root/aa-kill/output")"
        return
    elif [[ $how != kill && $phase != uninstall-* ]]; then
        [[ $(is_as_before) == "$picture" ]] ||
            { echo "not all is put back: $(diff <(echo "$picture") <(is_as_before))"; cat -- "$work/root/aa-kill/output"; return; }
    fi
    prove_it again remove && echo "good $(<"$work/root/aa-kill/command")"
}

# dpkg -i of a newer package, or dpkg --purge, killed at its STEP-th rename or removal of a file.
one_kill_of_dpkg() {
    local phase=$1 step=$2 status
    local killed=(dpkg -i --no-triggers /aa-kill/newer.deb) again=(sh -c 'dpkg -i --no-triggers /aa-kill/newer.deb && dpkg --no-triggers --configure -a')
    local remove=(dpkg --purge --no-triggers authalert)
    [[ $phase == unpack ]] || killed=("${remove[@]}")
    echo "step $step of dpkg" >"$work/root/aa-kill/command"
    in_root strace -qq -o /dev/null -e trace=rename,unlink,rmdir,link,symlink \
        -e inject=rename,unlink,rmdir,link,symlink:signal=KILL:when="$step" "${killed[@]}"
    status=$?
    ((status != 0)) || { echo finished; return; }
    ((status == 137)) || { echo "failed without being killed: $said"; return; }
    prove_it again remove && echo good
}

prove_it() {
    local -n finishes=$1 removes=$2
    stacks_let_in_and_keep_out || return
    in_root "${finishes[@]}" || { echo "a second run fails: $said"; return 1; }
    stacks_let_in_and_keep_out || return
    in_root "${removes[@]}" || { echo "removing fails: $said"; return 1; }
    stacks_let_in_and_keep_out || return
    said=$(changed_in_etc)
    [[ -z $said ]] || { echo "something is left in /etc: $said"; return 1; }
}

# Files of ours with what is in them, and the stacks.
is_as_before() {
    files_of_ours | while read -r path; do
        stat -c '%n %F %a %u' -- "$work/root/$path"
        if [[ -f $work/root/$path ]]; then sha256sum <"$work/root/$path"; fi
    done
    (cd -- "$work/root/etc/pam.d" && find . -type f -exec sha256sum {} + | sort)
}

main "$@"
