#!/bin/bash
#
# install.sh: build authalert, install it, put its line into the PAM stack of sshd, and prove by a
# real wrong password that it works. Read main() first; the rest follows in its order.
#
# Three rules. Nothing is half done: files appear whole, by rename, and a run that fails puts back
# what was there. At no step would a right password be refused: the module is in place and the
# loader accepts it before a stack names it, and it goes only after no stack names it any more.
# Nothing is said to work that was not tried.

set -euo pipefail
umask 022
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8

source_tree=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
readonly oldest_rust=1.85
readonly library=/usr/lib/authalert # fixed, as the module looks for its sender there
readonly manifest=$library/installed
readonly for_the_build=$library/installed-for-the-build

services=() # empty: those that are guarded, or sshd
prefix=/usr/local
destdir=${DESTDIR:-}
from= # where built files or a release are; empty: build here
artifacts= # where the built files are; empty: as --from says, or build here
release_key=
unsigned=no
staging= # where a release is unpacked
target=$source_tree/target
built_beside= # instead of it, where the sources cannot be written
action=install
purge=no
dry_run=no
no_cron=no
build_packages=() # that were installed for the build, by this run or one before

usage() {
    cat <<'USAGE'
Usage: ./install.sh [OPTION]...

Builds authalert, installs it, adds its line to the PAM stack of sshd, and
proves by a real wrong password that it is recorded. A run that fails puts
everything back. Running it again upgrades. It takes about four minutes where
it builds, and seconds with --from, which needs no compiler.

  --services LIST   the stacks to guard, by commas, for example
                    sshd,su,sudo,login (default: those that are guarded
                    already, else sshd)
  --prefix DIR      where the command and its manual go (default: /usr/local)
  --from DIR        install the release whose files are in DIR, for this
                    processor; its sums and its signature are checked. Or what
                    you built elsewhere: the files of target/release, which
                    nobody has signed
  --key FILE        with --from: the public key that the release must be signed
                    with (default: the one that came with this script, if one
                    did)
  --unsigned        with --from: install what has no signature
  --dry-run         show every change, make none
  --uninstall       take it out again; the configuration and the history stay
  --purge           with --uninstall: the configuration, the credentials and
                    the history go too
  --help            this text

With DESTDIR=DIR in the environment it works on the system whose root directory
is DIR, starts nothing there and proves nothing.

Exit status: 0 done, 1 could not (and everything is as before), 2 wrong usage.
USAGE
}

main() {
    parse_arguments "$@"
    must_be_allowed
    know_the_system
    one_at_a_time
    if [[ $action == uninstall ]]; then
        uninstall
        return
    fi

    find_module_directory
    choose_services
    stacks_must_exist
    directories_must_be_roots
    if [[ -z $from && -z $artifacts ]]; then
        if [[ $dry_run == yes ]]; then would_build; else build; fi
    fi

    begin
    if [[ -n $from ]]; then
        # shellcheck source=packaging/take-release.sh
        . "$source_tree/packaging/take-release.sh"
        take_from
    fi
    artifacts=${artifacts:-$target/release}
    [[ $dry_run == yes ]] || artifacts_must_fit
    install_files
    make_state_directory
    rehearse
    add_lines
    schedule
    prove
    first_pass
    finish
}

