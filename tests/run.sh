#!/bin/bash
# The tests: the rings that this machine allows, in about seven minutes on two processors; with --all the others too, in about
# half an hour, but for the two of a release.
#
#   tests/run.sh [--all] [RING]...
#
#   unit       unit tests, known answers, and the protocols as models (cargo test)
#   runner     this script: that what is killed is red, and that nothing is left behind
#   module     the built module driven by libpam; no root needed
#   system     sshd, su, sudo and login, in a mount namespace; root
#   harness    crashes at every step, and what is counted afterwards
#   hostile    callers that mean it badly; root for most
#   scan       the log route: rotations, kills, and real programs under rsyslog and journald; root for the last
#   install    install.sh on a tree of each distribution; as root in copies of this machine's system too
#   fuzz       each fuzz target for some seconds; fuzz/run.sh -n RUNS goes on for longer; only with --all, or by name
#   receivers  real servers, fetched: ntfy and Matrix's Synapse; only with --all, or by name
#   fleet      members, hub and real NATS servers, killed at random and lost, and a member that lies; only with --all, or by name
#   report     reports beside the scan, in a real browser; promtool and fail2ban; only with --all, or by name
#   release    packaging/release.sh makes the same bytes twice, and what it makes installs; before a release, by name only
#   arm64      built for 64-bit ARM, and run under qemu in Debian's system for it; root; before a release, by name only
#   fresh      fresh Debian machines, booted: from source, and from a package; root; only with --all, or by name
#
# Rings run beside each other. Each test prints a line as it ends, with the time since the start and the ring; the last
# line is `N passed, N failed`; the exit status is 0 if nothing failed and every ring came to its end. What each ring said
# is kept in target/tests. Ctrl-C ends all of it and leaves nothing behind. What is missing is installed on Debian and
# Ubuntu, as root; else what needs it is left out, and said so.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export LC_ALL=C.UTF-8
# shellcheck source-path=SCRIPTDIR/..
. tests/report.sh
# shellcheck source-path=SCRIPTDIR/..
. tests/needs.sh
# shellcheck source-path=SCRIPTDIR/..
. tests/enclosed.sh

# Ring; seconds it takes by default and with --all, on two processors; seconds after which it hangs; command.
# shellcheck disable=SC2016 # filled in by begin_ring
readonly table='
fresh      900  1500 3600 tests/fresh/run.sh $more
fuzz       600   600 1800 fuzz/run.sh 90
fleet      540   540 1800 tests/fleet/run.sh
harness    200   300 1200 tests/harness/run.sh $more
system     190   400 1500 python3 tests/system/run.py $more
scan       180   220 1200 tests/scan/run.sh $more
hostile    160   300 1200 tests/hostile/run.sh $parts
install    110   600 2400 tests/install/run.sh $more
unit       100   150 1500 tests/unit.sh $more
module      20    20  600 python3 tests/module/run.py
release    900   900 4800 tests/release/run.sh
arm64      600   600 3600 tests/arm64/run.sh
receivers   90    90 1500 tests/receivers/run.sh
report     120   120 1500 tests/report/run.sh
runner      10    10  300 tests/runner/run.sh
'
readonly only_with_all='fuzz receivers report fleet fresh'
readonly only_by_name='release arm64'
readonly quick_always='unit harness receivers fleet' # what is not shipped, or goes through thousands of steps

main() {
    local all=no rings=() word names
    names=$(awk 'NF { print $1 }' <<<"$table")
    for word; do
        case $word in
        --all) all=yes ;;
        -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed '$d'; exit 0 ;;
        *)
            grep -x -- "$word" <<<"$names" >/dev/null ||
                { echo "tests/run.sh: '$word' is not a ring; the rings are ${names//$'\n'/ }" >&2; exit 2; }
            rings+=("$word")
            ;;
        esac
    done
    local named=${#rings[@]}
    if ((named == 0)); then
        for word in $names; do
            [[ " $only_by_name " != *" $word "* ]] || continue
            [[ $all == no && " $only_with_all " == *" $word "* ]] || rings+=("$word")
        done
    fi

    prepare
    install_what_is_missing "$all" "${rings[@]}"
    find_rust || stop 'there is Rust 1.85 or newer: install it with rustup (https://rustup.rs)'
    choose "${rings[@]}"
    build_for "$all" "${waiting[@]}"
    run_rings "$all"
    sum_up "$all" "$named"
}

# --- rings, several at once -------------------------------------------------------------------

waiting=() # rings that have not begun, the longest first
without=() # rings that are left out
declare -A last=() counted=()
failures=() # what went wrong, for the end
total_good=0 total_bad=0

