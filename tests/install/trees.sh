#!/bin/bash
#
# install.sh and authalert-pam on a tree of each family of distributions. No root needed, nothing
# outside a temporary directory is touched. AUTHALERT_BUILD names the directory of the built files.

set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
source_tree=${here%/tests/install}
artifacts=$(realpath -- "${AUTHALERT_BUILD:-$source_tree/target/release}")
install=$source_tree/install.sh
tool=$source_tree/packaging/authalert-pam
line='auth  optional  pam_authalert.so'
# shellcheck source-path=SCRIPTDIR/..
. "$source_tree/tests/report.sh"

[[ -f $artifacts/libpam_authalert.so ]] || {
    echo "tests/install/trees.sh: no $artifacts/libpam_authalert.so; run cargo build --release first" >&2
    exit 1
}
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT

main() {
    local family
    for family in "$here"/trees/*/; do
        family=${family%/} family=${family##*/}
        test_family "$family"
    done
    test_stack_texts
    test_refusals
    test_guarded
    test_upgrade
    test_path_unit
    test_packaging
    finish
}

# A system tree of that family; the module directory gets a pam_unix.so of this machine's kind.
plant() {
    local family=$1
    tree=$scratch/$family.$RANDOM
    cp -a -- "$here/trees/$family" "$tree"
    module_directory=$(<"$tree/module-directory")
    scheduler=$(<"$tree/scheduler")
    rm -- "$tree/module-directory" "$tree/scheduler"
    mkdir -p -- "$tree$module_directory" "$tree/var/lib" "$tree/usr/local/bin" "$tree/usr/local/sbin"
    cp -- "$artifacts/libpam_authalert.so" "$tree$module_directory/pam_unix.so"
    if [[ $scheduler == systemd ]]; then
        mkdir -p -- "$tree/usr/lib/systemd" "$tree/etc/systemd/system"
        printf '#!/bin/sh\n' >"$tree/usr/lib/systemd/systemd"
        chmod 0755 -- "$tree/usr/lib/systemd/systemd"
    else
        mkdir -p -- "$tree/etc/cron.d"
    fi
}

run() { output=$(DESTDIR=$tree bash "$install" --unsigned --from "$artifacts" "$@" 2>&1); }
pam() { output=$(bash "$tool" --root "$tree" "$@" 2>&1); }

# Names, types, modes, links, contents; of files also the time of the last change, below /etc.
picture() {
    (
        cd -- "$tree" || exit
        find . -mindepth 1 -printf '%P %y %m %l\n' | sort
        find . -type f -exec sha256sum {} + | sort -k2
        find etc/pam.d -type f -printf '%P %T@\n' | sort
    )
}

first_rule() { awk '!/^[ \t\r]*(#|$)/ { print; exit }' "$1"; }

not() { ! "$@"; }
says() { [[ $output == *"$1"* ]]; }
exists() { [[ -e $tree$1 ]]; }

test_family() {
    local family=$1 before after stack
    plant "$family"
    before=$(picture)

    run --services sshd,su --dry-run
    check "$family: --dry-run shows the line" says "+$line"
    check "$family: --dry-run names the command" says "would install $tree/usr/local/bin/authalert"
    check "$family: and the module" says "would install $tree$module_directory/pam_authalert.so"
    check "$family: --dry-run changes nothing" test "$before" == "$(picture)"

    check "$family: install.sh succeeds" run --services sshd,su
    check "$family: the module is where pam_unix.so is" exists "$module_directory/pam_authalert.so"
    check "$family: the sender is where the module looks" exists /usr/lib/authalert/libauthalert_sender.so
    for stack in sshd su; do
        check "$family: the line is the first rule of $stack" test "$(first_rule "$tree/etc/pam.d/$stack")" == "$line"
    done
    check "$family: su-l has the line once, itself or by including su" su_l_has_the_line_once
    check "$family: every page of the manual" every_page_is_there
    check "$family: a directory for receivers of one's own" test "$(stat -c '%F %a' -- "$tree/etc/authalert/receivers.d")" == 'directory 755'
    check "$family: and for rules" test "$(stat -c '%F %a' -- "$tree/etc/authalert/rules.d")" == 'directory 755'
    check "$family: the state is root's alone" test "$(stat -c %a -- "$tree/var/lib/authalert")" == 700
    if [[ $scheduler == systemd ]]; then
        check "$family: systemd units" exists /etc/systemd/system/authalert-scan.timer
        check "$family: and no cron entry" not exists /etc/cron.d/authalert
        check "$family: a unit names the command by its path" \
            grep -q '^ExecStart=/usr/local/bin/authalert' "$tree/etc/systemd/system/authalert-scan.service"
    else
        check "$family: a cron entry" grep -q '/usr/local/bin/authalert scan' "$tree/etc/cron.d/authalert"
        check "$family: and no units" not exists /etc/systemd/system/authalert-scan.timer
    fi

    after=$(picture)
    run --services sshd,su
    check "$family: a second run changes nothing" test "$after" == "$(picture)"

    check "$family: --uninstall --purge succeeds" run --uninstall --purge
    check "$family: and leaves the system as it was" same_picture "$before"
}

