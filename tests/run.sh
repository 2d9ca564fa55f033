#!/bin/sh
# The tests: every ring that this machine allows, or those that are named.
#
#   tests/run.sh [--fresh] [unit] [module] [system] [harness] [hostile] [scan] [fuzz] [install] [fresh]
#
#   unit     unit tests and known answers (cargo test)
#   module   the built module driven by libpam; no root needed
#   system   sshd, su, sudo and login, in a mount namespace; root
#   harness  crashes at every step, and what is counted afterwards
#   hostile  callers that mean it badly
#   scan     the log route: rotations, kills, and real programs under rsyslog and journald; root for the last
#   fuzz     each fuzz target for some seconds; fuzz/run.sh -n RUNS goes on for longer
#   install  install.sh into a directory
#   fresh    fresh machines, booted: one from source, one from a package; with --fresh every kind; root
#
# Each test prints a line `ok - sentence` or `not ok - sentence`. The last line is `N passed, N failed`; the exit status
# is 0 if nothing failed. What is missing is installed on Debian and Ubuntu, as root; else it is named.
set -u
cd "$(dirname "$0")/.." || exit 1
# Under sudo the Rust of who owns the sources is used, and what is fetched and built stays theirs: cargo would build
# all anew for another home.
owner=$(stat -c %U .)
owner_home=$(getent passwd "$owner" | cut -d: -f6)
PATH=$PATH:/usr/sbin:/sbin:${HOME:-/root}/.cargo/bin:$owner_home/.cargo/bin
[ -n "${RUSTUP_HOME:-}" ] || [ -d "${HOME:-/root}/.rustup" ] || [ ! -d "$owner_home/.rustup" ] || export RUSTUP_HOME="$owner_home/.rustup"
[ -n "${CARGO_HOME:-}" ] || [ "$(id -u)" -ne 0 ] || [ -z "$owner_home" ] || export CARGO_HOME="$owner_home/.cargo"
export PATH LC_ALL=C.UTF-8

all='unit module system harness hostile scan fuzz install fresh'
rings='' fresh=two
for word; do
    case $word in
    --fresh) fresh=every ;;
    -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
    unit | module | system | harness | hostile | scan | fuzz | install | fresh) rings="$rings $word" ;;
    *) echo "tests/run.sh: '$word' is no ring; the rings are $all" >&2; exit 2 ;;
    esac
done
[ -n "$rings" ] || rings=$all

root=no
[ "$(id -u)" -ne 0 ] || root=yes
logs=$(mktemp -d) || exit 1
trap 'rm -rf "$logs"; give_back' EXIT
trap 'exit 130' INT TERM
passed=0 failed=0 left_out=''

give_back() {
    [ $root = yes ] && [ "$owner" != root ] || return
    for made in target "${CARGO_HOME:-$owner_home/.cargo}"; do
        [ ! -d "$made" ] || chown -R --from=root "$owner:" "$made"
    done
}

wanted() { case " $rings " in *" $1 "*) return 0 ;; esac; return 1; }

leave_out() { # RING WHY
    echo "left out - $1: $2"
    left_out="$left_out $1"
}

# Ring, seconds, command. What it prints is shown; its last `N passed, N failed` is added up, or else its `ok` lines,
# or else its exit status.
run() {
    ring=$1 seconds=$2
    shift 2
    echo "== $ring: $*"
    { timeout --kill-after=30 "$seconds" "$@" 2>&1; echo $? >"$logs/status"; } | tee "$logs/$ring"
    status=$(cat "$logs/status")
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$logs/$ring" | tail -n 1)
    if [ -n "$line" ]; then
        good=${line%% *} bad=${line#*, } bad=${bad%% *}
    else
        good=$(grep -c '^ok - ' "$logs/$ring") bad=$(grep -c '^not ok - ' "$logs/$ring")
    fi
    case $status in
    0) [ "$((good + bad))" -gt 0 ] || good=1 ;;
    124 | 137) echo "not ok - $ring ended within $seconds seconds"; bad=$((bad + 1)) ;;
    *) [ "$bad" -gt 0 ] || { echo "not ok - $ring ended with status $status"; bad=1; } ;;
    esac
    passed=$((passed + good)) failed=$((failed + bad))
}

