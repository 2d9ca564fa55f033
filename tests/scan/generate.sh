#!/bin/bash
# Makes logs with the real programs: sshd (password, keyboard-interactive, without PAM, keys only),
# su, sudo, login, dropbear, doas, vsftpd, polkit's helper, under rsyslog and journald, in namespaces
# of their own (root needed). Every attempt is noted in attempts.tsv, so the logs have a known truth.
#
#   tests/scan/generate.sh DIRECTORY
set -euo pipefail
out=$(realpath "${1:?usage: generate.sh DIRECTORY}")
mkdir -p "$out"

if [ -z "${INSIDE:-}" ]; then
    # A network with nothing but documentation addresses, /etc and /run and /dev that are thrown away.
    exec env -i PATH="$PATH" INSIDE=1 unshare --mount --net --uts --pid --fork --kill-child --mount-proc \
        --propagation private bash "$0" "$out"
fi

cd /
hostname srv
ip link set lo up
for address in 192.0.2.1 192.0.2.7 192.0.2.8 198.51.100.9; do ip address add $address/32 dev lo; done
ip -6 address add 2001:db8::1/128 dev lo nodad
ip -6 address add 2001:db8::7/128 dev lo nodad
work=$(mktemp -d /tmp/authalert-logs.XXXXXX)
mount -t tmpfs tmpfs "$work"
mkdir "$work"/{upper,scratch,keys,dev}
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$work/upper,workdir=$work/scratch" /etc
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd /run/systemd/journal /run/vsftpd/empty /run/user /run/lock
mount -t tmpfs -o mode=755 tmpfs "$work/dev"
for node in null zero full random urandom tty; do
    touch "$work/dev/$node"
    mount --bind /dev/$node "$work/dev/$node"
done
mkdir "$work/dev/pts" "$work/dev/shm"
mount --move "$work/dev" /dev
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts /dev/pts
ln -s pts/ptmx /dev/ptmx
ln -s /proc/self/fd /dev/fd
mount -t tmpfs tmpfs /var/log
mkdir -p /var/log/journal
mount -t tmpfs tmpfs /home

for user in alice bob; do
    getent passwd $user >/dev/null && userdel $user 2>/dev/null
    useradd -m -s /bin/bash -p "$(openssl passwd -6 right)" $user
done
echo 'bob ALL=(ALL) ALL' >/etc/sudoers.d/bob
echo 'permit bob' >/etc/doas.conf
chmod 600 /etc/doas.conf

