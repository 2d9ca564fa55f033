#!/bin/bash
#
# install.sh with builds that are wrong in ways that only show on the way: each is refused, everything is
# as before, and the right password gets in. As root, in an overlay of this machine's own system.
# AUTHALERT_BUILD: the directory of the built files.

set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
source_tree=${here%/tests/install}
artifacts=$(realpath -- "${AUTHALERT_BUILD:-$source_tree/target/release}")
# shellcheck source-path=SCRIPTDIR
. "$here/scratch_system.sh"

main() {
    begin
    local wrong
    for wrong in crashes_when_used crashes_when_loaded lacks_a_symbol records_nothing proof_fails cannot_be_written; do
        good_in_a_copy "a build that ${wrong//_/ } is refused, and everything is as before" one_failure "$wrong"
    done
    finish
}

one_failure() {
    local built=$work/root/aa-built picture
    module() { printf '%s\n' "$1" | cc -shared -fPIC -x c -o "$built/libpam_authalert.so" - ${2:+"$2"}; }
    case $1 in
    crashes_when_used) module '#include <stdlib.h>
        int pam_sm_authenticate(void *h, int f, int c, char **v) { abort(); }' ;;
    crashes_when_loaded) module '#include <stdlib.h>
        __attribute__((constructor)) static void f(void) { abort(); }' ;;
    lacks_a_symbol) module 'int nowhere(void); int pam_sm_authenticate(void *h, int f, int c, char **v) { return nowhere(); }' ;;
    records_nothing) module 'int pam_sm_authenticate(void *h, int f, int c, char **v) { return 25; }' ;;
    proof_fails)
        mv -- "$built/authalert" "$work/root/aa-kill/authalert"
        printf '#!/bin/sh\ncase "$*" in *"test --pam aa-kill-2"*) exit 1 ;; esac\nexec /aa-kill/authalert "$@"\n' >"$built/authalert"
        chmod 0755 -- "$built/authalert"
        ;;
    cannot_be_written)
        # The second stack's place is full when its turn comes.
        mkdir -- "$work/root/etc/pam.d/.aa-kill-2.authalert-new"
        ;;
    esac || { echo "cannot make it wrong"; return; }

    picture=$(files_of_ours | grep -v 'authalert-new$')
    ! in_root /aa/install.sh --unsigned --from /aa-built --services "$services" || { echo "was installed: $said"; return; }
    stacks_let_in_and_keep_out || return
    rmdir -- "$work/root/etc/pam.d/.aa-kill-2.authalert-new" 2>/dev/null
    said=$(changed_in_etc)
    [[ -z $said ]] || { echo "/etc has changed: $said"; return; }
    [[ $(files_of_ours) == "$picture" ]] || { echo "files are left: $(files_of_ours)"; return; }
    echo good
}

main
