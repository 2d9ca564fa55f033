#!/bin/bash
# The module inside hosts with threads, forks, cancellation and items of their own; under valgrind where it is there.
#   hosts.sh DIRECTORY [--full]
# No root needed. The receiver is the timeline; the state is made for the run and removed.
set -u
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../report.sh"
directory=${1:?usage: hosts.sh DIRECTORY [--full]}
full=${2-}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if ! "$(dirname "${BASH_SOURCE[0]}")/../pam/build.sh" "$scratch" host door.so ends_in_open.so 2>"$scratch/cc"; then
    not_ok 'the hosts can be built' "$(cat "$scratch/cc"); tests/pam needs gcc and libpam0g-dev"
    finish
    exit
fi
mkdir -p "$scratch/conf" "$scratch/state/journal"
chmod 700 "$scratch/state" "$scratch/state/journal"
echo 'receiver = "timeline"' >"$scratch/config.toml"
line="auth optional $directory/libpam_authalert.so state=$scratch/state config=$scratch/config.toml"
ask='auth [success=1 default=ignore] pam_unix.so nodelay
auth requisite pam_deny.so
auth required pam_permit.so'
rest='account required pam_permit.so'
printf '%s\nauth required pam_deny.so\n%s\n' "$line" "$rest" >"$scratch/conf/deny"
printf '%s\n%s\n%s\n' "$line" "$ask" "$rest" >"$scratch/conf/ask"
printf '%s\nauth optional pam_faildelay.so delay=20000000\n%s\n%s\n' "$line" "$ask" "$rest" >"$scratch/conf/wait"
printf '%s\n%s\n' "$ask" "$rest" >"$scratch/conf/bare"
# pam_unix makes an error of a conversation that will answer later; door.so comes again.
printf '%s\nauth [success=1 default=ignore] %s prompt\nauth requisite pam_deny.so\nauth required pam_permit.so\n%s\n' \
    "$line" "$scratch/door.so" "$rest" >"$scratch/conf/door"
sed 's/ prompt$/ prompt delay=200000/' "$scratch/conf/door" >"$scratch/conf/late"

records() { cat "$scratch"/state/journal/*.jsonl 2>/dev/null | grep -c '^{"time"'; }
claim() { # CONDITION NAME DETAILS
    if [ "$1" = 0 ]; then ok "$2"; else not_ok "$2" "$(printf '%s' "$3" | tail -n 12)"; fi
}
host() { "$scratch/host" "$scratch/conf" "$1" - "$2"; }
run() { # RECORDS NAME SERVICE WORD [WRAPPER...]
    expected=$1 name=$2 service=$3 word=$4
    shift 4
    before=$(records)
    said=$(timeout --foreground --kill-after=10 240 "$@" "$scratch/host" "$scratch/conf" "$service" - "$word" 2>&1 </dev/null)
    code=$?
    found=$(($(records) - before))
    [ $code = 0 ] && { [ "$expected" = any ] || [ "$found" = "$expected" ]; }
    claim $? "$name" "exit $code, $found recorded
$said"
}

n=$([ "$full" = --full ] && echo 5 || echo 1)
run $((8 * 50 * n)) "8 threads, $((400 * n)) transactions, each recorded" deny "threads=8,$((50 * n))"
run any "forks while the worker is busy: no child hangs" deny "forks=$((160 * n))"
run any "threads cancelled in the conversation and in the delay" wait "cancel=$((20 * n))"
run $((20 * n)) "threads asked to end while a failure is recorded: it is, and then they end in the delay" \
    late "pending=$((20 * n))" env "LD_PRELOAD=$scratch/ends_in_open.so"
run $((100 * n)) "the stack is unloaded between transactions" deny "reload=$((100 * n))"
run 4 "the application's conversation and delay function are called and given back; no setcred" ask given-back
run 6 "transactions inside conversations, five deep" ask nested
run 175 "a conversation that answers later, on another thread, or never" door again
run 600 "600 threads that all wait for an answer at once, each recorded" ask crowd=600
run $((20 * n)) "begun on one thread and finished on another, each recorded" door "moved=$((20 * n))"
run 1 "another conversation from within, where a thread that is gone left an attempt at the same address" ask replaced
grep -q '"user":"replaced"' "$scratch"/state/journal/*.jsonl
claim $? "and it is that attempt which is recorded" "$(tail -n 2 "$scratch/state/journal/current.jsonl")"
run any "none of the host's signals is handled on the worker" deny signals
run 1 "with the standard streams closed nothing is written to 0, 1 or 2" deny low
most=$(host deny burst=300)
[ "$most" -le 4 ]
claim $? "failures in a row start no crowd of workers: $most threads at most" ""
bare=$(host bare stack) with=$(host ask stack)
[ "$with" -le $((bare + 1024)) ]
claim $? "the module needs no more stack than the rest: $with bytes, $bare without" ""

# shellcheck disable=SC2086 # a command and its options
if command -v valgrind >/dev/null 2>&1; then
    # No leak is expected but what lives as long as the process: the channel, the sender, thread-local data.
    v="valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --child-silent-after-fork=yes"
    run 24 "valgrind: threads" deny threads=4,6 $v
    run 4 "valgrind: items" ask given-back $v
    run 6 "valgrind: nested" ask nested $v
    run 8 "valgrind: reload" deny reload=8 $v
else
    left_out 'the hosts under valgrind' 'it is not installed'
fi
finish
