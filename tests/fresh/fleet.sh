# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154,SC2016 # variables of and for run.sh and guest.sh; quotes for the guest
# Two fresh machines, a hub and a member, with a network between them that nothing else is in. What the README says is
# typed there, and counted; then a wrong password at the member is looked for on the phone of the hub. Sourced by run.sh,
# after guest.sh.

readonly most_commands=6
readonly -A address=([hub]=203.0.113.10 [web1]=203.0.113.11)
declare -A leader_of=() nspawn_of=()
base=
typed=0

# From here on the functions of guest.sh speak of this guest.
at() { # GUEST
    guest=$1 work=$base/$1 root=$base/$1/$suite machine=authalert-$BASHPID-$1
    leader=${leader_of[$1]:-} nspawn=${nspawn_of[$1]:-}
}

fleet_from_packages() { # SUITE
    suite=$1 base=$work zone=aa$BASHPID
    trap 'end_fleet; clean_up' EXIT
    make_packages
    local each
    for each in hub web1; do
        mkdir -- "$base/$each"
        at "$each"
        make_guest "$suite"
        prepare
        network=(--network-zone="$zone") hostname=$each
        start_guest || return
        leader_of[$each]=$leader nspawn_of[$each]=$nspawn
    done
    ip link set "vz-$zone" up
    check "the two reach each other" within 30 in_guest 'getent hosts hub >/dev/null && ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new root@hub true 2>&1 | grep "Permission denied"'
    start_ntfy || return
    to_the_first_alert
    what_follows
    goes_again
    end_fleet
}

make_packages() {
    [[ -f $built/authalert-fleet ]] || give_up "no $built/authalert-fleet; run cargo build --release first"
    local which
    for which in deb fleet; do
        AUTHALERT_BUILD=$built "$source_tree/packaging/$which/build.sh" "$base" >"$base/said" 2>&1 ||
            give_up "a package does not build: $(<"$base/said")"
    done
}

# What an administrator has on two machines of a network: names, and a way from one to the other as root.
prepare() {
    rm -- "$root/etc/ssh/sshd_config.d/test.conf"
    port=22
    local name
    for name in "${!address[@]}"; do printf '%s %s\n' "${address[$name]}" "$name"; done >>"$root/etc/hosts"
    printf '[Match]\nName=host0\n[Network]\nAddress=%s/24\n' "${address[$guest]}" >"$root/etc/systemd/network/10-host0.network"
    printf '%s\n' "$guest" >"$root/etc/hostname"
    chroot "$root" systemctl enable systemd-networkd >"$work/said" 2>&1
    cp -- "$base"/*.deb "$root/root/"
    if [[ $guest == hub ]]; then
        ssh-keygen -q -t ed25519 -N '' -f "$base/key"
        install -D -m 0600 -- "$base/key" "$root/root/.ssh/id_ed25519"
        printf 'Host *\n    StrictHostKeyChecking accept-new\n    LogLevel ERROR\n' >"$root/root/.ssh/config"
        # The network of the two ends there: what the archive has is fetched before.
        timeout --foreground 300 chroot "$root" /bin/sh -c 'apt-get update && apt-get install -y --download-only nats-server' >"$work/said" 2>&1 ||
            give_up "nats-server of $suite cannot be fetched: $(tail -n 3 "$work/said")"
    else
        install -D -m 0600 -- "$base/key.pub" "$root/root/.ssh/authorized_keys"
    fi
}

# A stand-in on the hub's loopback, which notes when a message comes.
start_ntfy() {
    at hub
    mkdir -- "$base/ntfy"
    nsenter --target "$leader" --net -- python3 "$source_tree/tests/standin/standin.py" --dir "$base/ntfy" \
        --max-seconds 900 >"$base/ntfy/said" 2>&1 &
    standin_pid=$!
    check "an ntfy server is there" within 10 grep -q 'port=' "$base/ntfy/said"
    ntfy=http://127.0.0.1:$(sed -n 's/.*\bport=\([0-9]*\).*/\1/p' "$base/ntfy/said")
}

# One line of what the README says.
types() { # GUEST COMMAND
    at "$1"
    typed=$((typed + 1))
    local begun=$EPOCHREALTIME
    check "$1# $2" in_guest_within 180 "cd && $2" || return
    say "# $(seconds_since "$begun") seconds"
    cp -- "$work/said" "$base/said.$typed"
}

seconds_since() { awk -v now="$EPOCHREALTIME" -v then="$1" 'BEGIN { printf "%.1f", now - then }'; }