parse_arguments() {
    while (($#)); do
        case $1 in
        --services | --prefix | --from | --key)
            (($# > 1)) || misused "$1 needs a value"
            set -- "$1=$2" "${@:3}"
            continue
            ;;
        --services=*)
            IFS=, read -r -a services <<<"${1#*=}"
            ((${#services[@]})) || misused "--services needs at least one service"
            ;;
        --prefix=*) prefix=${1#*=} ;;
        --from=*) from=${1#*=} ;;
        --key=*) release_key=${1#*=} ;;
        --unsigned) unsigned=yes ;;
        --dry-run) dry_run=yes ;;
        --uninstall) action=uninstall ;;
        --purge) purge=yes ;;
        --help | -h) usage && exit 0 ;;
        *) misused "unknown option $1" ;;
        esac
        shift
    done
    local service
    for service in "${services[@]}"; do
        [[ $service =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]*$ ]] || misused "\"$service\" is not the name of a PAM service"
    done
    [[ $prefix =~ ^(/[A-Za-z0-9_.+-]+)+$ ]] || misused "--prefix must be an absolute path of letters, digits and . _ + -"
    [[ $purge == no || $action == uninstall ]] || misused "--purge goes with --uninstall"
    [[ -z $from ]] || from=$(cd -- "$from" 2>/dev/null && pwd -P) || misused "--from: no such directory"
    [[ -z $release_key || -r $release_key ]] || misused "--key: no such file"
    [[ -z $release_key || $unsigned == no ]] || misused "--key and --unsigned contradict each other"
    [[ -n $from || -z $release_key && $unsigned == no ]] || misused "--key and --unsigned go with --from"
    # The programs of a release, unpacked by hand: they are here, and nothing else is.
    [[ -n $from || ! -d $source_tree/programs ]] || artifacts=$source_tree/programs
    destdir=${destdir%/}
    [[ -z $destdir || $destdir == /* ]] || misused "DESTDIR must be an absolute path"
}

must_be_allowed() {
    [[ $dry_run == yes || -n $destdir || $EUID == 0 ]] || fail "must be run as root: sudo ./install.sh"
    if [[ -z $destdir ]] && { [[ -e /var/lib/dpkg/info/authalert.list ]] || rpm -q authalert &>/dev/null; }; then
        fail "authalert is installed here as a package; use the package manager, or remove the package first"
    fi
}

one_at_a_time() {
    [[ $dry_run == no && -z $destdir ]] || return 0
    exec 9</etc/pam.d
    flock -n 9 || fail "another install.sh is running"
}

# --- the system -------------------------------------------------------------------------------

# What differs from family to family, a table each.

family_debian() {
    compiler_packages=(gcc libc6-dev)
    pam_package=libpam0g-dev
    cargo_packages=(cargo cargo-web) # Debian 12 keeps the current Rust in cargo-web
    install_packages=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends --no-remove)
    refresh_packages=(apt-get update)
    remove_packages="apt-get purge --autoremove"
    is_installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' -- "$1" 2>/dev/null) == installed ]]; }
    offered_version() { apt-cache show --no-all-versions "$1" 2>/dev/null | sed -n 's/^Version: *//p' | grep . || echo 0; }
    pam_profiles=/usr/share/pam-configs
    module_directories=(/usr/lib/*-linux-*/security /lib/*-linux-*/security)
    ssh_package=openssh-server
}

family_redhat() {
    compiler_packages=(gcc glibc-devel)
    pam_package=pam-devel
    cargo_packages=(cargo)
    install_packages=(dnf install -y)
    command -v dnf >/dev/null || install_packages=(yum install -y)
    remove_packages="${install_packages[0]} remove"
    is_installed() { rpm -q -- "$1" &>/dev/null; }
    module_directories=(/usr/lib64/security /lib64/security /usr/lib/security)
    ssh_package=openssh-server
}

family_suse() {
    compiler_packages=(gcc glibc-devel)
    pam_package=pam-devel
    cargo_packages=(cargo)
    install_packages=(zypper --non-interactive install --no-recommends)
    remove_packages="zypper remove --clean-deps"
    is_installed() { rpm -q -- "$1" &>/dev/null; }
    module_directories=(/usr/lib64/security /lib64/security /usr/lib/security /lib/security)
    ssh_package=openssh-server
}

family_arch() {
    compiler_packages=(gcc)
    pam_package=pam
    cargo_packages=(rust)
    install_packages=(pacman -S --noconfirm --needed)
    remove_packages="pacman -Rs"
    is_installed() { pacman -Q -- "$1" &>/dev/null; }
    module_directories=(/usr/lib/security)
    ssh_package=openssh
}

family_other() {
    module_directories=(/usr/lib/*-linux-*/security /lib/*-linux-*/security
        /usr/lib64/security /lib64/security /usr/lib/security /lib/security)
    ssh_package="the OpenSSH server"
}

know_the_system() {
    local ID='' ID_LIKE='' file
    for file in "$destdir/etc/os-release" "$destdir/usr/lib/os-release"; do
        if [[ -r $file ]]; then
            ID=$(os_release_value ID "$file")
            ID_LIKE=$(os_release_value ID_LIKE "$file")
            break
        fi
    done
    compiler_packages=() pam_package='' cargo_packages=() install_packages=() refresh_packages=() pam_profiles=''
    remove_packages=''
    offered_version() { :; }
    shopt -s nullglob
    case " $ID $ID_LIKE " in
    *' debian '* | *' ubuntu '*) family_debian ;;
    *' fedora '* | *' rhel '* | *' centos '*) family_redhat ;;
    *suse*) family_suse ;;
    *' arch '*) family_arch ;;
    *) family_other ;;
    esac
    if [[ -n $destdir ]]; then
        [[ -x $destdir/usr/lib/systemd/systemd || -x $destdir/lib/systemd/systemd ]] && scheduler=systemd || scheduler=cron
    else
        [[ -d /run/systemd/system ]] && scheduler=systemd || scheduler=cron
    fi
    bin=$prefix/bin sbin=$prefix/sbin share=$prefix/share
}

os_release_value() { sed -n "s/^$1=//p" -- "$2" | tr -d "\"'"; }

