# shellcheck shell=bash
# shellcheck disable=SC2154,SC2016 # variables of run.sh; quotes for the guest
# A fresh Debian in a directory, booted: made, started, spoken to, stopped. Sourced by run.sh.
# Needs: cache, work, source_tree, machine; gives: root, right, leader.

readonly right='Correct-Horse-9'
readonly accounts='alice bob carol dave erin frank grace'
root=
nspawn=
leader=
hostname=fresh
network=() # options; without one it is that of the machine that runs the test

# debootstrap once per suite; what only this network needs to reach the archives (certification
# authorities, apt's own settings) is copied from the machine that runs the test.
make_guest() {
    local suite=$1 base=$cache/$1.tar waits
    # Two scenarios may want the same one.
    exec {waits}>"$cache/$suite.lock"
    flock "$waits"
    if [[ ! -f $base ]]; then
        say "debootstrap $suite (kept in ${base#"$source_tree"/})"
        rm -rf -- "$cache/$suite.new"
        timeout --foreground 1200 debootstrap --include=systemd-sysv,dbus,openssh-server,sudo,ca-certificates "$suite" "$cache/$suite.new" >"$work/said" 2>&1 ||
            give_up "debootstrap $suite failed: $(tail -n 3 "$work/said")"
        tar -C "$cache/$suite.new" --one-file-system -cf "$base.new" .
        mv -- "$base.new" "$base"
        rm -rf -- "$cache/$suite.new"
    fi
    exec {waits}>&-
    root=$work/$suite
    rm -rf --one-file-system -- "$root"
    mkdir -- "$root"
    tar -C "$root" -xpf "$base"

    apt-config dump 2>/dev/null | grep '^Acquire::\(Check\|http\|https\|Retries\)' >"$root/etc/apt/apt.conf.d/00host"
    cp -- /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null
    env | grep -iE '^(https?|no)_proxy=' >>"$root/etc/environment"
    # A directory for temporary files that this machine has is not there.
    env -u TMPDIR chroot "$root" update-ca-certificates >"$work/said" 2>&1 || say "# $(<"$work/said")"
    port=$(free_port)
    printf 'Port %d\nListenAddress 127.0.0.1\nKbdInteractiveAuthentication yes\nPasswordAuthentication yes\nMaxStartups 100\n' \
        "$port" >"$root/etc/ssh/sshd_config.d/test.conf"
    printf '#!/bin/sh\nprintf "%%s\\n" "$TYPED"\n' >"$root/usr/local/lib/type-it"
    chmod 0755 -- "$root/usr/local/lib/type-it"
    local user
    for user in $accounts; do
        chroot "$root" useradd -m -s /bin/bash "$user"
        printf '%s:%s\n' "$user" "$right" | chroot "$root" chpasswd
    done
    # A hash that costs little: a thousand wrong passwords are typed for her.
    printf 'carol:%s\n' "$right" | chroot "$root" chpasswd -c SHA256 -s 1000
}

# Not in use now on this machine, whose network the guest shares.
free_port() {
    local port
    while port=$((20000 + RANDOM % 10000)); do
        grep -qi ":$(printf '%04X' "$port") " /proc/net/tcp /proc/net/tcp6 || break
    done
    printf '%d\n' "$port"
}

# Control groups of its own, in the hierarchies in which systemd keeps its units. Else two guests have one and the same, in
# which each finds processes of the other: units that cannot be started, or stopped, or forgotten.
find_groups() {
    local hierarchy path group
    groups=()
    while IFS=: read -r _ hierarchy path; do
        case $hierarchy in
        name=systemd) group=/sys/fs/cgroup/systemd ;;
        '') group=/sys/fs/cgroup/unified && [[ -d $group ]] || group=/sys/fs/cgroup ;;
        *) continue ;;
        esac
        group=$group${path%/}
        if [[ -w $group/cgroup.procs ]]; then groups+=("$group/$machine"); fi
    done </proc/self/cgroup
}