printf '[Journal]\nStorage=persistent\nForwardToSyslog=yes\nRateLimitIntervalSec=0\n' >/etc/systemd/journald.conf
/lib/systemd/systemd-journald &
sleep 1
ln -sf /run/systemd/journal/dev-log /dev/log
cat >/etc/rsyslog.conf <<EOF
module(load="imuxsock" SysSock.Name="/run/systemd/journal/syslog")
template(name="v1" type="string" string="<%pri%>1 %timestamp:::date-rfc3339% %hostname% %app-name% %procid% %msgid% %structured-data% %msg%\n")
auth,authpriv.* action(type="omfile" file="$out/rfc3164.log" template="RSYSLOG_TraditionalFileFormat")
auth,authpriv.* action(type="omfile" file="$out/rfc3339.log" template="RSYSLOG_FileFormat")
auth,authpriv.* action(type="omfile" file="$out/rfc5424.log" template="v1")
EOF
rm -f "$out"/*.log "$out"/attempts.tsv
rsyslogd -n -f /etc/rsyslog.conf -i "$work/rsyslogd.pid" &
sleep 1

ssh-keygen -q -t ed25519 -N '' -f "$work/keys/host"
ssh-keygen -q -t ed25519 -N '' -f "$work/keys/client"
server() { # PORT OPTION...
    local port=$1 options=()
    shift
    for option in "$@"; do options+=(-o "$option"); done
    /usr/sbin/sshd -f /dev/null -h "$work/keys/host" -p "$port" -o PidFile=none -o MaxAuthTries=6 -o PermitRootLogin=yes "${options[@]}"
}
server 2201 UsePAM=yes KbdInteractiveAuthentication=no
server 2202 UsePAM=yes KbdInteractiveAuthentication=yes PasswordAuthentication=no
server 2203 UsePAM=no KbdInteractiveAuthentication=no
server 2204 UsePAM=yes KbdInteractiveAuthentication=no PasswordAuthentication=no
# Messages with control characters, and names that forge other lines.
cat >"$work/askpass" <<'EOF'
#!/bin/bash
# Gives the words of $PASSWORDS in turn.
n=$(cat "$COUNTER")
echo $((n + 1)) >"$COUNTER"
set -- $PASSWORDS
shift "$n"
echo "$1"
EOF
chmod 755 "$work" "$work/askpass"
note() { printf '%s\t%s\t%s\t%s\n' "$@" >>"$out/attempts.tsv"; } # SERVICE USER RHOST COUNT
try() { # PORT FROM USER PASSWORD...
    local port=$1 from=$2 user=$3 to=192.0.2.1
    shift 3
    case $from in *:*) to=2001:db8::1 ;; esac
    echo 0 >"$work/counter"
    COUNTER=$work/counter PASSWORDS=$* SSH_ASKPASS=$work/askpass SSH_ASKPASS_REQUIRE=force \
        timeout --foreground 60 ssh -F none -o BindAddress="$from" -p "$port" -l "$user" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o NumberOfPasswordPrompts=$# -o PubkeyAuthentication=no -o LogLevel=ERROR $to true >/dev/null 2>&1 || true
}
ssh_failures() { # PORT FROM USER COUNT
    note sshd "$3" "$2" "$4"
    # shellcheck disable=SC2046 # one word an answer
    try "$1" "$2" "$3" $(for i in $(seq "$4"); do echo "wrong$i"; done)
}

for port in 2201 2202 2203; do
    ssh_failures $port 192.0.2.7 alice 1
    ssh_failures $port 192.0.2.8 alice 3
    ssh_failures $port 2001:db8::7 bob 2
    ssh_failures $port 192.0.2.7 nobody-here 1
    ssh_failures $port 192.0.2.8 nobody-here 3
    ssh_failures $port 198.51.100.9 'x from 203.0.113.9 port 22 ssh2' 1
    ssh_failures $port 198.51.100.9 'root rhost=203.0.113.9  user=root' 1
    ssh_failures $port 198.51.100.9 $'ends in a blank ' 1
    # The OpenSSH client refuses such a name; this one tries its password six times.
    [ $port = 2202 ] || note sshd '(not UTF-8)' 198.51.100.9 6
    [ $port = 2202 ] || DROPBEAR_PASSWORD=wrong timeout --foreground 20 dbclient -y -y -b 198.51.100.9 -p $port -l $'Ünï\xff\x01cödé' \
        192.0.2.1 true >/dev/null 2>&1 </dev/null || true
    ssh_failures $port 192.0.2.7 alice 6
    # Wrong, wrong, right.
    note sshd alice 192.0.2.7 2
    try $port 192.0.2.7 alice wrong wrong right
    # Right at once.
    try $port 192.0.2.7 alice right
done
# Keys only: the name is the only trace, whether it exists or not.
note sshd nobody-here 192.0.2.7 1
timeout --foreground 20 ssh -F none -o BindAddress=192.0.2.7 -p 2204 -l nobody-here -i "$work/keys/client" -o StrictHostKeyChecking=no \
    -o UserKnownHostsFile=/dev/null 192.0.2.1 true >/dev/null 2>&1 || true
note sshd alice 192.0.2.7 1
timeout --foreground 20 ssh -F none -o BindAddress=192.0.2.7 -p 2204 -l alice -i "$work/keys/client" -o StrictHostKeyChecking=no \
    -o UserKnownHostsFile=/dev/null 192.0.2.1 true >/dev/null 2>&1 || true

as_bob() { setsid runuser -u bob -- "$@"; }
for i in 1 2; do
    note su alice - 1
    echo wrong | as_bob su alice -c true >/dev/null 2>&1 || true
    note su root - 1
    echo wrong | as_bob su - root -c true >/dev/null 2>&1 || true
done
echo right | as_bob su alice -c true >/dev/null 2>&1 || true
# An unknown target, and a prompt that nobody answers: no wrong password.
as_bob su nobody-here -c true </dev/null >/dev/null 2>&1 || true
as_bob su alice -c true </dev/null >/dev/null 2>&1 || true

note sudo bob - 3
printf 'a\nb\nc\n' | as_bob sudo -k -S true >/dev/null 2>&1 || true
note sudo bob - 1
printf 'a\nright\n' | as_bob sudo -k -S true >/dev/null 2>&1 || true
note sudo bob - 1
printf 'a\n' | as_bob sudo -k -S true >/dev/null 2>&1 || true
note sudo bob - 3
printf 'a\nb\nc\n' | as_bob sudo -k -S true >/dev/null 2>&1 || true
as_bob sudo -k -S true </dev/null >/dev/null 2>&1 || true
printf 'right\n' | as_bob sudo -k -S true >/dev/null 2>&1 || true
# Not in sudoers, with a forged summary as the command.
note sudo alice - 1
printf 'a\nright\n' | setsid runuser -u alice -- sudo -k -S echo ' : 3 incorrect password attempts ; ' >/dev/null 2>&1 || true

cat >"$work/answer.py" <<'EOF'
"""Runs a command at a terminal, and answers prompts (a part of the prompt, the answer) in turn."""
import os, pty, select, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:sys.argv.index("answers")])
answers = [pair.split("=", 1) for pair in sys.argv[sys.argv.index("answers") + 1:]]
seen, end = b"", time.time() + 40
while time.time() < end:
    ready, _, _ = select.select([fd], [], [], 0.2)
    if ready:
        try:
            data = os.read(fd, 4096)
        except OSError:
            break
        if not data:
            break
        print(data)
        seen += data
    if answers and answers[0][0].encode() in seen:
        time.sleep(0.2)
        os.write(fd, answers[0][1].encode() + b"\n")
        answers.pop(0)
        seen = b""
    elif not answers and not ready and time.time() > end - 30:
        break
os.close(fd)
EOF
tty_run() { timeout --foreground 60 python3 "$work/answer.py" "$@" >>"$work/tty.out" 2>&1 || true; }
note login alice - 1
note login nobody-here - 1
tty_run login answers login:=alice Password:=wrong login:=nobody-here Password:=wrong
note doas bob - 1
tty_run runuser -u bob -- doas true answers password:=wrong
note polkit-1 alice - 1
# shellcheck disable=SC2012 # the names are ours
helper=$(ls /usr/lib/policykit-1/polkit-agent-helper-1 /usr/libexec/polkit-agent-helper-1 2>/dev/null | head -1)
[ -z "$helper" ] || printf 'cookie\nwrong\n' | as_bob "$helper" alice >/dev/null 2>&1 || true

dropbearkey -t ed25519 -f "$work/keys/dropbear" >/dev/null 2>&1
dropbear -r "$work/keys/dropbear" -p 2205 -P "$work/dropbear.pid"
note dropbear alice 192.0.2.7 3
try 2205 192.0.2.7 alice wrong wrong wrong
note dropbear nobody-here 192.0.2.7 1
try 2205 192.0.2.7 nobody-here wrong

cat >"$work/vsftpd.conf" <<EOF
listen=YES
listen_port=2121
local_enable=YES
background=NO
pam_service_name=vsftpd
secure_chroot_dir=/run/vsftpd/empty
EOF
vsftpd "$work/vsftpd.conf" &
sleep 1
for user in alice nobody-here; do
    note vsftpd $user 192.0.2.7 1
    python3 - $user <<'EOF' || true
import ftplib, sys
ftp = ftplib.FTP(source_address=("192.0.2.7", 0))
ftp.connect("192.0.2.1", 2121, timeout=20)
try:
    ftp.login(sys.argv[1], "wrong")
except ftplib.error_perm:
    pass
EOF
done

# pam_unix reports the rest of a connection's failures when it ends.
sleep 3
journalctl -o json --no-pager SYSLOG_FACILITY=4 SYSLOG_FACILITY=10 \
    --output-fields=MESSAGE,SYSLOG_IDENTIFIER,_COMM,_PID,SYSLOG_PID,_HOSTNAME >"$out/journald.json"
journalctl --no-pager SYSLOG_FACILITY=4 SYSLOG_FACILITY=10 >"$out/journald-short.log"
journalctl --no-pager -o short-full SYSLOG_FACILITY=4 SYSLOG_FACILITY=10 >"$out/journald-short-full.log"

chmod 644 "$out"/*