# In the order of the table; what cannot run here says why.
choose() {
    local name why
    for name in $(awk 'NF { print $1 }' <<<"$table" | tr '\n' ' '); do
        [[ " $* " == *" $name "* ]] || continue
        why=$(why_not "$name")
        if [[ -n $why ]]; then
            say "left out - $name: $why"
            without+=("$name")
        else
            waiting+=("$name")
        fi
    done
    ((${#waiting[@]})) || stop 'there is a ring that can run here'
}

column() { awk -v ring="$1" -v which="$2" '$1 == ring { print $which }' <<<"$table"; }

# One build serves all: with every check of a debug build, and quick. With --all what is shipped is tested, and built too.
build_for() { # ALL RING...
    local all=$1 builds=no release=no name
    shift
    for name; do
        case $name in
        fuzz | runner | release | arm64) ;;
        fresh) release=yes ;;
        *) builds=yes; [[ $all == no || " $quick_always " == *" $name "* ]] || release=yes ;;
        esac
    done
    # shellcheck disable=SC2016 # the path is the script's
    if [[ $builds == yes ]]; then
        run_step 'the build: cargo build --locked --profile quick --workspace --all-targets' 2400 \
            cargo build --locked --profile quick --workspace --all-targets || stop "the build; see $logs/step.log"
    fi
    if [[ $release == yes ]]; then
        run_step 'the release: cargo build --locked --release' 2400 cargo build --locked --release ||
            stop "the release build; see $logs/step.log"
    fi
}

begin_ring() { # RING ALL
    local name=$1 about more='' parts='--sample supply hosts callers files marks sshd' build=target/release which=2 command
    if [[ $2 == yes ]]; then more=--all parts='' which=3; fi
    [[ $2 == yes && " $quick_always " != *" $name "* || $name == fresh ]] || build=target/quick
    command=$(awk -v ring="$name" '$1 == ring { $1 = $2 = $3 = $4 = ""; print }' <<<"$table")
    command=${command//\$more/$more} command=${command//\$parts/$parts}
    minutes about "$(column "$name" $which)"
    say "== $name begins: $(sed -n "s/^#   $name  *//p" tests/run.sh); about $about"
    last[$name]='' counted[$name]=0
    # shellcheck disable=SC2086 # a command and its words
    AUTHALERT_BUILD=$PWD/$build enclosed "$name" "$(column "$name" 4)" $command
}

run_rings() { # ALL
    local slots name begun_all=$SECONDS took
    # One more than processors: each waits for most of its time, for delays after wrong passwords and for group intervals.
    slots=$(($(nproc) + 1))
    slots=$((slots > 4 ? 4 : slots))
    while ((${#waiting[@]} + ${#process[@]})); do
        while ((${#waiting[@]} && ${#process[@]} < slots)); do
            begin_ring "${waiting[0]}" "$1"
            waiting=("${waiting[@]:1}")
        done
        for name in "${!process[@]}"; do
            if has_ended "$name"; then
                show_new "$name"
                conclude "$name"
            else
                show_new "$name"
            fi
        done
        status_line
        pause
    done
    minutes took $((SECONDS - begun_all))
    say "the rings took $took"
}

# The lines that a ring has finished since: its tests, and what went wrong in one.
show_new() { # RING
    local name=$1
    while next_line "$name"; do
        case $line in
        'ok - '* | 'not ok - '* | 'left out - '*)
            last[$name]=${line%% - *} counted[$name]=$((counted[$name] + 1))
            say_of "$name" "$line"
            [[ $line != 'not ok - '* ]] || failures+=("$name: ${line#not ok - }")
            ;;
        '    '* | '#'*) [[ ${last[$name]} != 'not ok' ]] || say "                $line" ;;
        esac
    done
}

# A ring is green if it came to its end, said as many tests as it planned, and none of them failed.
conclude() { # RING
    local name=$1 sentence status late took processor
    ended_with "$name"
    judge "$work/$name.log" "$status"
    if [[ $late == yes ]]; then fault="it did not end within ${limit[$name]} seconds"; fi
    if [[ -n $fault ]]; then
        bad=$((bad + 1))
        failures+=("$name: $name comes to its end: $fault")
        say_of "$name" "not ok - $name comes to its end: $fault"
        tail -n 15 "$work/$name.log" | sed 's/^/                    /' | while IFS= read -r sentence; do say "$sentence"; done
    fi
    total_good=$((total_good + good)) total_bad=$((total_bad + bad))
    sentence="$good passed, $bad failed"
    ((omitted == 0)) || sentence+=", $omitted left out"
    minutes took $((SECONDS - begun[$name]))
    say "== $name: $sentence, in $took$processor"
    cp -- "$work/$name.log" "$logs/$name.log"
    forget "$name"
}

sum_up() { # ALL NAMED
    ((${#without[@]} == 0)) || say "left out: ${without[*]}"
    if [[ $1 == no ]]; then
        say "left for --all: $( (($2)) || echo "the rings ${only_with_all// /, }; ")the release build and its files (elf); install.sh killed at each step; the slow tests of scan, system and hostile; larger samples in harness, hostile and unit"
    fi
    (($2)) || say "left for a release: the rings ${only_by_name// /, }"
    # Once more, where they are seen: what went wrong in each stands where it happened.
    local failure
    for failure in "${failures[@]:0:40}"; do say "failed: ${failure:0:300}"; done
    say "$total_good passed, $total_bad failed"
    exit $((total_bad > 0))
}

main "$@"
