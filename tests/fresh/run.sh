#!/bin/bash
# shellcheck disable=SC2016 # what stands in single quotes is for the shell of the guest
#
# Ring 4: fresh Debian 12 and 13, made with debootstrap, booted with systemd-nspawn; authalert is
# installed as the README says or from its package, wrong passwords are typed over ssh, the alerts are
# looked for, then reboot, upgrade, uninstall, and /etc must be what it was.
#
# run.sh [SCENARIO]...   from source-13 source-12 deb-13 deb-12; without one: source-13 and deb-12
# run.sh --all           all of them
# run.sh tests-13        the README's two commands, the second of which runs the tests in there; by name only
# run.sh all-13 all-12   the same with tests/run.sh --all: what a machine with nothing installed by hand says; by name only
# run.sh fleet-13 fleet-12   two machines, a hub and a member, from packages to the first alert; by name only
#
# Two at once. As root, with debootstrap and systemd-container
# installed. The base systems are kept in target/fresh. AUTHALERT_BUILD: the directory of the built files for the
# packages (default: target/release).

set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
source_tree=${here%/tests/fresh}
cache=$source_tree/target/fresh
built=${AUTHALERT_BUILD:-$source_tree/target/release}
standin_pid=
running=() # scenarios by process
# shellcheck source-path=SCRIPTDIR
. "$here/guest.sh"
# shellcheck source-path=SCRIPTDIR
. "$here/fleet.sh"

