# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of run.sh
# What the tests need of a machine. Sourced by run.sh.

# Under sudo the Rust of the sources' owner is used, and what is fetched and built stays theirs: cargo would build all
# anew for another home.
find_rust() {
    owner=$(stat -c %U .)
    local owner_home bin version
    owner_home=$(getent passwd "$owner" | cut -d: -f6)
    PATH=$PATH:/usr/sbin:/sbin:${HOME:-/root}/.cargo/bin:$owner_home/.cargo/bin
    [[ -n ${RUSTUP_HOME:-} || -d ${HOME:-/root}/.rustup || ! -d $owner_home/.rustup ]] || export RUSTUP_HOME=$owner_home/.rustup
    [[ -n ${CARGO_HOME:-} || $EUID != 0 || -z $owner_home ]] || export CARGO_HOME=$owner_home/.cargo
    export PATH
    # One that is new enough, also where a distribution keeps it beside its own (Debian 12: cargo-web).
    for bin in '' /usr/lib/rust-*/bin; do
        version=$(PATH=$bin${bin:+:}$PATH cargo --version 2>/dev/null | awk '{ print $2 }')
        if [[ -n $version ]] && printf '1.85\n%s\n' "$version" | sort -VC; then
            [[ -z $bin ]] || PATH=$bin:$PATH
            return 0
        fi
    done
    return 1
}

give_back() {
    local made
    [[ $EUID == 0 && $owner != root ]] || return 0
    for made in target fuzz/target "${CARGO_HOME:-}"; do
        [[ -z $made || ! -d $made ]] || chown -R --from=root "$owner:" "$made"
    done
}

# A command, and Debian's package that has it; for each ring the commands it cannot do without. What a ring can do
# without it says where it leaves a test out.
needs_of() { # RING
    local for_cargo='cc:gcc pkg-config:pkg-config'
    case $1 in
    unit) echo "$for_cargo python3:python3 openssl:openssl" ;;
    runner) echo 'script:bsdutils setsid:util-linux' ;;
    module) echo "$for_cargo python3:python3" ;;
    system) echo "$for_cargo python3:python3 openssl:openssl sshd:openssh-server ssh:openssh-client ssh-keygen:openssh-client sudo:sudo unshare:util-linux vsftpd:vsftpd" ;;
    harness) echo "$for_cargo python3:python3 openssl:openssl strace:strace faketime:faketime" ;;
    hostile) echo "$for_cargo python3:python3 openssl:openssl readelf:binutils sshd:openssh-server ssh:openssh-client sudo:sudo" ;;
    scan) echo "$for_cargo python3:python3 openssl:openssl strace:strace xz:xz-utils zstd:zstd bzip2:bzip2 rsyslogd:rsyslog sshd:openssh-server ssh:openssh-client sudo:sudo" ;;
    fleet) echo "$for_cargo python3:python3 openssl:openssl nats-server:nats-server faketime:faketime ss:iproute2" ;;
    receivers) echo "$for_cargo python3:python3 openssl:openssl" ;;
    fuzz) echo "$for_cargo c++:g++" ;;
    install) echo "$for_cargo openssl:openssl python3:python3" ;;
    release) echo "$for_cargo python3:python3 git:git readelf:binutils dpkg-deb:dpkg rpmbuild:rpm xz:xz-utils ssh-keygen:openssh-client aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu" ;;
    arm64) echo "$for_cargo python3:python3 debootstrap:debootstrap qemu-aarch64-static:qemu-user-static aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu unshare:util-linux" ;;
    fresh) echo "$for_cargo python3:python3 openssl:openssl debootstrap:debootstrap systemd-nspawn:systemd-container ssh:openssh-client" ;;
    esac
}

# What a ring leaves a test out without: with --all, which leaves out nothing, that is installed too, and by name for a ring that
# only --all runs. Before any ring begins: copies of this machine's system change under a test when it does.
wants_of() { # RING
    case $1 in
    report) echo 'chromium:chromium chromedriver:chromium-driver tidy:tidy promtool:prometheus fail2ban-regex:fail2ban faketime:faketime man:man-db' ;;
    hostile) echo 'valgrind:valgrind' ;;
    install) echo 'lintian:lintian rpmspec:rpm shellcheck:shellcheck man:man-db' ;;
    esac
}

# Of commands, each with its package: the packages of those that are not here.
not_here() { # COMMAND:PACKAGE...
    local need
    for need; do
        command -v "${need%%:*}" >/dev/null || printf '%s\n' "${need#*:}"
    done
}