same_picture() {
    output=$(diff <(printf '%s\n' "$1") <(picture))
}

every_page_is_there() {
    local page
    for page in "$source_tree"/packaging/man/*; do
        exists "/usr/local/share/man/man${page##*.}/${page##*/}" || return
    done
}

su_l_has_the_line_once() {
    local file=$tree/etc/pam.d/su-l
    [[ -e $file ]] || return 0
    if grep -Eq 'auth[[:space:]]+include[[:space:]]+su$' "$file"; then
        [[ $(grep -c pam_authalert "$file") == 0 ]]
    else
        [[ $(grep -c pam_authalert "$file") == 1 ]]
    fi
}

# Stacks as administrators write them: each comes back bit for bit.
test_stack_texts() {
    local name text before
    local -A texts=(
        ["without an end of line"]=$'#%PAM-1.0\nauth required pam_unix.so'
        ["with CRLF"]=$'# a\r\n\r\nauth required pam_unix.so\r\n'
        ["of comments alone"]=$'# nothing here\n'
        ["empty"]=''
        ["with jumps"]=$'auth [success=2 default=ignore] pam_unix.so\nauth requisite pam_deny.so\n'
        ["with a continued line"]=$'auth [success=1 \\\n default=ignore] pam_unix.so\nauth required pam_deny.so\n'
        ["that starts with session"]=$'session required pam_unix.so\nauth required pam_unix.so\n'
        ["with a silent first rule"]=$'-auth optional pam_krb5.so\nauth required pam_unix.so\n'
    )
    plant debian-13
    run
    for name in "${!texts[@]}"; do
        text=${texts[$name]}
        printf '%s' "$text" >"$tree/etc/pam.d/odd"
        chmod 0640 -- "$tree/etc/pam.d/odd"
        before=$(stat -c '%a %u %g %Y' -- "$tree/etc/pam.d/odd")
        pam add odd
        check "a stack $name gets the line first" test "$(first_rule "$tree/etc/pam.d/odd")" == "$line"
        check "a stack $name keeps its mode" test "$(stat -c %a -- "$tree/etc/pam.d/odd")" == 640
        pam remove odd
        check "a stack $name comes back" cmp -s -- "$tree/etc/pam.d/odd" <(printf '%s' "$text")
        check "a stack $name comes back with its mode, owner and time" \
            test "$before" == "$(stat -c '%a %u %g %Y' -- "$tree/etc/pam.d/odd")"
    done

    printf 'auth required pam_unix.so\n' >"$tree/etc/pam.d/odd"
    pam add odd
    printf '# later\naccount required pam_unix.so\n' >>"$tree/etc/pam.d/odd"
    pam remove odd
    check "what was added to a stack since stays" \
        cmp -s -- "$tree/etc/pam.d/odd" <(printf 'auth required pam_unix.so\n# later\naccount required pam_unix.so\n')

    printf 'auth required pam_unix.so\n' >"$tree/etc/pam.d/odd"
    pam add odd
    sed -i 's/pam_authalert.so$/& config=\/etc\/other.toml/' -- "$tree/etc/pam.d/odd"
    pam remove odd
    check "the line goes with the arguments it was given" not grep -q pam_authalert "$tree/etc/pam.d/odd"
}

