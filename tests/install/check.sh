#!/bin/bash
# shellcheck disable=SC2016 # what stands in single quotes is for the copy
#
# authalert check: every mistake in an installation is made in a copy of this machine's own system, is found
# in one line that says what to do, and, where alerts could be missed, ends with status 1. As root.
# AUTHALERT_BUILD: the directory of the built files.

set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
source_tree=${here%/tests/install}
artifacts=$(realpath -- "${AUTHALERT_BUILD:-$source_tree/target/release}")
# shellcheck source-path=SCRIPTDIR
. "$here/scratch_system.sh"


# Have the place of the logs saved so many seconds ago, with its checksum.
age() {
    python3 - /var/lib/authalert/scan.json "$1" <<'EDIT'
import re, sys, time, zlib
path, seconds = sys.argv[1], int(sys.argv[2])
state = re.fullmatch(r'{"crc":"[0-9a-f]{8}","state":(.*)}\n', open(path).read(), re.S)[1]
state = re.sub(r'"saved":[0-9]+', '"saved":%d' % ((time.time() - seconds) * 1e6), state)
open(path, "w").write('{"crc":"%08x","state":%s}\n' % (zlib.crc32(state.encode()), state))
EDIT
}

main() {
    begin
    export -f a_right_installation one_mistake with_x stack config age
    add_layer installed a_right_installation

    mistake "nothing is wrong" 0 '' true

    # The line.
    mistake "no line at all" 1 'in no PAM stack.* -> authalert-pam add sshd' 'authalert-pam remove --all'
    mistake "a line below an include" 1 "aa-kill-1:2: '@include common-auth' comes first.* -> make it the first" \
        'stack "@include common-auth" "auth optional pam_authalert.so"'
    mistake "a line below requisite" 1 "'auth requisite pam_nologin.so' comes first.* -> make it the first" \
        'stack "auth requisite pam_nologin.so" "auth optional pam_authalert.so"'
    mistake "required for optional" 1 "aa-kill-1:1: the control is 'required'.* -> write 'optional'" 'stack "auth required pam_authalert.so"'
    mistake "sufficient for optional" 1 "the control is 'sufficient'.* -> write 'optional'" 'stack "auth sufficient pam_authalert.so"'
    mistake "a line of another kind" 1 "is in 'account'.* -> make it an auth line" \
        'stack "auth optional pam_authalert.so" "account optional pam_authalert.so"'
    mistake "a line for logins" 0 '' 'stack "auth optional pam_authalert.so" "session optional pam_authalert.so"'
    mistake "an argument that is none" 0 "'authfial' is not an argument.* -> use" 'stack "auth optional pam_authalert.so authfial"'
    mistake "sshd is not watched" 0 'the stack of sshd does not name the module.* -> authalert-pam add sshd' 'authalert-pam remove sshd'
    mistake "UsePAM no" 0 'says UsePAM no.* -> set UsePAM yes' 'printf "UsePAM no\n" >/etc/ssh/sshd_config'

    # The files.
    mistake "the module is gone" 1 'pam_authalert.so is not there.* -> install it again' 'rm "$module"'
    mistake "the module is cut short" 1 'libpam cannot load .*pam_authalert.so.* -> install it again' 'truncate -s 9000 "$module"'
    mistake "the module lacks a symbol" 1 'libpam cannot load .*undefined symbol' \
        'printf "int nowhere(void); int pam_sm_authenticate() { return nowhere(); }" | cc -shared -fPIC -x c -o "$module" -'
    mistake "the module lies where no program may" 1 'libpam cannot load .* -> .*noexec' \
        'mount --bind "$(dirname "$module")" "$(dirname "$module")" && mount -o remount,bind,noexec "$(dirname "$module")"'
    mistake "the module can be written by others" 1 'pam_authalert.so: others than root .* -> chown root:root .*; chmod 644' 'chmod 666 "$module"'
    mistake "the module is somebody's" 1 'pam_authalert.so: others than root .* -> chown root:root' 'chown nobody "$module"'
    mistake "the sender is gone" 0 'libauthalert_sender.so is not installed.* -> install it again' 'rm "$sender"'
    mistake "the sender is of another version" 0 'of another version than the module.* -> install both again' \
        'sed -i s/authalert_take_[0-9]/authalert_take_9/g "$sender"'
    mistake "the sender can be written by others" 1 'libauthalert_sender.so: others than root .* -> chown' 'chmod 646 "$sender"'

    # The state.
    mistake "the state directory is gone" 1 "/var/lib/authalert is missing.* -> 'authalert deliver' as root" 'rm -r /var/lib/authalert'
    mistake "the journal's directory is gone" 1 "/var/lib/authalert/journal is missing.* -> 'authalert deliver'" 'rm -r /var/lib/authalert/journal'
    mistake "the state directory is open to all" 1 'mode 755, .* -> chown root:root .*; chmod 700' 'chmod 755 /var/lib/authalert'
    mistake "the state directory is somebody's" 1 'owner 65534: .* -> chown root:root' 'chown 65534 /var/lib/authalert'
    mistake "the journal can be written by others" 1 'journal: others than root .* -> chown' 'chmod 722 /var/lib/authalert/journal'
    mistake "the state cannot be written" 1 '/var/lib/authalert cannot be written: .* -> ' \
        'mount --bind /var/lib/authalert /var/lib/authalert && mount -o remount,bind,ro /var/lib/authalert'
    mistake "the disk is full" 1 'has no room left.* -> make room' \
        'cp -a /var/lib/authalert /run/kept && mount -t tmpfs -o size=400k tmpfs /var/lib/authalert && cp -a /run/kept/. /var/lib/authalert/; cat /dev/zero >/var/lib/authalert/filler'
    mistake "the disk has no inode" 1 'has no inode left.* -> make room' \
        'cp -a /var/lib/authalert /run/kept && mount -t tmpfs -o nr_inodes=16 tmpfs /var/lib/authalert && cp -a /run/kept/. /var/lib/authalert/; for i in $(seq 20); do : >/var/lib/authalert/x$i; done'

    # The schedule, and the logs.
    mistake "no cron entry" 1 '/etc/cron.d/authalert is missing.* -> install authalert again' 'rm /etc/cron.d/authalert'
    mistake "a cron entry that cron refuses" 1 'cron.d/authalert: others than root .* -> .*chmod 644' 'chmod 664 /etc/cron.d/authalert'
    mistake "no cron" 1 'no cron to read it; .* -> install cron' 'rm -f /usr/sbin/cron /usr/sbin/crond /usr/bin/crond /usr/sbin/fcron'
    mistake "a timer that is disabled" 1 'systemd does not start authalert-scan.timer.* -> systemctl enable --now' 'mkdir -p /run/systemd/system'
    mistake "a path unit that is disabled" 1 'systemd does not start authalert-deliver.path.* -> systemctl enable --now' \
        'mkdir -p /run/systemd/system /etc/systemd/system/timers.target.wants; ln -s /x /etc/systemd/system/timers.target.wants/authalert-scan.timer'
    mistake "a scan that does not run" 1 'the logs were last read 3.* ago.* -> see that cron runs' \
        'age 11000'
    mistake "a scan that never ran" 1 'the logs were never read -> see that cron runs' 'rm /var/lib/authalert/scan.json'
    mistake "no log to read" 1 'no (auth\.log|log).* -> set \[scan\]' 'rm -f /var/log/auth.log /var/log/secure /var/log/messages; rm -rf /var/log/journal; chmod 0 /usr/bin/journalctl; mv /usr/bin/journalctl /usr/bin/journalctl.gone'

    # What the administrator says.
    mistake "an unknown key" 1 'config.toml:?.* (line )?2.* -> correct the configuration' 'config "" "group_intervall = 1"'
    mistake "a value that is none" 1 'config.toml.* -> correct the configuration' 'config "alerts.group_interval = \"soon\""'
    mistake "values that contradict each other" 0 'warning .* -> change \[alerts\]' 'config "alerts.burst = 1"'
    mistake "a configuration that others can write" 1 'config.toml: it can be written by others than root' 'chmod 666 /etc/authalert/config.toml'
    mistake "its directory can be written by others" 1 '/etc/authalert: others than root .* -> chown' 'chmod 777 /etc/authalert'
    mistake "X and no credentials" 1 "no credentials of an X account; run 'authalert authorize' -> then" 'config "receiver = \"x\""'
    mistake "credentials that all can read" 1 'credentials.toml.* -> ' 'with_x; chmod 644 /etc/authalert/credentials.toml'
    mistake "credentials of somebody" 1 'credentials.toml.* -> ' 'with_x; chown nobody /etc/authalert/credentials.toml'
    mistake "credentials with a key missing" 1 'api_key is missing; run .authalert authorize. -> then' 'with_x; sed -i 1d /etc/authalert/credentials.toml'
    mistake "alerts that do not get out" 1 'failures? pending since .* -> put that right, then' \
        'with_x; config "x.api_url = \"https://127.0.0.1:1\""; authalert deliver; /aa-kill/host - aa-kill-1 aakill login; authalert deliver --now; authalert deliver --now'

    finish
}