# The packages that RING lacks, on one line.
lacks() { # RING
    # shellcheck disable=SC2046 # words
    not_here $(needs_of "$1") | sort -u | paste -sd ' '
    [[ $1 != receivers ]] || python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
    [[ -e /usr/include/security/pam_appl.h || $1 == runner ]] || echo libpam0g-dev
}

# On Debian and Ubuntu, as root, what the rings lack is installed; elsewhere they are left out.
install_what_is_missing() { # ALL RING...
    local all=$1 ring packages packages_of_ring
    local -A wanted=()
    shift
    packages=$(for ring; do lacks "$ring"; done | tr ' ' '\n' | sort -u | paste -sd ' ')
    find_rust || packages+=" $(cargo_package)"
    for ring; do
        [[ $all == yes || " $only_with_all " == *" $ring "* ]] || continue
        # shellcheck disable=SC2046 # words
        packages_of_ring=$(not_here $(wants_of "$ring") | paste -sd ' ')
        [[ -z $packages_of_ring ]] || wanted[$ring]=$packages_of_ring
    done
    [[ $EUID == 0 && -n ${packages// /}${wanted[*]} ]] && command -v apt-get >/dev/null || return 0
    # A machine that only tests needs no sshd of its own on the network.
    local policy=/usr/sbin/policy-rc.d
    [[ -e $policy ]] || { printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod 755 "$policy"; made_policy=$policy; }
    [[ -z ${packages// /} ]] || install_packages "$packages"
    # By themselves: a system that lacks one of these runs the rings all the same.
    for ring in "${!wanted[@]}"; do install_packages "${wanted[$ring]}"; done
    remove_policy
}

install_packages() { # PACKAGES
    # shellcheck disable=SC2016,SC2086 # for the shell that runs it; a list of words
    run_step "installing: $1" 1500 sh -c 'export DEBIAN_FRONTEND=noninteractive
        apt-get -qq update; apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"' - $1 ||
        tail -n 20 "$work/step"
}

made_policy=
remove_policy() {
    [[ -z $made_policy ]] || rm -f -- "$made_policy"
    made_policy=
}

cargo_package() {
    local package version
    for package in cargo cargo-web; do
        version=$(apt-cache show --no-all-versions "$package" 2>/dev/null | sed -n 's/^Version: *//p')
        [[ -z $version ]] || ! printf '1.85\n%s\n' "$version" | sort -VC || { echo "$package"; return; }
    done
    echo cargo
}

# Why RING cannot run here; nothing if it can.
why_not() { # RING
    local missing
    missing=$(lacks "$1" | paste -sd ' ')
    case $1 in
    system | fresh | arm64) [[ $EUID == 0 ]] || { echo 'it needs root'; return; } ;;
    # These do without: they leave out the tests that need it.
    unit) missing= ;;
    hostile | scan) [[ $EUID == 0 ]] || missing=$(tr ' ' '\n' <<<"$missing" | grep -xE 'gcc|python3|libpam0g-dev' | paste -sd ' ') ;;
    esac
    [[ -z $missing ]] || { echo "missing packages (Debian's names): $missing"; return; }
    case $1 in
    release | arm64)
        command -v apt-get >/dev/null || { echo "it takes libpam for ARM from Debian's archive, by apt"; return; }
        [[ -d $(rustc --print sysroot)/lib/rustlib/aarch64-unknown-linux-gnu ]] ||
            { echo 'no Rust for 64-bit ARM: rustup target add aarch64-unknown-linux-gnu'; return; }
        if [[ $1 == release ]] && ! { command -v cargo-auditable && command -v cargo-cyclonedx; } >/dev/null; then
            echo 'missing: cargo install --locked cargo-auditable cargo-cyclonedx'
        fi
        ;;
    system)
        if ! unshare --mount --propagation private mount -t tmpfs tmpfs /mnt 2>/dev/null; then
            echo 'this machine (a container?) allows no mounts'
        elif [[ ! -r /etc/pam.d/common-auth ]]; then
            echo "it knows Debian's stacks only (/etc/pam.d/common-auth)"
        fi
        ;;
    fresh)
        timeout --foreground 60 systemd-nspawn --quiet --register=no --keep-unit --volatile=yes --machine="probe-$$" --directory=/ \
            /usr/bin/true >/dev/null 2>"$work/nspawn" </dev/null ||
            echo "this machine (a container?) starts no containers: $(tail -n 1 "$work/nspawn")"
        ;;
    esac
}
