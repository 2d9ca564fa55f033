#!/bin/bash
# Mail and command receivers with the programs themselves, fetched from Debian and PyPI without being installed:
# an Exim that takes mail from an account, msmtp as sendmail, gammu-smsd-inject with spool files, smstools' sendsms, apprise.
#
#   tests/receivers/commands.sh [DIRECTORY]      default: target/receivers/commands
#
# What cannot be fetched is left out with a word. Prints what tests/report.sh says. AUTHALERT_BUILD: where the command is
# (default: target/quick).
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source-path=SCRIPTDIR/../..
. tests/report.sh
here=$PWD
program=$(realpath -- "${AUTHALERT_BUILD:-target/quick}/authalert")
mkdir -p "${1:-target/receivers/commands}" && cd "${1:-target/receivers/commands}" || exit 1
directory=$PWD
run=$(mktemp -d "$directory/run.XXXXXX") || exit 1
chmod 755 "$run"
server='' exim=''
# shellcheck disable=SC2317 # called by the trap
cleanup() {
    for pid in $server $exim; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
    rm -rf "$run"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

fetch() { # PACKAGE: with what it needs and is not installed here
    mkdir -p debs root
    local missing package
    missing=$(timeout --foreground 60 apt-get install -s --no-install-recommends "$1" 2>/dev/null | sed -n 's/^Inst \([^ ]*\).*/\1/p')
    for package in $(printf '%s\n' "$1" "$missing" | sort -u); do
        ls "debs/$package"_* >/dev/null 2>&1 && continue
        (cd debs && timeout --foreground 120 apt-get download "$package" >/dev/null 2>&1) && dpkg -x "debs/$package"_*.deb root || return
    done
}

wrapped() { # NAME PROGRAM [ARGUMENT…]: what finds its libraries here
    name=$1
    shift
    printf '#!/bin/sh\nexport LD_LIBRARY_PATH=%s\nexec %s "$@"\n' "$directory/root/usr/lib:$directory/root/usr/lib/x86_64-linux-gnu" "$*" >"$run/$name"
    chmod 755 "$run/$name"
}

within() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    until "${@:2}"; do
        ((SECONDS < end)) || return
        sleep 0.1
    done
}

tried() { # SENTENCE PATTERN PLACE... with the configuration in $run/config.toml
    if timeout --foreground 60 "$program" --config "$run/config.toml" --state "$run/state" test >"$run/log" 2>&1 &&
        within 20 grep -rqas "$2" "${@:3}"; then
        ok "$1"
    else
        not_ok "$1" "$(<"$run/log")"
    fi
}

refused() { # SENTENCE PATTERN [PATTERN-THAT-MUST-NOT-BE]
    local said
    said=$(timeout --foreground 60 "$program" --config "$run/config.toml" --state "$run/state" test 2>&1)
    if [[ $? = 1 && $said =~ $2 && ! ( -n ${3-} && $said =~ ${3-} ) ]]; then ok "$1"; else not_ok "$1" "$said"; fi
}

mail_by_exim() { # ADDRESSES PASSWORD; none: without an account
    { printf '[[receiver]]\nkind = "mail"\nname = "mail"\nto = "%s"\nserver = "127.0.0.1"\nport = %s\nca_file = "%s/ca.pem"\n' "$1" "$port" "$run"
      [ -z "$2" ] || printf 'user = "me@example.org"\n'; } >"$run/config.toml"
    rm -f "$run/credentials.toml"
    [ -z "$2" ] || (umask 077 && printf '[mail]\npassword = "%s"\n' "$2" >"$run/credentials.toml")
}

# Debian's Exim looks its account up by name, so it gets one, in a mount namespace of its own, also where the machine has one.
start_exim() {
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$here/tests/standin/certificates.sh" "$run" && chmod 644 "$run/server.pem" && install -d -o 64999 -g 64999 "$run/exim" || return
    for file in passwd group; do { grep -v '^Debian-exim:' /etc/$file; echo 'Debian-exim:x:64999:64999::/:/bin/false'; } >"$run/$file"; done
    sed -i 's/^\(Debian-exim:x:64999:\).*/\1/' "$run/group"
    cat >"$run/exim.conf" <<END
primary_hostname = mail.example.org
keep_environment =
spool_directory = $run/exim
log_file_path = $run/exim/%slog
tls_advertise_hosts = *
tls_certificate = $run/server.pem
auth_advertise_hosts = \${if def:tls_in_cipher {*}}
queue_only
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  deny message = relay not permitted
       !authenticated = *
  deny message = Unrouteable address
       local_parts = gone
  accept
begin authenticators
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = \${if and{{eq{\$auth1}{me@example.org}}{eq{\$auth2}{hush ü:x}}}}
END
    # shellcheck disable=SC2016 # for the shell in the namespace
    LD_LIBRARY_PATH=$directory/root/usr/lib/x86_64-linux-gnu unshare --mount sh -c \
        'mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/group" /etc/group && exec "$2" -C "$1/exim.conf" -bdf -oX "127.0.0.1.$3" -oP "$1/exim/pid"' \
        sh "$run" "$directory/root/usr/sbin/exim4" "$port" >"$run/exim.out" 2>&1 &
    exim=$!
    within 20 grep -qs 'listening for SMTP' "$run/exim/mainlog"
}