start_guest() {
    local groups group
    find_groups
    for group in "${groups[@]}"; do mkdir -p -- "$group"; done
    (
        # Without a child of its own, which would be taken for the guest's first process.
        for group in "${groups[@]}"; do echo "$BASHPID" >"$group/cgroup.procs"; done
        exec systemd-nspawn --quiet --boot --directory="$root" --machine="$machine" --hostname="$hostname" \
            "${network[@]}" --register=no --keep-unit --resolv-conf=replace-host --link-journal=no
    ) </dev/null >"$work/console" 2>&1 &
    nspawn=$!
    local end=$((SECONDS + 90))
    until leader=$(pgrep -P "$nspawn" 2>/dev/null | head -n 1) && [[ -n $leader ]] &&
        in_guest 'case $(systemctl is-system-running) in running | degraded) ;; *) false ;; esac'; do
        if ((SECONDS > end)) || [[ ! -d /proc/$nspawn ]]; then
            say "not ok - the guest starts"
            tail -n 20 "$work/console"
            stop_guest
            return 1
        fi
        sleep 1
    done
    in_guest 'systemctl is-active ssh' || in_guest 'systemctl start ssh'
}

stop_guest() {
    [[ -n $nspawn ]] || return 0
    [[ -z $leader ]] || in_guest_within 20 'systemctl poweroff' || true
    local end=$((SECONDS + 40))
    while [[ -d /proc/$nspawn ]] && ((SECONDS < end)); do sleep 1; done
    kill -TERM "$nspawn" 2>/dev/null
    wait "$nspawn" 2>/dev/null
    local groups group
    find_groups
    for group in "${groups[@]}"; do find "$group" -depth -type d -exec rmdir -- {} + 2>/dev/null; done
    nspawn='' leader=''
}

in_guest() { in_guest_within 60 "$1"; }

# What it says is in $work/said.
in_guest_within() {
    timeout --foreground "$1" nsenter --target "$leader" --mount --uts --ipc --net --pid --root --wdns=/ -- \
        env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        /bin/bash -c "$2" </dev/null >"$work/said" 2>&1
}

by_alice() { in_guest_within "$1" "runuser -u alice -- env HOME=/home/alice bash -c 'cd /home/alice/authalert && $2'"; }

# ssh METHOD USER PASSWORD COMMAND, over the guest's loopback.
ssh_with() {
    timeout --foreground 60 nsenter --target "$leader" --mount --uts --ipc --net --pid --root --wdns=/ -- \
        env -i PATH=/usr/bin:/bin HOME=/root TYPED="$3" SSH_ASKPASS=/usr/local/lib/type-it SSH_ASKPASS_REQUIRE=force \
        ssh -p "$port" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o PubkeyAuthentication=no \
        -o PreferredAuthentications="$1" -o NumberOfPasswordPrompts=1 "$2@127.0.0.1" "$4" </dev/null
}

ssh_lets_in() { ssh_with password "$1" "$2" true >"$work/said" 2>&1; }

ssh_refuses() {
    ! ssh_with "$2" "$1" wrong true >"$work/said" 2>&1 && grep -q 'Permission denied' "$work/said"
}

# The pace is not what this ring tests: every failure goes out at once.
configure() {
    {
        printf '%s\n' "$1" 'alerts.group_interval = "1s"' 'alerts.max_interval = "1s"' 'alerts.burst = 1000' 'alerts.max_per_day = 10000'
        [[ -z ${2:-} ]] || printf '%s\n' "$2"
    } >"$root/etc/authalert/config.toml.new"
    # A pass may read it at this moment.
    mv -- "$root/etc/authalert/config.toml.new" "$root/etc/authalert/config.toml"
}

# Names, kinds, modes, owners, links and contents; of what the tests themselves write, nothing.
picture_of_etc() {
    (
        cd -- "$root/etc" || exit
        find . \( -name '*authalert-test*' -o -path ./ld.so.cache \) -prune -o -printf '%p %y %m %U %G %l\n' | sort
        find . -type f ! -path ./ld.so.cache -exec sha256sum {} + | awk '{ print $2, $1 }' | sort
    )
}