mistake() { good_in_a_copy "check finds it: $1" one_mistake "${@:2}"; } # SENTENCE STATUS LINE COMMAND

# With cron, sshd and a log, whatever this machine has.
a_right_installation() {
    rm -f -- "$work/root/etc/pam.d/sshd"
    printf 'auth required pam_deny.so\n' >"$work/root/etc/pam.d/sshd"
    mkdir -p -- "$work/root/etc/ssh" "$work/root/var/log"
    printf 'UsePAM yes\n' >"$work/root/etc/ssh/sshd_config"
    : >"$work/root/var/log/auth.log"
    [[ -e $work/root/usr/sbin/cron ]] || install -m 0755 /dev/null "$work/root/usr/sbin/cron"
    in_root /aa/install.sh --unsigned --from /aa-built --services "sshd,$services" || echo "cannot install: $said"
    printf 'receiver = "timeline"\n' >"$work/root/etc/authalert/config.toml"
}

one_mistake() {
    local wanted=$1 line=$2 status
    export sender=/usr/lib/authalert/libauthalert_sender.so module
    module=$(find "$work/root/usr/lib" "$work/root/usr/lib64" -maxdepth 3 -path '*/security/pam_authalert.so' -print 2>/dev/null | head -n 1)
    module=${module#"$work/root"}
    in_root bash -c "$3" || true
    in_root authalert check --offline --quiet
    status=$?
    if [[ $status != "$wanted" ]]; then
        echo "status $status; $said"
    elif [[ -z $line && -n $said ]]; then
        echo "$said"
    elif [[ -n $line && $(grep -cE -- "$line" <<<"$said") != 1 ]]; then
        echo "not one line of \"$line\": $said"
    else
        echo good
    fi
}

stack() { printf '%s\n' "$@" >/etc/pam.d/aa-kill-1; }

config() { printf '%s\n' "$@" >/etc/authalert/config.toml; }

with_x() {
    printf '%s = "x"\n' api_key api_secret access_token access_token_secret >/etc/authalert/credentials.toml
    chmod 600 /etc/authalert/credentials.toml
    config ""
}

main