# Every line of cargo's that names a test, as a sentence.
unit() {
    timeout --kill-after=30 1500 cargo test --locked --workspace --no-fail-fast 2>&1 | awk '
        /^test result:/ { good += $4; bad += $6; next }
        /^test .* \.\.\. (ok|FAILED|ignored)/ {
            name = $2; gsub(/^.*::/, "", name); gsub(/_/, " ", name)
            if ($NF == "ok") print "ok - " name; else if ($NF == "FAILED") print "not ok - " name
            next
        }
        /^error/ { broken = 1 }
        /^(running|$)|Running|Doc-tests|Compiling|Finished|Download|Locking|Updating/ { next }
        { print "    " $0 }
        END {
            if (broken && !bad) { print "not ok - the tests compile and run"; bad = 1 }
            printf "%d passed, %d failed\n", good, bad; exit bad > 0 || good == 0
        }'
}

# What the tests need: a command, and the package that has it.
needs='cc:gcc c++:g++ pkg-config:pkg-config python3:python3 openssl:openssl strace:strace readelf:binutils git:git
    valgrind:valgrind faketime:faketime xz:xz-utils zstd:zstd bzip2:bzip2'
if [ $root = yes ]; then
    needs="$needs sshd:openssh-server ssh:openssh-client ssh-keygen:openssh-client sudo:sudo unshare:util-linux rsyslogd:rsyslog"
fi
needs_of_fresh='debootstrap:debootstrap systemd-nspawn:systemd-container'

# Cargo that is new enough, also where a distribution keeps it beside its own (Debian 12: cargo-web).
find_cargo() {
    for bin in '' /usr/lib/rust-*/bin; do
        version=$(PATH=$bin${bin:+:}$PATH cargo --version 2>/dev/null | awk '{ print $2 }')
        if [ -n "$version" ] && printf '1.85\n%s\n' "$version" | sort -VC; then
            [ -z "$bin" ] || PATH=$bin:$PATH
            return 0
        fi
    done
    return 1
}

missing() {
    for need; do
        command -v "${need%%:*}" >/dev/null || printf '%s ' "${need#*:}"
    done
}

all_missing() {
    # shellcheck disable=SC2086 # lists of words
    {
        missing $needs
        if [ $root = yes ] && wanted fresh; then missing $needs_of_fresh; fi
    }
    [ -e /usr/include/security/pam_appl.h ] || printf 'libpam0g-dev '
    find_cargo || printf 'cargo '
}

cargo_package() {
    for package in cargo cargo-web; do
        version=$(apt-cache show --no-all-versions "$package" 2>/dev/null | sed -n 's/^Version: *//p')
        [ -z "$version" ] || ! printf '1.85\n%s\n' "$version" | sort -VC || { echo "$package"; return; }
    done
    echo cargo
}

lacking=$(all_missing)
if [ -n "$lacking" ] && [ $root = yes ] && command -v apt-get >/dev/null; then
    echo "== installing: $lacking"
    {
        export DEBIAN_FRONTEND=noninteractive
        timeout 600 apt-get -qq update
        # A machine that only tests needs no sshd of its own on the network.
        policy=/usr/sbin/policy-rc.d
        case $lacking in *'cargo '*) lacking="${lacking%cargo }$(cargo_package)" ;; esac
        [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy; chmod 755 $policy; made_policy=yes; }
        # shellcheck disable=SC2086 # a list of words
        timeout 900 apt-get -qq install -y --no-install-recommends $lacking
        [ "${made_policy:-no}" = no ] || rm -f $policy
    } >"$logs/apt" 2>&1 || tail -n 20 "$logs/apt"
    lacking=$(all_missing)