# Where libpam looks is where its own modules are.
find_module_directory() {
    local directory found=()
    for directory in "${module_directories[@]}"; do
        directory=${directory#"$destdir"}
        [[ -e $destdir$directory/pam_unix.so ]] && found+=("$directory")
    done
    # A glob of the table was expanded on this system, not below DESTDIR.
    for directory in "$destdir"/usr/lib/*-linux-*/security "$destdir"/lib/*-linux-*/security; do
        [[ -n $destdir && -e $directory/pam_unix.so ]] && found+=("${directory#"$destdir"}")
    done
    ((${#found[@]})) || fail "cannot find pam_unix.so${destdir:+ below $destdir}: is Linux-PAM installed? (looked in ${module_directories[*]})"
    module_directory=${found[0]}
    module_directories=("${found[@]}")
    grep -qa 'libc\.so\.6' -- "$destdir$module_directory/pam_unix.so" ||
        fail "the C library of this system is not glibc (musl?), and authalert works with no other"
    [[ -n $destdir || $dry_run == yes || -w $module_directory ]] ||
        fail "$module_directory cannot be written: a read-only or image-based system needs authalert in its image (DESTDIR=...)"
}

# An upgrade guards what was guarded. What su-l and sudo-i are is authalert-pam's business.
choose_services() {
    ((${#services[@]} == 0)) || return 0
    mapfile -t services < <(bash "$source_tree/packaging/authalert-pam" --root "$destdir" list | grep -vxE 'su-l|sudo-i|common-auth')
    ((${#services[@]})) || services=(sshd)
}

stacks_must_exist() {
    local service directory found
    for service in "${services[@]}"; do
        found=no
        for directory in /etc/pam.d /usr/lib/pam.d /usr/etc/pam.d; do
            [[ -f $destdir$directory/$service ]] && found=yes
        done
        [[ $found == yes ]] && continue
        [[ $service == sshd ]] &&
            fail "this system has no PAM stack for sshd; install $ssh_package first, or say --services su,sudo,login"
        fail "this system has no PAM stack for $service in /etc/pam.d; leave it out of --services"
    done
    # All of it is read: under pipefail grep -q would end sshd by a signal, and with it the condition.
    if [[ -z $destdir && " ${services[*]} " == *' sshd '* ]] && command -v sshd >/dev/null &&
        grep -ix 'usepam no' < <(sshd -T 2>/dev/null) >/dev/null; then
        warn "sshd is configured with \"UsePAM no\", so its failures pass PAM by; set \"UsePAM yes\" in sshd_config"
    fi
}

# Root runs what is below --prefix each minute, so nobody else may be able to put it there.
directories_must_be_roots() {
    [[ -z $destdir ]] || return 0
    local directory owner mode
    for directory in "$bin" "$sbin" "$prefix" "$(dirname -- "$prefix")"; do
        [[ -d $directory ]] || continue
        read -r owner mode < <(stat -Lc '%u %a' -- "$directory")
        ((owner == 0 && (8#$mode & 8#022) == 0)) ||
            fail "$directory can be changed by others than root, and root will run authalert from there; correct that or say --prefix /usr"
    done
}

# --- building ---------------------------------------------------------------------------------

build() {
    trap 'fail "interrupted; nothing was changed$(what_the_build_leaves)"' INT TERM HUP
    who_builds
    install_build_tools
    say "Building with $("${as_builder[@]}" "$cargo" --version) as $builder"
    # Sources that cannot be written are built beside.
    if ! "${as_builder[@]}" mkdir -p -- "$target/release" 2>/dev/null || ! "${as_builder[@]}" test -w "$target/release"; then
        built_beside=$("${as_builder[@]}" mktemp -d /var/tmp/authalert-build.XXXXXXXX)
        target=$built_beside
        trap 'rm -rf -- "$built_beside"' EXIT
    fi
    say "It takes about four minutes on two processors; the last step, one large one, half of them."
    local begun=$SECONDS ticker
    # Without the lock: what it waits in may outlive this run by a second.
    tell_the_time 9<&- &
    ticker=$!
    (cd -- "$source_tree" && "${as_builder[@]}" "$cargo" build --release --locked --target-dir "$target") || {
        kill "$ticker"
        fail "the build failed, see above; nothing was changed. It needs the network (crates.io) the first time.$(what_the_build_leaves)"
    }
    kill "$ticker"
    say "Built in $(minutes $((SECONDS - begun)))."
}

# What is lacking now; the package lists are as they are.
would_build() {
    local package lacking=()
    who_builds
    if ! can_compile; then lacking+=("${compiler_packages[@]}" "$pam_package"); fi
    if ! find_cargo; then
        for package in "${cargo_packages[@]}"; do
            if is_new_enough "$(offered_version "$package")"; then
                lacking+=("$package")
                break
            fi
        done
    fi
    for package in "${lacking[@]}"; do
        if [[ -n $package ]] && ! is_installed "$package"; then say "would install the package $package, for the build"; fi
    done
    say "would build here, as $builder"
}

# One line each half minute, for as long as this script runs.
tell_the_time() {
    local begun=$SECONDS told=0
    while sleep 1 && kill -0 $$ 2>/dev/null; do
        (((SECONDS - begun) / 30 > told)) || continue
        told=$(((SECONDS - begun) / 30))
        if [[ -t 2 ]]; then printf '\r\033[K' >&2; fi
        say "    building for $(minutes $((SECONDS - begun)))" >&2
    done
}

minutes() { if (($1 < 60)); then printf '%d s' "$1"; else printf '%d:%02d min' $(($1 / 60)) $(($1 % 60)); fi; }

# The owner of the source tree builds it, so that target/ stays theirs under sudo, with their cargo.
who_builds() {
    builder=$(stat -c %U -- "$source_tree")
    as_builder=(env -u CARGO_BUILD_TARGET)
    if [[ $builder != "$(id -un)" && $builder != UNKNOWN && $EUID == 0 ]]; then
        builder_home=$(getent passwd "$builder" | cut -d: -f6)
        as_builder=(runuser -u "$builder" -- env -u CARGO_BUILD_TARGET -u CARGO_HOME -u RUSTUP_HOME
            HOME="$builder_home" USER="$builder" LOGNAME="$builder")
    else
        builder=$(id -un)
        builder_home=$HOME
    fi
}

install_build_tools() {
    local missing=()
    can_compile || missing+=("${compiler_packages[@]}" "$pam_package")
    if ! find_cargo || ((${#missing[@]})) && ((${#refresh_packages[@]})); then
        "${refresh_packages[@]}" || warn "the package lists could not be refreshed"
    fi
    find_cargo || missing+=("$(cargo_package)")
    if ((${#missing[@]} && ${#install_packages[@]})); then
        say "Installing what the build needs: ${missing[*]}"
        remember_packages "${missing[@]}"
        "${install_packages[@]}" "${missing[@]}" ||
            fail "the package manager could not install ${missing[*]}; install them by hand and run this again"
    fi
    can_compile || fail "needs a C compiler and libpam's headers (${compiler_packages[*]:-cc} ${pam_package:-libpam}); install them and run this again"
    find_cargo || fail "$(how_to_get_cargo)"
}

# What is installed for the build is not taken out again by itself, for others may use it by then: it is named
# wherever somebody may wonder, also by an --uninstall years later.
remember_packages() {
    local package
    [[ ! -f $for_the_build ]] || mapfile -t build_packages <"$for_the_build"
    for package; do
        is_installed "$package" || build_packages+=("$package")
    done
}

# Empty where nothing was.
what_the_build_leaves() {
    local package there=()
    for package in "${build_packages[@]}"; do
        if is_installed "$package"; then there+=("$package"); fi
    done
    ((${#there[@]})) || return 0
    printf '\nInstalled for the build, and there still: %s. If nothing else needs them: %s%s %s' \
        "${there[*]}" "$as_root" "$remove_packages" "${there[*]}"
}

# The first that is new enough.
cargo_package() {
    local package
    for package in "${cargo_packages[@]}"; do
        if is_new_enough "$(offered_version "$package")"; then
            printf '%s\n' "$package"
            return
        fi
    done
    fail "$(how_to_get_cargo)"
}

how_to_get_cargo() {
    say "needs Rust $oldest_rust or newer; found here: ${found_cargo:-none}.
Install a current one as $builder with rustup (https://rustup.rs), or take the files of a release and say
--from DIR, or install the package of authalert; then run this again."
}

can_compile() {
    local probe
    probe=$(mktemp -d)
    printf '#include <security/pam_modules.h>\nint main(void) { return PAM_SUCCESS; }\n' >"$probe/probe.c"
    cc -o "$probe/probe" "$probe/probe.c" -lpam &>/dev/null
    local status=$?
    rm -rf -- "$probe"
    return $status
}

# rustup's in the builder's home, then the system's, then those beside it that distributions keep
# under a versioned name; the first that is new enough.
find_cargo() {
    local candidate version
    found_cargo=
    for candidate in "$builder_home/.cargo/bin/cargo" /usr/local/bin/cargo /usr/bin/cargo /usr/lib/rust-*/bin/cargo; do
        version=$("${as_builder[@]}" "$candidate" --version 2>/dev/null | awk '{ print $2 }') || continue
        [[ -n $version ]] || continue
        if is_new_enough "$version"; then
            cargo=$candidate
            as_builder+=(PATH="${candidate%/*}:$PATH")
            return 0
        fi
        found_cargo="$version ($candidate)"
    done
    return 1
}

# No version to be had: the package manager is believed, and the cargo it installs is looked at.
is_new_enough() {
    [[ -z $1 ]] || printf '%s\n%s\n' "$oldest_rust" "$1" | sort -V -C
}

artifacts_must_fit() {
    local file complaint directory
    for file in authalert libpam_authalert.so libauthalert_sender.so; do
        [[ -f $artifacts/$file ]] || fail "$artifacts/$file is missing: the build is not complete"
    done
    for directory in "${module_directories[@]}"; do
        if same_architecture "$artifacts/libpam_authalert.so" "$destdir$directory/pam_unix.so"; then
            module_directory=$directory
            break
        fi
    done
    same_architecture "$artifacts/libpam_authalert.so" "$destdir$module_directory/pam_unix.so" ||
        fail "the module was built for another processor than this system's libpam"
    [[ -z $destdir ]] || return 0
    for file in libpam_authalert.so libauthalert_sender.so; do
        # By a short name: the loader takes a blank or a colon in it for the end.
        if ! complaint=$(cd -- "$artifacts" && LD_PRELOAD=./$file LD_BIND_NOW=1 "$(type -P true)" 2>&1) || [[ -n $complaint ]]; then
            fail "$file does not load on this system, so nothing was changed: ${complaint:-it crashed}
Build it here, or on a system whose C library is not newer than this one's."
        fi
    done
    complaint=$("$artifacts/authalert" --help 2>&1 >/dev/null) ||
        fail "the command does not run on this system, so nothing was changed: $complaint"
}

# Class and machine in the ELF header.
same_architecture() {
    [[ $(od -An -tx1 -j4 -N2 -- "$1") == "$(od -An -tx1 -j4 -N2 -- "$2")" &&
        $(od -An -tx1 -j18 -N2 -- "$1") == "$(od -An -tx1 -j18 -N2 -- "$2")" ]]
}

# --- installing -------------------------------------------------------------------------------

readonly configuration=/etc/authalert
readonly state=/var/lib/authalert

install_files() {
    local page unit
    files=()
    file "$artifacts/libauthalert_sender.so" 0644 "$library/libauthalert_sender.so"
    if ((${#build_packages[@]})); then
        printf '%s\n' "${build_packages[@]}" | sort -u >"$scratch/for-the-build"
        file "$scratch/for-the-build" 0644 "$for_the_build"
    elif [[ -f $destdir$for_the_build ]]; then
        # Of a run before: it stays.
        file "$destdir$for_the_build" 0644 "$for_the_build"
    fi
    file "$artifacts/authalert" 0755 "$bin/authalert"
    file "$source_tree/packaging/authalert-pam" 0755 "$sbin/authalert-pam"
    for page in "$source_tree"/packaging/man/*.[1578]; do
        file "$page" 0644 "$share/man/man${page##*.}/${page##*/}"
    done
    file "$source_tree/packaging/completions/authalert.bash" 0644 "$share/bash-completion/completions/authalert"
    file "$source_tree/packaging/completions/_authalert" 0644 "$share/zsh/site-functions/_authalert"
    file "$source_tree/packaging/completions/authalert.fish" 0644 "$share/fish/vendor_completions.d/authalert.fish"
    [[ -n $pam_profiles ]] && file "$source_tree/pam.d/authalert" 0644 "$pam_profiles/authalert"
    if [[ $scheduler == systemd ]]; then
        for unit in "$source_tree"/packaging/systemd/*; do
            file "$(with_paths "$unit")" 0644 "/etc/systemd/system/${unit##*/}"
        done
    else
        file "$(with_paths "$source_tree/packaging/cron/authalert")" 0644 /etc/cron.d/authalert
    fi
    [[ -e $destdir$configuration/config.toml ]] ||
        file "$source_tree/etc/config.toml" 0644 "$configuration/config.toml"
    # Last: what makes the others matter.
    file "$artifacts/libpam_authalert.so" 0644 "$module_directory/pam_authalert.so"

    write_manifest
    local entry source mode destination
    for entry in "${files[@]}"; do
        IFS='|' read -r source mode destination <<<"$entry"
        place "$source" "$mode" "$destination"
    done
    # For receivers, and lines of programs, that are described here, and not by the program.
    make_directory "$configuration/receivers.d" 0755
    make_directory "$configuration/rules.d" 0755
    remove_what_is_no_longer_installed
}

# What is not built yet is there when it counts.
file() { if [[ -f $1 || $dry_run == yes && $1 == "$artifacts"/* ]]; then files+=("$1|$2|$3"); fi; }

with_paths() {
    local result=$scratch/${1##*/} by_itself='' version
    # OnSuccess= came with systemd 249, Restart= of what runs once somewhat earlier. Before, a path unit starts the pass itself;
    # what is recorded while that ends, or when it is killed, waits for the timer.
    version=$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p' || true)
    if [[ -n $version ]] && ((version < 249)); then by_itself='s,^Unit=authalert-wake@,Unit=authalert-,; /^Restart/d'; fi
    sed -e "s,@bindir@,$bin,g" -e "$by_itself" -- "$1" >"$result"
    printf '%s\n' "$result"
}

# What --uninstall removes, files and the directories that this run makes, written before the first
# of them: an interrupted run leaves nothing unknown.
write_manifest() {
    {
        installed_files
        missing_directories
        [[ ! -f $destdir$manifest ]] || cat -- "$destdir$manifest"
    } | sort -u >"$scratch/installed"
    place "$scratch/installed" 0644 "$manifest"
}

# The configuration is the administrator's from the first moment.
installed_files() { printf '%s\n' "${files[@]##*|}" | grep -v "^$configuration/"; }

missing_directories() {
    local path
    for path in "${files[@]##*|}"; do
        while path=${path%/*} && [[ -n $path && ! -d $destdir$path ]]; do
            [[ $path == "$configuration" ]] || printf '%s/\n' "$path"
        done
    done
}

# Of an older version, or of cron where systemd has taken over.
remove_what_is_no_longer_installed() {
    [[ $dry_run == no ]] || return 0
    local path
    { installed_files; sed -n '/\/$/p' "$scratch/installed"; } | sort -u >"$scratch/now"
    while read -r path; do
        [[ -f $destdir$path ]] || continue
        remember "$path"
        rm -f -- "$destdir$path"
    done < <(comm -23 "$scratch/installed" "$scratch/now")
    place "$scratch/now" 0644 "$manifest"
}

make_state_directory() {
    make_directory "$state" 0700
    # Under SELinux a login program may make files here, and no directories.
    make_directory "$state/journal" 0700
    [[ $dry_run == no && -z $destdir ]] || return 0
    command -v selinuxenabled >/dev/null && selinuxenabled || return 0
    # Login programs may make files of type var_auth_t, which is there for what PAM modules keep.
    if command -v semanage >/dev/null; then
        semanage fcontext -a -t var_auth_t "$state(/.*)?" 2>/dev/null || true
        restorecon -R -- "$state" "$library" "$configuration" || true
    else
        warn "SELinux is on and semanage is missing: install policycoreutils-python-utils, then run
    semanage fcontext -a -t var_auth_t '$state(/.*)?' && restorecon -R $state"
    fi
    say "SELinux may keep login programs off the network: then the scheduled \"authalert deliver\" posts, seconds later."
}

# The module is tried in a stack of its own, with a state of its own, before a real one names it.
rehearse() {
    [[ -z $destdir && $dry_run == no ]] || return 0
    local stage=/run/authalert-rehearsal stack=/etc/pam.d/authalert-rehearsal
    to_undo rm -rf -- "$stack" "$stage"
    rm -rf -- "$stage"
    install -d -m 0700 -- "$stage" "$stage/state" "$stage/state/journal"
    printf 'receiver = "timeline"\n' >"$stage/config.toml"
    printf 'auth optional pam_authalert.so config=%s/config.toml state=%s/state\nauth required pam_deny.so\n' \
        "$stage" "$stage" >"$stage/stack"
    chmod 0644 -- "$stage/stack"
    mv -- "$stage/stack" "$stack"
    local said
    said=$(timeout --foreground 60 "$bin/authalert" --config "$stage/config.toml" --state "$stage/state" \
        test --pam authalert-rehearsal 2>&1 </dev/null) ||
        fail "the module did not record a failure in a stack of its own: $said"
    rm -rf -- "$stack" "$stage"
}

# Of the stacks that have the line already, none is the undo's business.
add_lines() {
    local service tool=$source_tree/packaging/authalert-pam
    if [[ $dry_run == yes ]]; then
        bash "$tool" --root "$destdir" --dry-run add "${services[@]}"
        return
    fi
    local before
    before=$(bash "$tool" --root "$destdir" list)
    [[ ! -f $destdir$state/guarded ]] || remember "$state/guarded"
    for service in "${services[@]}"; do
        grep -qx -- "$service" <<<"$before" || to_undo take_line_out "$service"
        bash "$tool" --root "$destdir" add "$service"
    done
}

take_line_out() { bash "$source_tree/packaging/authalert-pam" --root "$destdir" remove "$1"; }

schedule() {
    if [[ $scheduler == systemd ]]; then
        start_units
    elif [[ -n $destdir || $dry_run == yes ]]; then
        return
    elif ! { type -P cron || type -P crond || type -P fcron; } >/dev/null; then
        no_cron=yes
        warn "nothing runs authalert each minute: there is no cron.
    The module itself sends what fails at sshd and login; what fails at su and
    sudo, break-ins, and what could not be sent wait, and no log is read, until
    cron is installed, or \"$bin/authalert scan\" is run each minute
    some other way. \"$bin/authalert check\" says so too, with status 1."
    fi
}

readonly units=(authalert-deliver.path authalert-commands.path authalert-scan.timer)

start_units() {
    [[ -z $destdir ]] || return 0
    if [[ $dry_run == yes ]]; then
        say "would enable and start ${units[*]}"
        return
    fi
    to_undo stop_units
    systemctl daemon-reload
    systemctl enable --quiet "${units[@]}"
    systemctl restart "${units[@]}"
}

stop_units() {
    [[ -z $destdir ]] || return 0
    local unit
    if [[ ! -d /run/systemd/system ]]; then
        # In a chroot or a rescue system they are enabled all the same.
        for unit in "${units[@]}"; do rm -f -- /etc/systemd/system/*.target.wants/"$unit"; done
        return
    fi
    for unit in "${units[@]}"; do
        if [[ -e /etc/systemd/system/$unit ]]; then systemctl disable --quiet --now "$unit" || true; fi
    done
    # In the order in which they start one another.
    systemctl stop authalert-wake@{deliver,commands}.service authalert-{deliver,scan,commands}.service 2>/dev/null || true
    # One that was stopped in the middle has failed, and would be remembered without its file.
    systemctl reset-failed 'authalert-*' 2>/dev/null || true
}

# The only word that it works: a wrong password through the stack as it now is. It is a test, and in no alert.
prove() {
    [[ -z $destdir && $dry_run == no ]] || return 0
    local service
    for service in "${services[@]}"; do
        say "A wrong password through the stack of $service:"
        timeout --foreground 90 "$bin/authalert" test --pam "$service" </dev/null ||
            fail "a wrong password through the stack of $service was not recorded"
    done
}

# Marks where the logs are read from, so that "authalert check" is content from the first moment.
first_pass() {
    [[ -z $destdir && $dry_run == no ]] || return 0
    timeout --foreground 60 "$bin/authalert" scan </dev/null &>"$scratch/scan" ||
        warn "the first pass, which reads the logs and sends what is pending: $(tail -n 1 "$scratch/scan" | sed 's/^authalert: //')"
}

# --- changing files, and changing them back ---------------------------------------------------

undo=() # commands that put back what was there, in the order of the changes
scratch=
kept=0
readonly new=.authalert-new~ # ending of a file that is not yet in place; pam-auth-update, cron and systemd pass it over

begin() {
    scratch=$(mktemp -d /var/tmp/authalert-install.XXXXXXXX)
    trap 'put_back' EXIT
    trap 'exit 1' INT TERM HUP
}

finish() {
    trap '' INT TERM HUP
    trap - EXIT
    undo=()
    remove_scratch
    [[ $dry_run == no ]] || return 0
    local guarded stacks=() service runs="/etc/cron.d/authalert, each minute"
    mapfile -t guarded < <(bash "$source_tree/packaging/authalert-pam" --root "$destdir" list)
    for service in "${guarded[@]}"; do stacks+=("/etc/pam.d/$service"); done
    [[ $scheduler != systemd ]] || runs="${units[*]} (enabled, and started at each boot)"
    [[ $no_cron == no ]] || runs="nothing each minute: there is no cron, see above"
    local phone=()
    has_receiver || phone=("To have them on a phone:" "    $as_root$bin/authalert receivers add ntfy")
    say "" "authalert is installed and guards: ${guarded[*]}. It took $(minutes "$SECONDS")." \
        "  changed    ${stacks[*]}: one line each; as they were: $state/before" \
        "  installed  ${#files[@]} files, listed in $manifest; configuration: $configuration/config.toml" \
        "  runs       $runs" \
        "  undo       ${as_root}./install.sh --uninstall; --purge with it takes configuration and history too;" \
        "             to take the lines out at once, should a login ever fail:" \
        "             $as_root$sbin/authalert-pam remove --all" \
        "  all well?  $as_root$bin/authalert check" \
        "Alerts are shown by \"$as_root$bin/authalert timeline\".${phone[0]:+ ${phone[0]}}" \
        "${phone[@]:1}"
    local left
    left=$(what_the_build_leaves)
    [[ -z $left ]] || say "${left#$'\n'}"
}

# Somewhere else than the timeline, as far as the files say it.
has_receiver() {
    grep -qsE '^[[:space:]]*(\[\[[[:space:]]*receiver[[:space:]]*\]\]|receiver[[:space:]]*=[[:space:]]*("x"|\[))' \
        -- "$destdir$configuration/config.toml" ||
        grep -qsE '^[[:space:]]*api_key[[:space:]]*=' -- "$destdir$configuration/credentials.toml"
}

# What could not be put back is named; where nothing is, that is said.
put_back() {
    local status=$? i complaints=()
    trap - EXIT
    trap '' INT TERM HUP
    set +e
    if ((${#undo[@]})); then warn "interrupted or failed: putting everything back"; fi
    for ((i = ${#undo[@]} - 1; i >= 0; i--)); do
        eval "${undo[i]}" >/dev/null 2>"$scratch/complaint" && continue
        # The rest stays, or a stack would name a module that is not there.
        if [[ ${undo[i]} == take_line_out\ * ]]; then
            complaints+=("a line stays in a PAM stack, and so does everything it needs; put that right, then ./install.sh --uninstall: $(<"$scratch/complaint")")
            break
        fi
        complaints+=("could not be put back: ${undo[i]}: $(<"$scratch/complaint")")
    done
    if [[ -z $destdir && -d /run/systemd/system ]] && ((${#undo[@]})); then systemctl daemon-reload; fi
    if ((${#complaints[@]})); then
        for i in "${complaints[@]}"; do warn "$i"; done
    else
        warn "all is as it was before; authalert $([[ -e $destdir$manifest ]] && echo "is installed as it was" || echo "is not installed")$(what_the_build_leaves)"
    fi
    remove_scratch
    exit "$status"
}

remove_scratch() {
    rm -rf -- "$scratch" ${staging:+"$staging"} ${built_beside:+"$built_beside"}
}

to_undo() {
    local command
    printf -v command '%q ' "$@"
    undo+=("$command")
}

# A file appears whole: processes that hold the old one keep it, none sees half of the new one.
place() {
    local source=$1 mode=$2 destination=$destdir$3
    if [[ -f $destination && $(stat -c %a -- "$destination") == "${mode#0}" ]] && cmp -s -- "$source" "$destination"; then
        return
    fi
    if [[ $dry_run == yes ]]; then
        say "would install $destination"
        return
    fi
    make_directory "$(dirname -- "$3")" 0755
    remember "$3"
    rename_into_place "$source" "$mode" "$destination"
}

rename_into_place() {
    local whole=$3$new
    install -m "$2" -- "$1" "$whole"
    [[ $EUID != 0 ]] || chown 0:0 -- "$whole"
    if [[ -z $destdir ]] && command -v restorecon >/dev/null; then restorecon -- "$whole" 2>/dev/null || true; fi
    sync -- "$whole"
    mv -f -- "$whole" "$3"
    sync -- "${3%/*}"
    if [[ -z $destdir ]] && command -v restorecon >/dev/null; then restorecon -- "$3" 2>/dev/null || true; fi
}

remember() {
    local path=$destdir$1
    if [[ -e $path ]]; then
        kept=$((kept + 1))
        cp -a -- "$path" "$scratch/kept.$kept"
        to_undo bring_back "$scratch/kept.$kept" "$path"
    else
        to_undo rm -f -- "$path" "$path$new"
    fi
}

# Moved, not copied: that a disk is full may be why everything is put back.
bring_back() {
    mv -f -- "$1" "$2$new"
    mv -f -- "$2$new" "$2"
}

make_directory() {
    local directory=$destdir$1
    [[ ! -d $directory ]] || return 0
    if [[ $dry_run == yes ]]; then
        say "would make $directory"
        return
    fi
    make_directory "$(dirname -- "$1")" 0755
    # What this run made goes, with the records of its own proof; what others put beside our files stays.
    case $1 in
    "$state" | "$state"/*) to_undo rm -rf -- "$directory" ;;
    *) to_undo rmdir --ignore-fail-on-non-empty -- "$directory" ;;
    esac
    install -d -m "$2" -- "$directory"
}

# --- removing ---------------------------------------------------------------------------------

uninstall() {
    local tool=$source_tree/packaging/authalert-pam paths=() path
    [[ -n $destdir || ! -f $for_the_build ]] || mapfile -t build_packages <"$for_the_build"
    # The stacks first: from here on no login needs the module.
    if [[ $dry_run == yes ]]; then
        bash "$tool" --root "$destdir" --dry-run remove --all
    else
        leave_pam_auth_update
        bash "$tool" --root "$destdir" remove --all || fail "nothing was removed"
        rm -rf -- "$destdir/etc/pam.d/authalert-rehearsal" "$destdir/run/authalert-rehearsal" "$destdir"/usr/lib/.authalert-release.*
        stop_units
    fi
    if [[ -f $destdir$manifest ]]; then mapfile -t paths < <(sort -r -- "$destdir$manifest"); fi
    for path in "${paths[@]}"; do
        [[ $path == */ ]] || remove_path "$path"
    done
    remove_path "$manifest"
    # Backwards by name: what is in a directory before the directory.
    for path in "${paths[@]}"; do
        [[ $path != */ ]] || remove_path "$path"
    done
    [[ $purge == no ]] || purge
    if [[ $dry_run == no && -z $destdir && -d /run/systemd/system ]]; then systemctl daemon-reload; fi
    [[ $dry_run == no ]] || return 0
    local stays=()
    [[ ! -d $destdir$configuration ]] || stays+=("$configuration (configuration, credentials)")
    [[ ! -d $destdir$state ]] || stays+=("$state (history)")
    if [[ $purge == yes ]]; then
        say "authalert is gone, its configuration, credentials and history too.$(what_the_build_leaves)"
    elif ((${#stays[@]} == 0)); then
        say "authalert is gone.$(what_the_build_leaves)"
    else
        say "authalert is gone. What stays: ${stays[0]}${stays[1]:+, ${stays[1]}};" \
            "\"${as_root}./install.sh --uninstall --purge\" removes that too.$(what_the_build_leaves)"
    fi
}

leave_pam_auth_update() {
    [[ -z $destdir ]] && command -v pam-auth-update >/dev/null || return 0
    if grep -qs pam_authalert /etc/pam.d/common-auth; then
        DEBIAN_FRONTEND=noninteractive pam-auth-update --package --remove authalert
    fi
}

purge() {
    local directory
    for directory in "$configuration" "$state"; do
        [[ -d $destdir$directory ]] || continue
        if [[ $dry_run == yes ]]; then say "would remove $destdir$directory"; else rm -rf -- "$destdir$directory"; fi
    done
    if [[ $dry_run == no && -z $destdir ]] && command -v semanage >/dev/null; then
        semanage fcontext -d "$state(/.*)?" 2>/dev/null || true
    fi
}

remove_path() {
    local path=$destdir$1
    if [[ $path == */ ]]; then
        [[ $dry_run == yes || ! -d $path ]] || rmdir --ignore-fail-on-non-empty -- "$path"
    elif [[ $dry_run == yes ]]; then
        [[ ! -e $path ]] || say "would remove $path"
    else
        rm -f -- "$path" "$path$new"
    fi
}

# --- speaking ---------------------------------------------------------------------------------

# What is to be typed is typed by whoever called this.
as_root=
[[ -z ${SUDO_USER:-} ]] || as_root="sudo "
readonly as_root

# At a terminal lines end between words, and go on where their first one began its text.
say() {
    local columns=
    if [[ -t 1 ]]; then { columns=$(stty size <&3 2>/dev/null | cut -d ' ' -f 2) || true; } 3>&1; fi
    if ((${columns:-0} < 40)); then
        printf '%s\n' "$@"
    else
        printf '%s\n' "$@" | awk -v columns="$columns" '
            {
                match($0, /^ *([a-z?]+( [a-z?]+)?  +)?/)
                indent = RLENGTH < columns / 2 ? sprintf("%" RLENGTH "s", "") : ""
                line = substr($0, 1, RLENGTH)
                start = 1
                words = split(substr($0, RLENGTH + 1), word, " ")
                for (i = 1; i <= words; i++) {
                    if (!start && length(line) + 1 + length(word[i]) > columns) {
                        print line
                        line = indent
                        start = 1
                    }
                    line = line (start ? "" : " ") word[i]
                    start = 0
                }
                print line
            }'
    fi
}
warn() { say "install.sh: $*" >&2; }
fail() {
    warn "$*"
    exit 1
}
misused() {
    warn "$*"
    warn 'try "./install.sh --help"'
    exit 2
}

main "$@"