test_refusals() {
    plant debian-13
    rm -- "$tree/etc/pam.d/sshd"
    check "a system without sshd is refused" not run
    check "and is told what to install" says "install openssh-server first"

    plant debian-13
    run
    printf 'auth required pam_unix.so\nauth [default=ignore] pam_authalert.so authfail\n' >"$tree/etc/pam.d/own"
    check "uninstall stops at a line of somebody else's" not run --uninstall --purge
    check "and names the stack" says /etc/pam.d/own
    check "and leaves the module that the line needs" exists "$module_directory/pam_authalert.so"

    plant fedora
    rm -- "$tree/etc/pam.d/password-auth"
    ln -s -- ../authselect/password-auth "$tree/etc/pam.d/password-auth"
    check "a stack of authselect is refused" not run --services password-auth
    check "and its way is named" says authselect
    check "and everything is put back" not exists "$module_directory/pam_authalert.so"

    plant debian-13
    ln -s -- "$scratch/outside" "$tree/etc/pam.d/out"
    printf 'auth required pam_unix.so\n' >"$scratch/outside"
    check "a stack that leads out of the tree is refused" not run --services out
    check "and is not changed" not grep -q pam_authalert "$scratch/outside"

    plant debian-13
    check "a module for another processor is refused" not other_processor
    check "and nothing is installed" not exists /usr/lib/authalert

    plant void
    sed -i 's/libc\.so\.6/libc.mu.1/g' "$tree$module_directory/pam_unix.so"
    check "a system with another C library is refused" not run
    check "and is told which it takes" says glibc
    check "and nothing is installed there" not exists /usr/lib/authalert

    plant debian-13
    check "a name that is a path is refused" not run --services ../sshd
    check "an unknown option is wrong usage" status_is 2 run --frobnicate
    check "add without a module is refused" not pam add sshd
    check "and the stack is as it was" not grep -q pam_authalert "$tree/etc/pam.d/sshd"
}

status_is() {
    local wanted=$1
    shift
    "$@"
    (($? == wanted))
}

other_processor() {
    printf '\x28\x00' | dd of="$tree$module_directory/pam_unix.so" bs=1 seek=18 conv=notrunc status=none
    run
}