fi
find_cargo
[ -z "$lacking" ] || echo "missing packages (Debian's names): $lacking"
case $lacking in
*'cargo '*)
    echo "not ok - there is Rust 1.85 or newer: install it with rustup (https://rustup.rs)"
    echo '0 passed, 1 failed'
    exit 1
    ;;
esac
# shellcheck disable=SC2086 # lists of words
lacking=$(missing $needs) fresh_lacks=$(missing $needs_of_fresh)
[ -e /usr/include/security/pam_appl.h ] || lacking="$lacking libpam0g-dev"

if wanted unit; then
    echo "== unit: cargo test --locked --workspace"
    unit | tee "$logs/unit"
    line=$(tail -n 1 "$logs/unit")
    good=${line%% *} bad=${line#*, } bad=${bad%% *}
    passed=$((passed + good)) failed=$((failed + bad))
fi

case $rings in
*module* | *system* | *harness* | *hostile* | *scan* | *install* | *fresh*)
    echo "== build: cargo build --release --locked"
    if ! timeout --kill-after=30 1800 cargo build --release --locked >"$logs/build" 2>&1; then
        tail -n 40 "$logs/build"
        echo "not ok - the build"
        echo "$passed passed, $((failed + 1)) failed"
        exit 1
    fi ;;
esac

if wanted module; then
    case $lacking in
    *gcc* | *libpam0g-dev* | *python3*) leave_out module "missing: $lacking" ;;
    *) run module 600 python3 tests/module/run.py ;;
    esac
fi

if wanted system; then
    if [ $root = no ]; then
        leave_out system 'it needs root'
    elif [ -n "$lacking" ]; then
        leave_out system "missing: $lacking"
    elif ! unshare --mount --propagation private mount -t tmpfs tmpfs /mnt 2>/dev/null; then
        leave_out system 'this machine (a container?) allows no mounts'
    elif [ ! -r /etc/pam.d/common-auth ]; then
        leave_out system "it knows Debian's stacks only (/etc/pam.d/common-auth)"
    else
        run system 900 python3 tests/system/run.py
    fi
fi

# Scripts that have a folder of their own; those that are not executable are parts of others: RING SECONDS SCRIPT...
others() {
    ring=$1 seconds=$2
    shift 2
    wanted "$ring" || return 0
    for script; do
        if [ ! -e "$script" ]; then
            leave_out "$ring" "there is no $script"
        elif [ -x "$script" ]; then
            run "$ring" "$seconds" "$script"
        fi
    done
}

others harness 1200 tests/harness/run.sh
others hostile 900 tests/hostile/run.sh
others scan 900 tests/scan/run.sh
if wanted fuzz; then
    case $lacking in
    *g++*) leave_out fuzz 'missing: g++' ;;
    *) run fuzz 900 fuzz/run.sh 40 ;;
    esac
fi
# Every step takes up to 40 minutes: tests/install/kill.sh alone kills at each.
KILL_EVERY=${KILL_EVERY:-12}
export KILL_EVERY
others install 1500 tests/install/*.sh

if wanted fresh; then
    if [ $root = no ]; then
        leave_out fresh 'it needs root'
    elif [ -n "$fresh_lacks" ]; then
        leave_out fresh "missing: $fresh_lacks"
    elif ! systemd-nspawn --quiet --register=no --keep-unit --volatile=yes --machine="probe-$$" --directory=/ \
        /usr/bin/true >/dev/null 2>"$logs/nspawn"; then
        leave_out fresh "this machine (a container?) starts no containers: $(tail -n 1 "$logs/nspawn")"
    elif [ $fresh = every ]; then
        run fresh 5400 tests/fresh/run.sh --all
    else
        run fresh 3600 tests/fresh/run.sh
    fi
fi

[ -z "$left_out" ] || echo "left out:$left_out"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
