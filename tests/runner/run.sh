#!/bin/bash
# tests/run.sh itself, with rings that only wait, fail, or are killed: what did not come to its end is red, Ctrl-C ends it
# at once, and nothing is left behind: no process, mount, namespace or file. Reports as tests/report.sh says.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source-path=SCRIPTDIR
. "$here/../report.sh"
tests=$here/..
work=$(mktemp -d) || exit 1
trap 'rm -rf -- "$work"' EXIT
export mark=$work/mark number=$((RANDOM % 9000 + 1000)) # so that its processes are told from any other run's
tree=$work/tree

# run.sh as it is, over rings of our own: each is a script of that name. Nothing is built and nothing needed.
# shellcheck disable=SC2016 # scripts of their own
plant() {
    mkdir -p -- "$tree/tests"
    cp -- "$tests"/{run,report,enclosed,needs}.sh "$tree/tests/"
    printf 'needs_of() { :; }\nlacks() { :; }\ninstall_what_is_missing() { find_rust || true; }\nfind_rust() { owner=$(stat -c %%U .); }\nwhy_not() { :; }\n' \
        >>"$tree/tests/needs.sh"
    cat >"$work/table" <<'TABLE'
green 1 1 60 tests/green.sh
silent 1 1 60 tests/silent.sh
status 1 1 60 tests/status.sh
fewer 1 1 60 tests/fewer.sh
killed 1 1 60 tests/killed.sh
piped 1 1 60 tests/piped.sh
late 1 1 1 tests/late.sh
stays 1 1 60 tests/stays.sh
asks 1 1 60 tests/asks.sh
TABLE
    sed -i -e "/^readonly table='\$/r $work/table" -e "/^readonly table='\$/,/^'\$/{/^[a-z]* *[0-9]/d}" \
        -e 's/^        fuzz | runner.*) ;;/        *) continue ;;/' -- "$tree/tests/run.sh"
    ring green 'echo "plan 2"; echo "ok - one"; echo "ok - two"; echo "2 passed, 0 failed"'
    ring silent 'exit 0'
    ring status 'echo "ok - one"; echo "1 passed, 0 failed"; exit 3'
    ring fewer 'echo "plan 3"; echo "ok - one"; echo "1 passed, 0 failed"'
    ring killed 'echo "ok - one"; kill -KILL $$'
    ring piped '. tests/report.sh; part inner sh -c "echo \"ok - one\"; kill -KILL \$\$"; finish'
    ring late 'echo "ok - one"; sleep 300'
    # Whatever a test may start: one in a session of its own, one that hears no signal, files, and as root a mount.
    ring stays 'echo $$ >"$TMPDIR/file"; echo "$TMPDIR" >"$mark"
        [ "$(id -u)" != 0 ] || { mkdir "$TMPDIR/mount" && mount -t tmpfs tmpfs "$TMPDIR/mount" 2>/dev/null; }
        setsid sleep ${number}1 & (trap "" INT TERM HUP; sleep ${number}2) & echo "ok - one"; sleep ${number}3; sleep ${number}4'
    # What hangs where a terminal is there: a background group that reads it, or changes it.
    ring asks 'timeout 20 sh -c "read -r answer </dev/tty; stty -echo </dev/tty" 2>/dev/null; echo "ok - one"; echo "1 passed, 0 failed"'
}

ring() {
    printf '#!/bin/bash\n%s\n' "$2" >"$tree/tests/$1.sh"
    chmod 755 -- "$tree/tests/$1.sh"
}

run() { # RING...: sets output and status
    output=$(timeout --foreground --kill-after=5 60 "$tree/tests/run.sh" "$@" 2>&1 </dev/null)
    status=$?
    nothing_left || output+=$'\n'"left: $left"
}

# Nothing of the rings, by what only they are; their folder is gone too.
nothing_left() {
    left=$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ' | grep -oE "sleep ${number}[1-4]")
    left+=$(grep -s "$(cat -- "$mark" 2>/dev/null || echo nowhere)" /proc/mounts)
    [[ ! -s $mark || ! -e $(dirname -- "$(<"$mark")") ]] || left+=$(ls -- "$(<"$mark")")
    [[ -z $left ]]
}

green() { [[ $status == 0 && $output == *'passed, 0 failed' ]]; }
red_for() { [[ $status == 1 && $output == *"$1"* && $output == *"$2 passed, 1 failed" ]]; }
named_at_the_end() { [[ $(tail -n 2 <<<"$output" | head -n 1) == "$1"* ]]; }