guarded_are() { output=$(cat -- "$tree/var/lib/authalert/guarded" 2>&1) && [[ ${output//$'\n'/ } == "$1" ]]; }

# What check compares with the stacks.
test_guarded() {
    plant debian-13
    run --services sshd,su
    check "what is guarded is remembered, a service a line" guarded_are 'sshd su'
    run
    check "an upgrade that names no service names all that are guarded" says 'guards: sshd su.'
    sed -i /pam_authalert/d -- "$tree/etc/pam.d/su"
    pam add login
    check "a line that was taken out by hand stays remembered" guarded_are 'login sshd su'
    pam remove su
    check "until it is removed by authalert-pam" guarded_are 'login sshd'
    pam remove --all
    check "nothing is remembered of a system that guards nothing" not exists /var/lib/authalert/guarded
}

test_upgrade() {
    local inode
    plant debian-13
    run
    printf '# mine\n' >"$tree/etc/authalert/config.toml"
    printf 'x\n' >>"$tree$module_directory/pam_authalert.so"
    inode=$(stat -c %i -- "$tree$module_directory/pam_authalert.so")
    exec 7<"$tree$module_directory/pam_authalert.so"
    run
    check "an upgrade never overwrites a module in place" \
        test "$inode" != "$(stat -c %i -- "$tree$module_directory/pam_authalert.so")"
    check "a process that holds the old module keeps it" test "$(tail -c 2 <&7)" == x
    exec 7<&-
    check "an upgrade keeps the configuration" test "$(cat -- "$tree/etc/authalert/config.toml")" == "# mine"

    printf '/usr/local/bin/authalert-old\n' >>"$tree/usr/lib/authalert/installed"
    printf 'old\n' >"$tree/usr/local/bin/authalert-old"
    run
    check "a file that is no longer installed goes" not exists /usr/local/bin/authalert-old

    run --uninstall
    check "without --purge the configuration stays" exists /etc/authalert/config.toml
    check "without --purge the state stays" exists /var/lib/authalert
    check "without --purge the module goes" not exists "$module_directory/pam_authalert.so"
}

# The unit that install.sh makes of FILE under a systemd of VERSION.
unit_of() { # VERSION FILE
    # shellcheck disable=SC2016 # for that shell
    output=$(scratch=$scratch bin=/usr/local/bin bash -euo pipefail -c 'says=$1 install=$2 unit=$3
        systemctl() { [[ $says == none ]] && return 127; echo "systemd $says (of a distribution)"; }
        eval "$(sed -n "/^with_paths() {/,/^}/p" "$install")"
        cat -- "$(with_paths "$unit")"' - "$1" "$install" "$source_tree/packaging/systemd/$2" 2>&1)
}
starts() { unit_of "$1" authalert-deliver.path && grep -qx "Unit=$2.service" <<<"$output"; } # VERSION UNIT
starts_again() { unit_of "$1" authalert-deliver.service && grep -q '^ExecStart=/' <<<"$output" && grep -q '^Restart' <<<"$output"; } # VERSION

test_path_unit() {
    local version
    for version in 219 247 248; do
        check "systemd $version has no OnSuccess=: the path unit starts the pass itself" starts "$version" authalert-deliver
        check "systemd $version: a pass has no Restart=, which it would refuse" not starts_again "$version"
    done
    for version in 249 252 257 none; do
        check "systemd $version: it starts what waits for the pass that runs" starts "$version" authalert-wake@deliver
        check "systemd $version: a pass that is killed is started again" starts_again "$version"
    done
}

# What the tools of the distributions say of it; a tool that is missing here is skipped, and said.
test_packaging() {
    local unit
    for unit in systemd/authalert-{deliver,scan,commands} fleet/authalert-gather; do
        check "$unit.service sees which boot it is" not grep -q '^ProcSubset=pid' "$source_tree/packaging/$unit.service"
    done
    if have systemd-analyze; then
        for unit in authalert-deliver authalert-scan; do
            sed 's,@bindir@/authalert,/bin/true,' -- "$source_tree/packaging/systemd/$unit.service" >"$scratch/$unit.service"
            check "$unit.service is exposed 2.0 at most" quietly systemd-analyze security --offline=true --no-pager --threshold=20 "$scratch/$unit.service"
        done
    fi
    if have shellcheck; then
        check "the scripts are shellcheck-clean" quietly shellcheck -x -- "$install" "$tool" "$source_tree"/packaging/*.sh \
            "$source_tree"/packaging/deb/{build.sh,preinst,postinst,prerm,postrm} "$source_tree"/tests/{install,fresh}/*.sh
    fi
    if have dpkg-deb; then
        check "the Debian package builds" quietly env AUTHALERT_BUILD="$artifacts" "$source_tree/packaging/deb/build.sh" "$scratch/deb"
        check "every page of the manual is in it, and a directory for receivers of one's own" package_is_whole
        if built_on_an_old_system; then
            check "it asks for no newer symbols than Ubuntu 22.04 and Debian 12 have" quietly "$source_tree/packaging/check-symbols.sh" "$artifacts"
        else
            left_out "the symbols of old systems" 'this one is newer than Debian 12'
        fi
        if have lintian; then
            check "lintian finds no error in it" quietly lintian --fail-on error "$scratch"/deb/*.deb
        fi
    fi
    if have rpmspec; then
        check "the spec file parses" quietly rpmspec -P "$source_tree/packaging/rpm/authalert.spec"
    fi
    if have man; then
        for unit in "$source_tree"/packaging/man/*.[1-9]; do
            check "${unit##*/} is without warnings" warnless man -l --warnings -- "$unit"
        done
    fi
}

package_is_whole() {
    local page
    output=$(dpkg-deb --contents "$scratch"/deb/*.deb)
    grep -qE '^drwxr-xr-x root/root .* \./etc/authalert/receivers\.d/$' <<<"$output" || return
    for page in "$source_tree"/packaging/man/*; do
        says "./usr/share/man/man${page##*.}/${page##*/}.gz" || return
    done
}

built_on_an_old_system() { printf '%s\n2.36\n' "$(getconf GNU_LIBC_VERSION | grep -o '[0-9.]*$')" | sort -VC; }

have() { command -v "$1" >/dev/null || { left_out "what $1 says" 'it is not installed'; return 1; }; }

quietly() { output=$("$@" 2>&1); }

warnless() { output=$("$@" 2>&1 >/dev/null) && [[ -z $output ]]; }

main "$@"