# The same, with a person who answers.
answers() { # GUEST COMMAND SCRIPT
    at "$1"
    typed=$((typed + 1))
    python3 "$source_tree/tests/standin/terminal.py" "$3" /usr/bin/nsenter --target "$leader" --mount --uts --ipc --net --pid --root --wdns=/ -- \
        /usr/bin/env -i PATH=/usr/sbin:/usr/bin HOME=/root LANG=C.UTF-8 /bin/bash -c "$2" >"$work/said" 2>&1
    check "$1# $2" grep -q "$4" "$work/said"
}

to_the_first_alert() {
    local begun=$EPOCHREALTIME
    types hub 'apt-get install -y ./authalert_*.deb ./authalert-fleet_*.deb nats-server'
    answers hub 'authalert receivers add ntfy' \
        '[["server", "'"$ntfy"'\n"], ["topic", "alerts-1\n"], ["[none", "token\n"], ["token", "tk_standinsecret1\n"], ["press Enter", "\n"], ["phone?", "y\n"]]' \
        'alerts go to ntfy too'
    types hub 'authalert-fleet init-hub --address hub'
    types web1 'apt-get install -y ./authalert_*.deb ./authalert-fleet_*.deb'
    types web1 'authalert-pam add sshd'
    types hub 'authalert-fleet add-member web1 --out - | ssh root@web1 authalert-fleet join -'
    at web1
    check "a wrong password for alice at web1" ssh_refuses alice password
    check "is on the phone of the hub" within 20 on_the_phone alice
    say "# $typed commands; the first alert came $(seconds_since "$begun") seconds after the first of them began"
    check "that were at most $most_commands" test "$typed" -le "$most_commands"
    local took
    took=$(milliseconds_for alice)
    say "# $took ms from the verdict to the accepted message"
    check "it was there while the login still slept" test "${took:-9999}" -lt 2000
}

on_the_phone() { grep -s "web1: .*\b$1\b" "$base/ntfy/messages.jsonl" >/dev/null; }

# From the verdict, as the member recorded it, to the request that the service took; both by the clock of this machine.
milliseconds_for() { # USER
    python3 - "$1" "$base/ntfy" "$root"/var/lib/authalert/journal/*.jsonl <<'PYTHON'
import datetime
import json
import sys

user, ntfy, *journals = sys.argv[1:]
lines = lambda *paths: [json.loads(line) for path in paths for line in open(path)]
record = next(r for r in lines(*journals) if r.get("user") == user and r["class"] == "failure")
verdict = datetime.datetime.fromisoformat(record["time"].replace("Z", "+00:00")).timestamp()
number = next(m["request"] for m in lines(ntfy + "/messages.jsonl") if "web1: " in m["text"] and user in m["text"])
arrival = next(r["time"] for r in lines(ntfy + "/requests.jsonl") if r["number"] == number)
print(round(1000 * (arrival - verdict)))
PYTHON
}

what_follows() {
    at web1
    # su has no line of ours there, and the journal is the only log.
    in_guest 'runuser -u alice -- sh -c "echo wrong | su carol -c true"' || true
    at hub
    # One member is in a hurry once in ten minutes: this one waits for the next alert.
    check "a failed su at web1, by the log, is at the hub" within 100 in_guest 'authalert failures --user carol | grep "web1.*su"'
    at web1
    check "the right password gets in at web1" ssh_lets_in bob "$right"
    local each
    at hub
    check "the hub is guarded as any machine is" in_guest 'authalert-pam add sshd'
    for each in hub web1; do
        at "$each"
        check "$each: no unit has failed" in_guest \
            '! systemctl --failed --no-legend | grep -E "authalert|nats" || { journalctl --no-pager -o cat -n 12 -u "authalert-*" -u nats-server; false; }'
        check "$each: authalert check is content" in_guest 'authalert check --quiet'
        check "$each: its units start at boot" in_guest "systemctl is-enabled $([[ $each == hub ]] && echo nats-server authalert-gather || echo authalert-uplink)"
    done
    at hub
    check "status knows the member" in_guest 'authalert-fleet status | grep "web1 .* records, certificate until"'
    at web1
    check "which has nothing left to send" within 60 in_guest 'authalert-fleet status | grep "waiting 0, lost 0"'
    check "nobody but the hub and itself sees its key" in_guest '! find / -xdev -path /proc -prune -o -name "*.fleet" -print | grep .'
}

# What was made on either goes with the packages, and a purge leaves nothing.
goes_again() {
    local each
    for each in web1 hub; do
        at "$each"
        check "$each: apt-get purge" in_guest_within 120 'apt-get purge -y authalert-fleet authalert'
        nothing_left
    done
}

end_fleet() {
    local each
    for each in web1 hub; do
        [[ -n ${nspawn_of[$each]:-} ]] || continue
        at "$each"
        stop_guest
        unset "nspawn_of[$each]" "leader_of[$each]"
    done
    nspawn='' work=$base
}