# Starts run.sh, by HOW, waits until the ring is there, sends SIGNAL to it; sets seconds.
end_by() { # SIGNAL COMMAND...
    local signal=$1 begun pid end=$((SECONDS + 20))
    shift
    rm -f -- "$mark"
    "$@" >"$work/said" 2>&1 </dev/null &
    pid=$!
    until [[ -s $mark ]] || ((SECONDS > end)); do sleep 0.1; done
    sleep 0.5
    begun=$EPOCHREALTIME
    kill "-$signal" "$pid"
    wait "$pid" 2>/dev/null
    status=$?
    seconds=$(awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
    # What hears of its end hears it a moment later.
    for _ in $(seq 50); do ! nothing_left || break; sleep 0.1; done
    nothing_left || true
    output="status $status after $seconds s; left: $left; $(tail -n 3 "$work/said")"
}

# Keeps a terminal open until the run in it has said PATTERN: script(1) ends with its input, however busy the machine is.
until_said() {
    for _ in $(seq 300); do ! grep -aqE -- "$1" "$work/said" || break; sleep 0.1; done
    sleep 0.3
}

# As a terminal does it: Ctrl-C is typed, and reaches the whole group in front. The ring has begun when its line is shown.
# No shell stands between: some end by the signal themselves, before what they wait for does, and script(1) with them.
ctrl_c() {
    rm -f -- "$mark"
    : >"$work/said"
    (for _ in $(seq 150); do [[ ! -s $mark ]] || break; sleep 0.1; done; sleep 0.5; printf '\003'; until_said 'ended by SIGINT') |
        timeout --foreground --kill-after=5 60 script -qec "exec $tree/tests/run.sh stays" /dev/null >"$work/said" 2>&1
    status=${PIPESTATUS[1]}
    output="status $status; $(<"$work/said")"
    nothing_left || { output+="; left: $left"; return 1; }
    [[ $status == 130 && $output == *'ended by SIGINT'* ]]
}

at_a_terminal() {
    : >"$work/said"
    until_said '[0-9] passed, [0-9] failed' |
        timeout --foreground --kill-after=5 60 script -qec "$tree/tests/run.sh asks green" /dev/null >"$work/said" 2>&1
    output=$(tr '\r' '\n' <"$work/said")
    [[ $output == *'3 passed, 0 failed'* ]]
}

main() {
    plant
    run green
    check 'a ring that came to its end is green' green
    run silent
    check 'one that ended without a word is red' red_for 'it stopped before its end' 0
    run status
    check 'one whose status says that something failed is red' red_for 'ended with status 3' 1
    run fewer
    check 'one that ran fewer tests than it planned is red' red_for 'of 3 tests 1 reported' 1
    run killed
    check 'one that was killed is red, though what it said was good' red_for 'it was ended by SIGKILL' 1
    run piped
    check 'a part that was killed is red, through the pipe behind it' red_for 'not ok - inner comes to its end' 1
    check 'and is named once more at the end' named_at_the_end 'failed: piped: inner comes to its end'
    run late
    check 'one that hangs is ended, and is red' red_for 'it did not end within' 1
    run green killed
    check 'one ring that is red makes the run red' red_for 'killed    not ok' 3

    end_by TERM "$tree/tests/run.sh" stays
    check 'asked to end, it ends at once, red, and nothing is left' test "$status${left:-}" = 143
    check 'and within five seconds, however busy the machine is' awk -v s="$seconds" 'BEGIN { exit s > 5 }'
    end_by KILL "$tree/tests/run.sh" stays
    check 'killed, it takes its rings along, and nothing is left' test "$status${left:-}" = 137
    if command -v script >/dev/null; then
        check 'Ctrl-C at a terminal ends it with status 130, and nothing is left' ctrl_c
        check 'at a terminal a ring that reads it is not stopped, and the run ends' at_a_terminal
    else
        left_out 'run.sh at a terminal' 'script is not installed'
    fi
    check 'no script runs anything under timeout without --foreground' timeouts
    check 'no script with pipefail reads a pipe with grep -q, which ends before its writer' quiet_greps
    finish
}

scripts() { grep -lE '^#!.*\b(sh|bash)\b|^# shellcheck shell=' -r "$tests" "$tests/../install.sh" "$tests/../.ci" "$tests/../packaging" "$tests/../fuzz"/*.sh; }

# A group in the background is stopped when it touches the terminal, and hears no Ctrl-C.
timeouts() {
    output=$(scripts | grep -v 'runner/run.sh$' | xargs grep -nE '(^|[^-a-z_."])timeout +(-[^f-]|--[^f]|[0-9"$])' | grep -vE ':[0-9]+: *#')
    [[ -z $output ]]
}

quiet_greps() {
    output=$(scripts | grep -v 'runner/run.sh$' | xargs grep -lE '^set .*pipefail' | xargs grep -nE '\| *grep +-[a-zA-Z]*q')
    [[ -z $output ]]
}

main