main() {
    ((EUID == 0)) || give_up "needs root"
    command -v debootstrap systemd-nspawn >/dev/null || give_up "needs debootstrap and systemd-nspawn: apt-get install debootstrap systemd-container"
    local all=(source-13 deb-12 source-12 deb-13) scenario
    if [[ ${1:-} == --all ]] && ! runs_on_12; then
        say "left out: deb-12; what was built here asks for a newer C library"
        all=(source-13 source-12 deb-13)
    fi
    if [[ ${1:-} == --all ]]; then set -- "${all[@]}"; fi
    if (($# == 0)); then
        say "source-13 and $(runs_on_12 && echo deb-12 || echo deb-13); all of ${all[*]} with --all"
        set -- source-13 "$(runs_on_12 && echo deb-12 || echo deb-13)"
    fi
    for scenario; do [[ " ${all[*]} tests-13 all-13 all-12 fleet-13 fleet-12 " == *" $scenario "* ]] || give_up "no scenario $scenario"; done
    mkdir -p -- "$cache"
    shared=$(mktemp -d "${TMPDIR:-/var/tmp}/authalert-fresh.XXXXXXXX")
    trap 'end_all' EXIT
    trap 'exit 1' INT TERM
    for scenario; do
        ((${#running[@]} < 2)) || show_one
        say "== $scenario begins"
        # What it says is shown as it comes, with its name.
        one_scenario "$scenario" > >(tee -- "$shared/$scenario" | sed -u -E "s/^(not ok|ok|left out) - /&$scenario: /") 2>&1 &
        running[$!]=$scenario
    done
    while ((${#running[@]})); do show_one; done
    local passed failed
    passed=$(cat -- "$shared"/* | grep -c '^ok - ') failed=$(cat -- "$shared"/* | grep -c '^not ok - ')
    printf '%d passed, %d failed\n' "$passed" "$failed"
    ((failed == 0 && passed > 0))
}

runs_on_12() { printf '%s\n2.36\n' "$("$source_tree/packaging/check-symbols.sh" --glibc "$built" 2>/dev/null)" | sort -VC; }

# Waits for one; it must have come to its end.
show_one() {
    local ended
    wait -n -p ended "${!running[@]}"
    # Its last line may still be on the way through the pipe.
    within 3 grep '^== .* took' "$shared/${running[$ended]}" >/dev/null ||
        echo "not ok - ${running[$ended]} comes to its end" | tee -a "$shared/${running[$ended]}"
    unset "running[$ended]"
}

one_scenario() {
    SECONDS=0
    machine=authalert-$BASHPID
    work=$(mktemp -d "${TMPDIR:-/var/tmp}/authalert-fresh.XXXXXXXX")
    trap clean_up EXIT
    trap 'exit 1' INT TERM
    # Who shows what this says may end first.
    trap '' PIPE
    say "== $1"
    case $1 in
    source-13) from_source trixie ;;
    source-12) from_source bookworm ;;
    tests-13) with_its_tests trixie ;;
    all-13) with_its_tests trixie ' --all' ;;
    all-12) with_its_tests bookworm ' --all' ;;
    deb-13) from_package trixie ;;
    deb-12) from_package bookworm ;;
    fleet-13) fleet_from_packages trixie ;;
    fleet-12) fleet_from_packages bookworm ;;
    esac
    say "== $1 took $SECONDS seconds"
}

end_all() {
    local scenario
    for scenario in "${!running[@]}"; do
        kill -TERM "$scenario"
        # What it waits for, and its guest.
        ps -o pid= --ppid "$scenario" | xargs -r kill -TERM
    done
    wait
    rm -rf -- "$shared"
}

clean_up() {
    [[ -z $standin_pid ]] || kill "$standin_pid"
    stop_guest
    rm -rf --one-file-system -- "$work"
}

say() { printf '%s\n' "$*"; }

give_up() {
    printf 'tests/fresh/run.sh: %s\n' "$*" >&2
    exit 1
}

check() {
    local what=$1
    shift
    if "$@"; then
        say "ok - $what"
    else
        say "not ok - $what ($*)"
        [[ ! -s $work/said ]] || sed 's/^/    /' "$work/said" | tail -n 25
        return 1
    fi
}

# --- the scenarios ----------------------------------------------------------------------------

# The README's own command, by somebody with sudo, on a machine without compiler or cargo.
from_source() {
    install_from_source "$1" || return
    check "it shows the record of its own wrong password" grep -q 'recorded: nobody from 127.0.0.1 (sshd' "$work/said"
    check "and how to undo it, what runs, and the way to a phone" grep -cz 'runs .*authalert-scan.timer.*undo .*--uninstall.*receivers add ntfy' "$work/said"
    check "right after it authalert check is content" by_alice 60 'sudo authalert check --quiet'
    # By the distribution's own compiler, which finds fewer panics impossible than newer ones.
    check "what was built here cannot panic, and exports what it must" built_well "$root/home/alice/authalert/target/release"
    check "target/ belongs to who called sudo" in_guest 'test "$(stat -c %U /home/alice/authalert/target/release)" = alice'
    alerts_come
    check "a second ./install.sh is an upgrade" upgrade_under_a_session "by_alice 300 'sudo ./install.sh'"
    alert_comes_for frank "after the upgrade"
    after_a_reboot

    check "--uninstall --purge" by_alice 60 'sudo ./install.sh --uninstall --purge'
    nothing_left
    # The compiler and cargo stay, they are the system's; of authalert nothing may.
    picture_of_etc >"$work/last"
    check "the stacks, units and cron entries are as before" \
        same <(grep -E '^\./(pam|cron|systemd|authalert|sshd?/)' "$work/first") <(grep -E '^\./(pam|cron|systemd|authalert|sshd?/)' "$work/last")
    by_alice 300 'sudo ./install.sh --services sshd,su,sudo,login'
    check "su, sudo and login too" in_guest 'test "$(authalert-pam list | tr "\n" " ")" = "login sshd su sudo sudo-i "'
    by_alice 60 'sudo ./install.sh --uninstall --purge'
    picture_of_etc >"$work/again"
    check "install and uninstall leave no difference in /etc" same "$work/last" "$work/again"
    stop_guest
    [[ $1 != trixie ]] || penalties_stay
}

# Both commands of the README.
with_its_tests() {
    # Fresh machines in a fresh machine: as a virtual one allows.
    network=(--capability=all)
    export SYSTEMD_SECCOMP=0
    install_from_source "$1" || return
    check "right after it authalert check is content" by_alice 60 'sudo authalert check --quiet'
    local begun=$SECONDS
    check "sudo ./tests/run.sh${2:-}, nothing else typed" by_alice 5400 "sudo ./tests/run.sh${2:-}"
    say "# it took $((SECONDS - begun)) seconds"
    grep -E '^== |^ *[0-9:]+ [a-z]+ +(not ok|left out) - |^left|passed, [0-9]+ failed' "$work/said" | sed 's/^/    /'
    stop_guest
}

install_from_source() {
    make_guest "$1"
    # As a release's archive is unpacked: no repository.
    "$source_tree/tests/sources.sh" "$root/home/alice/authalert"
    start_guest || return
    in_guest 'chown -R alice: /home/alice/authalert; echo "alice ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/alice'
    picture_of_etc >"$work/first"

    local begun=$SECONDS
    if ! by_alice 2400 'sudo ./install.sh'; then
        check "sudo ./install.sh, nothing else typed" false
        stop_guest
        return 1
    fi
    check "sudo ./install.sh, nothing else typed (after $((SECONDS - begun)) seconds)" true
}

from_package() {
    [[ -f $built/libpam_authalert.so ]] || give_up "no $built/libpam_authalert.so; run cargo build --release first"
    AUTHALERT_BUILD=$built "$source_tree/packaging/deb/build.sh" "$work" >"$work/said" || give_up "the package does not build"
    AUTHALERT_BUILD=$built VERSION=99 "$source_tree/packaging/deb/build.sh" "$work/newer" >"$work/said" || give_up "the package does not build"
    make_guest "$1"
    cp -- "$work"/authalert_*.deb "$root/root/authalert.deb"
    cp -- "$work"/newer/authalert_*.deb "$root/root/newer.deb"
    start_guest || return
    picture_of_etc >"$work/first"

    check "apt-get install ./authalert.deb" in_guest_within 120 'apt-get install -y --no-install-recommends /root/authalert.deb'
    check "the package watches nothing by itself" in_guest 'test -z "$(authalert-pam list)"'
    check "authalert-pam add sshd" in_guest 'authalert-pam add sshd'
    alerts_come
    check "an upgrade of the package" upgrade_under_a_session "in_guest_within 120 'apt-get install -y /root/newer.deb'"
    check "keeps the line" in_guest 'test "$(authalert-pam list)" = sshd'
    alert_comes_for frank "after the upgrade"
    after_a_reboot

    check "pam-auth-update takes the profile" in_guest 'pam-auth-update --enable authalert && grep -q "default=ignore.*pam_authalert.so authfail" /etc/pam.d/common-auth'
    check "with it the right password still gets in" ssh_lets_in alice "$right"
    check "apt-get purge takes the profile and the line out first" in_guest_within 120 'apt-get purge -y authalert'
    nothing_left
    picture_of_etc >"$work/last"
    check "install and purge leave no difference in /etc" same "$work/first" "$work/last"
    check "without it the right password still gets in" ssh_lets_in alice "$right"
    from_release
    stop_guest
}

# The files of a release, on a machine without a compiler.
from_release() {
    local release=$root/root/release begun=$SECONDS
    mkdir -- "$release"
    ssh-keygen -q -t ed25519 -N '' -f "$work/key"
    cp -- "$work/key.pub" "$root/root/key.pub"
    AUTHALERT_BUILD=$built "$source_tree/packaging/pack-programs.sh" "$release" || give_up "the archive of programs cannot be made"
    (cd -- "$release" && sha256sum -- * >SHA256SUMS && ssh-keygen -q -Y sign -f "$work/key" -n authalert-release SHA256SUMS) 2>"$work/said"
    tar -C "$root/root" --no-same-owner -xzf "$release"/*.tar.gz
    begun=$SECONDS
    check "install.sh --from installs a release" in_guest '! command -v cc && cd /root/authalert-* && ./install.sh --from /root/release --key /root/key.pub'
    say "# it took $((SECONDS - begun)) seconds"
    check "right after it authalert check is content" in_guest 'authalert check --quiet'
    alert_comes_for carol "of what a release installed"
    check "it goes again" in_guest 'cd /root/authalert-* && ./install.sh --uninstall --purge'
    nothing_left
    picture_of_etc >"$work/last"
    check "and leaves no difference in /etc" same "$work/first" "$work/last"
}

# --- what must hold ---------------------------------------------------------------------------

alerts_come() {
    configure ''
    check "the right password gets in" ssh_lets_in alice "$right"
    alert_comes_for alice "of a wrong password by password" password
    alert_comes_for bob "of a wrong password by keyboard-interactive" keyboard-interactive
    check "the right password gets in after wrong ones" ssh_lets_in bob "$right"

    # The log route: su has no line of ours, and the journal is the only log.
    check "no log file on a fresh system" in_guest 'test ! -e /var/log/auth.log'
    in_guest 'runuser -u alice -- sh -c "echo wrong | su carol -c true"' || true
    check "the timer's scan finds a failure of su in the systemd journal" within 100 in_timeline carol ||
        in_guest 'authalert scan --journald --since 10m --explain --dry-run; journalctl -o short-iso --no-pager SYSLOG_FACILITY=10 | tail; cat /var/lib/authalert/scan.json; systemctl status --no-pager authalert-scan.timer authalert-scan.service; journalctl --no-pager -u authalert-scan.service | tail; false' ||
        cat -- "$work/said"

    # With the worker off and the timer stopped only the path unit is left.
    configure 'deliver.in_process = false'
    in_guest 'systemctl stop authalert-scan.timer'
    check "check says at once that the timer is stopped" in_guest 'authalert check --offline --quiet | grep "authalert-scan.timer inactive"'
    alert_comes_for dave "through the path unit alone"
    in_guest 'systemctl start authalert-scan.timer'
    configure ''
    check "no unit has failed" in_guest '! systemctl --failed --no-legend | grep authalert || { journalctl --no-pager -o cat -n 12 -u "authalert-*"; false; }'
    check "recorded = posted + pending + ignored + aborted" counters_add_up
    alerts_reach_x
}

# A stand-in on this machine's loopback, which the guest shares: TLS, and it checks the signature.
alerts_reach_x() {
    local standin=$source_tree/tests/standin
    mkdir -p -- "$work/x"
    sh "$standin/certificates.sh" "$work/x/certificates" >"$work/said" 2>&1
    python3 "$standin/standin.py" --dir "$work/x" --tls "$work/x/certificates/server.pem" --max-seconds 900 \
        --ready-file "$work/x/ready" >"$work/x/said" 2>&1 &
    standin_pid=$!
    check "the stand-in for X starts" within 10 grep -q 'port=' "$work/x/said"
    cp -- "$work/x/certificates/ca.pem" "$root/etc/authalert/ca.pem"
    cat >"$root/etc/authalert/credentials.toml" <<'KEYS'
api_key = "standin-key-1"
api_secret = "standin-secret-2"
access_token = "6253282-standin-token-3"
access_token_secret = "standin-secret-4"
KEYS
    chmod 0600 -- "$root/etc/authalert/credentials.toml"
    configure '' "[x]
api_url = \"https://127.0.0.1:$(sed -n 's/.*\bport=\([0-9]*\).*/\1/p' "$work/x/said")\"
ca_file = \"/etc/authalert/ca.pem\""
    # A receiver begins with the pass that first sees it.
    check "the receiver x begins" in_guest 'authalert deliver && authalert status | grep "^x " >/dev/null'
    check "sshd refuses the wrong password of grace" ssh_refuses grace password
    check "the post of it is on X" within 30 grep -qsw grace "$work/x/posts.jsonl" ||
        { in_guest 'authalert status; authalert check; authalert timeline | tail -n 3'; cat -- "$work/said" "$work/x/said"; }
    in_guest 'authalert-pam add su'
    python3 "$here/path_unit.py" "$leader" "$root" "$work/x/posts.jsonl" 2>&1 || say "not ok - the path unit is tried to the end"
    in_guest 'authalert-pam remove su'
    rm -f -- "$root/etc/authalert/credentials.toml"
    configure ''
    kill "$standin_pid"
    wait "$standin_pid" 2>/dev/null
    standin_pid=
}

after_a_reboot() {
    stop_guest
    start_guest || return
    alert_comes_for erin "after a reboot"
    check "the counters add up after a reboot" counters_add_up
}

alert_comes_for() {
    local user=$1 when=$2 method=${3:-password}
    check "sshd refuses the wrong password of $user" ssh_refuses "$user" "$method"
    check "an alert $when" within 30 in_timeline "$user" ||
        { in_guest 'authalert status; authalert failures; systemctl list-units --all --no-pager "authalert*"; journalctl --no-pager -o short-precise -n 30'; cat -- "$work/said"; }
}

# A login that is open while the files are replaced holds the old module, and goes on.
upgrade_under_a_session() {
    local session
    ssh_with password bob "$right" 'sleep 8; echo still here' >"$work/session" &
    session=$!
    sleep 2
    eval "$1" || return
    wait "$session"
    grep -q 'still here' "$work/session"
}

in_timeline() { in_guest "authalert timeline" && grep -qw -- "$1" "$work/said"; }

counters_add_up() {
    in_guest 'authalert status --json' || return
    local name value sum=0 recorded=
    for name in posted pending ignored aborted recorded; do
        value=$(grep -oE "\"$name\": *[0-9]+" "$work/said" | head -n 1 | grep -oE '[0-9]+$') || return
        if [[ $name == recorded ]]; then recorded=$value; else sum=$((sum + value)); fi
    done
    ((recorded > 0 && recorded == sum))
}

# OpenSSH 9.8 and later shut an address out for failures and crashes. Its sshd is taken from the guest's directory, the
# module is the one that was built here.
penalties_stay() {
    local hostile=$source_tree/tests/hostile
    AUTHALERT_BUILD=$built AUTHALERT_SSHD_ROOT=$root \
        timeout --foreground --kill-after=10 240 python3 "$hostile/sshd.py" penalties 2>&1 </dev/null | sed '/passed, .* failed$/d' | tee "$work/said"
    check "the penalties of its OpenSSH were looked at" grep -q '^ok - OpenSSH' "$work/said"
}

built_well() { bash "$source_tree/tests/hostile/elf.sh" "$1" >"$work/said" 2>&1; }

nothing_left() {
    check "no file of authalert is left" in_guest \
        '! find / -xdev \( -path /home -o -path /root -o -path /proc -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log \) -prune -o -name "*authalert*" -print | grep .'
    # One that another named is forgotten a moment after it.
    check "no unit of authalert is left" within 20 in_guest '! systemctl list-units --all --no-legend "authalert*" | grep .' ||
        { in_guest 'systemd-analyze dump "authalert*" | head -n 60' && sed 's/^/    /' "$work/said"; }
}

same() { diff -- "$1" "$2" >"$work/said"; }

within() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 1
    done
}

main "$@"