if [ "$(id -u)" != 0 ]; then
    left_out Exim 'it needs root'
elif ! fetch exim4-daemon-light; then
    left_out Exim 'it cannot be fetched'
elif ! start_exim; then
    not_ok 'Exim starts' "$(cat "$run/exim.out" "$run/exim/mainlog" 2>&1)"
else
    mail_by_exim admin@example.org 'hush ü:x'
    tried 'mail by an Exim with STARTTLS and LOGIN, from the account' \
        '<= me@example.org .*P=esmtpsa .*A=login' "$run/exim/mainlog"
    mail_by_exim 'gone@example.org, admin@example.org' 'hush ü:x'
    refused 'an address that Exim does not take is named' 'not for gone@example.org: 550 Unrouteable'
    check 'and the message is with the other' grep -qs '^admin@example.org' "$run"/exim/input/*-H
    mail_by_exim admin@example.org 'hush ü:y'
    refused 'a wrong password is named and not shown' '535 .*check user and password' hush
    mail_by_exim admin@example.org ''
    refused 'so is that Exim wants an account' '550 relay not permitted; .*set user and password'
    check 'Exim was left with a good-bye' \
        test "$(grep -cE 'unexpected disconnection|non-properly terminated' "$run/exim/mainlog")" = 0
fi

if fetch msmtp; then
    python3 "$here/tests/standin/smtp.py" '{"tls":"none"}' >"$run/letters" &
    server=$!
    within 20 test -s "$run/letters"
    printf 'account default\nhost 127.0.0.1\nport %s\nfrom account@example.org\n' "$(head -1 "$run/letters")" >"$run/msmtprc"
    wrapped sendmail "$directory/root/usr/bin/msmtp -C $run/msmtprc"
    printf '[[receiver]]\nkind = "mail"\nto = "admin@example.org"\nsendmail = "%s/sendmail"\n' "$run" >"$run/config.toml"
    tried "mail by msmtp in the place of sendmail, from the account that it is set up with" \
        '"from": "account@example.org", "to": \["admin@example.org"\].*From: authalert <account@example.org>.*Auto-Submitted: auto-generated' "$run/letters"
else
    left_out msmtp 'it cannot be fetched'
fi

if fetch gammu-smsd; then
    mkdir -p "$run/inbox" "$run/outbox"
    printf '[gammu]\nmodel = dummy\nconnection = none\ndevice = %s\n[smsd]\nservice = files\noutboxpath = %s/outbox/\ninboxpath = %s/inbox/\n' "$run" "$run" "$run" >"$run/smsdrc"
    wrapped inject "$directory/root/usr/bin/gammu-smsd-inject"
    printf '[[receiver]]\nkind = "command"\nunit = "gsm7"\nlimit = 459\nargv = ["%s/inject", "-c", "%s/smsdrc", "TEXT", "+358401234567", "-len", "459"]\n' "$run" "$run" >"$run/config.toml"
    tried "an SMS in the outbox of gammu-smsd" 't.\?e.\?s.\?t' "$run/outbox"
else
    left_out gammu-smsd 'it cannot be fetched'
fi

if fetch smstools; then
    mkdir -p "$run/spool"
    sed "s,/var/spool/sms/outgoing,$run/spool,g" root/usr/share/doc/smstools/examples/scripts/sendsms >"$run/sendsms"
    chmod 755 "$run/sendsms"
    printf '[[receiver]]\nkind = "command"\nunit = "gsm7"\nlimit = 459\nargv = ["%s/sendsms", "358401234567"]\n' "$run" >"$run/config.toml"
    tried "an SMS in the spool of smstools" '^To: 358401234567' "$run/spool"
    check 'the spool of smstools holds the text' grep -rqs 'test' "$run/spool"
else
    left_out smstools 'it cannot be fetched'
fi

if [ -x venv/bin/apprise ] || { python3 -m venv venv && timeout --foreground 300 venv/bin/pip -q install apprise; } >/dev/null 2>&1; then
    python3 - "$run" <<'PYTHON' &
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        open(sys.argv[1] + "/notified", "ab").write(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
open(sys.argv[1] + "/port", "w").write(str(server.server_port))
server.timeout = 60
server.handle_request()
PYTHON
    within 20 test -s "$run/port"
    printf '[[receiver]]\nkind = "command"\nargv = ["%s/venv/bin/apprise", "json://127.0.0.1:%s/"]\n' "$directory" "$(cat "$run/port")" >"$run/config.toml"
    tried "a notification by apprise" '"message": *"[^"]*test' "$run/notified"
    printf '[[receiver]]\nkind = "command"\nargv = ["%s/venv/bin/apprise", "json://127.0.0.1:9/"]\n' "$directory" >"$run/config.toml"
    output=$(timeout --foreground 60 "$program" --config "$run/config.toml" --state "$run/state" test 2>&1)
    check 'an apprise that reaches nobody ends with exit status 1, which is tried again' \
        test "$?" != 0 -a "$output" != "${output/exit status 1/}"
else
    left_out apprise 'it cannot be fetched'
fi
finish
