#!/bin/bash
#
# What install.sh installs for the build is named, and what was there before is not: at Ctrl-C, at the end, and by
# --uninstall. Its own functions are called, with a package manager that is one in name only.

set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source-path=SCRIPTDIR
. "$here/../report.sh"

main() {
    echo 'plan 4'
    work=$(mktemp -d)
    trap 'rm -rf -- "$work"' EXIT
    mkdir -- "$work/library"
    # Without its last line it does nothing by itself.
    sed -e '$d' -e "s,^readonly library=.*,readonly library=$work/library," -- "$here/../../install.sh" >"$work/functions"

    local named='there still: libpam0g-dev cargo. If nothing else needs them: apt-get purge --autoremove libpam0g-dev cargo'
    output=$(with_functions 'remember_packages gcc libpam0g-dev cargo; present="gcc libpam0g-dev cargo"; what_the_build_leaves')
    check "what was installed for the build is named, and nothing else" contains "$named"

    output=$(with_functions 'who_builds() { :; }
        install_build_tools() { remember_packages gcc libpam0g-dev cargo; present="gcc libpam0g-dev cargo"; kill -INT $$; }
        build')
    check "at Ctrl-C while it builds, too" contains "interrupted; nothing was changed"$'\n'"Installed for the build, and $named"

    printf '%s\n' libpam0g-dev cargo >"$work/library/installed-for-the-build"
    output=$(with_functions 'present="gcc libpam0g-dev cargo"
        bash() { :; }; systemctl() { :; }; leave_pam_auth_update() { :; }; stop_units() { :; }
        uninstall')
    check "and by --uninstall" contains "$named"

    printf '%s\n' libpam0g-dev cargo >"$work/library/installed-for-the-build"
    output=$(with_functions 'build_packages=(libpam0g-dev cargo); present=gcc; what_the_build_leaves')
    check "what is gone since is not named" test -z "$output"
    finish
}

with_functions() {
    # Through sudo it would say sudo.
    # shellcheck disable=SC2016 # for the shell that runs it
    env -u SUDO_USER bash -c '. "$1"; family_debian; present=gcc destdir=
        is_installed() { [[ " $present " == *" $1 "* ]]; }
        eval "$2"' bash "$work/functions" "$1" 2>&1
}

contains() { [[ $output == *"$1"* ]]; }

main
